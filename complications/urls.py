"""Routes of complications; `clinic.urls` mounts the first list under /api/v1/ and the second at the root."""

from django.urls import URLPattern, URLResolver

api_urlpatterns: list[URLPattern | URLResolver] = []
page_urlpatterns: list[URLPattern | URLResolver] = []
