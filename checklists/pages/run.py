"""The run page of the tablet: one shell without data for every run, its service worker and its manifest.

The shell holds no patient and no person, so anybody may have it, compressed too; what it draws comes from the API or from the tablet's own
sealed cache. Everything that the service worker keeps is named here by its hashed address: another file, another version.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.gzip import gzip_page

from checklists.access import access_run
from complications.rules.catalogue import complications

# What the first page needs, fetched side by side; LATER follows when it stands, and both are kept by the service worker.
MODULES = [
    f"checklists/{name}.js" for name in ("rules", "store", "queue", "dom", "model", "controls", "rows", "guard", "page")
]
LATER = [
    f"checklists/{name}.js"
    for name in ("cement", "people", "report", "others", "identity", "names", "outside", "vault")
]
SHEETS = ["clinic/tokens.css", "clinic/components.css", "clinic/run.css", "checklists/tablet.css"]
ICONS = [
    "arrow-up", "check", "check-check", "circle", "circle-check", "circle-pause", "clock", "download", "droplet", "ellipsis", "flag",
    "hand", "history", "info", "key-round", "list-checks", "lock", "octagon", "octagon-alert", "pencil", "phone", "phone-call", "plus", "shield-check",
    "siren", "sun-moon", "tablet", "timer", "triangle-alert", "user", "wifi", "wifi-off", "x",
]  # fmt: skip


@cache
def words() -> dict[str, dict[str, str]]:
    """Return the words of the page by language: `{"en": {key: text}, "tr": {…}}`."""
    pairs = tomllib.loads(_read_template("checklists/run_words.toml"))
    return {code: {key: pair[code] for key, pair in pairs.items()} for code in ("en", "tr")}


def _read_template(name: str) -> str:
    return (Path(settings.BASE_DIR) / "templates" / name).read_text(encoding="utf-8")


@cache
def sprite() -> SafeString:
    """Return the icons of the page as one hidden SVG, with the symbols of `clinic/icons.svg` that it uses."""
    path = finders.find("clinic/icons.svg")
    symbols = dict(
        re.findall(
            r'(?s)(?=<symbol id="i-([a-z0-9-]+)")(<symbol.*?</symbol>)', Path(str(path)).read_text(encoding="utf-8")
        )
    )
    # Our own file, not a person's words.
    return mark_safe(  # noqa: S308
        '<svg class="sprite" aria-hidden="true">' + "".join(symbols[name] for name in ICONS) + "</svg>"
    )


def shell_html() -> str:
    """Return the shell: the same bytes for everybody until a file of it changes."""
    return render_to_string(
        "checklists/run.html",
        {
            "product": "Vertebral augmentation",
            "skip": words()["en"]["skip"],
            "modules": MODULES,
            "sprite": sprite(),
            "words": words(),
            "complications": [
                {"value": code, "label": one.name, "label_tr": one.name_tr} for code, one in complications().items()
            ],
        },
    )


@gzip_page
@ensure_csrf_cookie
def run(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """GET /runs/{id}/: the shell; which run it shows, run.js reads from the address. 404 for another site's run."""
    access_run(request.caller, public_id)  # type: ignore[attr-defined]
    return HttpResponse(shell_html())


@gzip_page
def shell(request: HttpRequest) -> HttpResponse:
    """GET /runs/shell/: the shell as the service worker keeps it."""
    return HttpResponse(shell_html())


def service_worker(request: HttpRequest) -> HttpResponse:
    """GET /sw.js: the service worker with the list of what it keeps."""
    html = shell_html()
    keep = [
        *(static(name) for name in (*SHEETS, *MODULES, *LATER, "checklists/run.js", "clinic/icon.svg")),
        reverse("page-manifest"),
    ]
    version = sha256("\n".join([html, *keep]).encode()).hexdigest()[:16]
    response = render(
        request,
        "checklists/sw.js",
        {"version": json.dumps(version), "shell": json.dumps(reverse("page-run-shell")), "keep": json.dumps(keep)},
        content_type="text/javascript",
    )
    response["Cache-Control"] = "no-cache"
    return response


def manifest(request: HttpRequest) -> JsonResponse:
    """GET /manifest.webmanifest: how a tablet installs the service on its home screen."""
    return JsonResponse(
        {
            "name": "Vertebral augmentation",
            "short_name": "Theatre",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#f1f4f4",
            "theme_color": "#09545b",
            "icons": [{"src": static("clinic/icon.svg"), "sizes": "any", "type": "image/svg+xml"}],
        },
        content_type="application/manifest+json",
    )
