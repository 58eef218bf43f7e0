"""Routes of checklists; `clinic.urls` mounts the first list under /api/v1/ and the second at the root."""

from django.urls import URLPattern, URLResolver, path

from checklists.pages import run

api_urlpatterns: list[URLPattern | URLResolver] = []
page_urlpatterns: list[URLPattern | URLResolver] = [
    path("runs/shell/", run.shell, name="page-run-shell"),
    path("runs/<uuid:public_id>/", run.run, name="page-run"),
    path("sw.js", run.service_worker, name="page-service-worker"),
    path("manifest.webmanifest", run.manifest, name="page-manifest"),
]
