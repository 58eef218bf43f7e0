"""The surgeon's phone: what makes the escalations an app on the home screen, and the worker that shows pages."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

from complications.pages.bedside import worker_words


def worker(request: HttpRequest) -> HttpResponse:
    """GET /escalations/sw.js: its scope is /escalations/, so that the tablet's worker keeps everything else."""
    response = render(
        request,
        "complications/phone_worker.js",
        {
            "icon": json.dumps(static("clinic/phone-192.png")),
            **{name: json.dumps(value) for name, value in worker_words().items()},
        },
        content_type="text/javascript",
    )
    response["Cache-Control"] = "no-cache"
    return response


def manifest(request: HttpRequest) -> JsonResponse:
    """GET /escalations/app.webmanifest: how a phone puts the escalations on its home screen.

    The scope is the whole service, because the link that answers lies outside of /escalations/; the id tells this app
    from the tablet's.
    """
    start = reverse("page-escalations")
    return JsonResponse(
        {
            "id": start,
            "name": _("Escalations"),
            "short_name": _("Pages"),
            "start_url": start,
            "scope": "/",
            "display": "standalone",
            "background_color": "#f1f4f4",
            "theme_color": "#09545b",
            "icons": [
                {"src": static("clinic/phone-192.png"), "sizes": "192x192", "type": "image/png"},
                {"src": static("clinic/phone-512.png"), "sizes": "512x512", "type": "image/png"},
                {"src": static("clinic/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
            ],
        },
        content_type="application/manifest+json",
    )
