"""All routes: each package's `api_urlpatterns` under /api/v1/, its `page_urlpatterns` at the root."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string

urlpatterns: list[URLPattern | URLResolver] = [path("accounts/", include("allauth.urls"))]
for _package in settings.HOUSE:
    urlpatterns += [
        path("api/v1/", include(import_string(f"{_package}.urls.api_urlpatterns"))),
        path("", include(import_string(f"{_package}.urls.page_urlpatterns"))),
    ]
