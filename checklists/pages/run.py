"""The run page of the tablet: one shell without data for every run, its service worker and its manifest.

The shell holds no patient and no person, so anybody may have it, compressed too; what it draws comes from the API or from the tablet's own
sealed cache. Everything that the service worker keeps is named here by its hashed address: another file, another version.
"""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import brotli
from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.csrf import ensure_csrf_cookie

from checklists.access import access_run
from checklists.models import Definition
from complications.rules.catalogue import complications

# What the page starts with, and what it loads once that stands; both are kept by the service worker.
SHEET, SCRIPT, LATER = (f"checklists/run-page{ending}" for ending in (".css", ".js", ".later.js"))
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


@cache
def shell_html() -> str:
    """Return the shell: the same bytes for everybody until a file of it changes."""
    return render_to_string(
        "checklists/run.html",
        {
            "product": "Vertebral augmentation",
            "skip": words()["en"]["skip"],
            "sheet": static(SHEET),
            "script": static(SCRIPT),
            "later": static(LATER),
            "sprite": sprite(),
            "words": words(),
            "complications": [
                {"value": code, "label": one.name, "label_tr": one.name_tr} for code, one in complications().items()
            ],
        },
    )


@cache
def _packed(encoding: str) -> bytes:
    """Return the shell compressed, once for each process: it holds nothing that anybody could want to guess."""
    plain = shell_html().encode()
    packers = {"br": brotli.compress, "gzip": gzip.compress}
    return packers[encoding](plain) if encoding else plain


def _shell_answer(request: HttpRequest) -> HttpResponse:
    accepted = request.headers.get("Accept-Encoding", "")
    encoding = next((one for one in ("br", "gzip") if re.search(rf"\b{one}\b", accepted)), "")
    response = HttpResponse(_packed(encoding))
    if encoding:
        response["Content-Encoding"] = encoding
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


@ensure_csrf_cookie
def run(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """GET /runs/{id}/: the shell; which run it shows, run.js reads from the address. 404 for another site's run.

    What run.js will ask for first is named in a header, so that the browser fetches it while the script is on its way.
    """
    found = access_run(request.caller, public_id)  # type: ignore[attr-defined]
    definition = Definition.objects.filter(pk=found.definition_id).values_list("sha256", flat=True).get()
    asked = [
        f"{reverse('api-run', args=[public_id])}?definition=0&gate=0",
        reverse("api-definition", args=[definition]),
        reverse("api-session"),
    ]
    response = _shell_answer(request)
    response["Link"] = ", ".join(f"<{address}>; rel=preload; as=fetch; crossorigin" for address in asked)
    return response


def shell(request: HttpRequest) -> HttpResponse:
    """GET /runs/shell/: the shell as the service worker keeps it."""
    return _shell_answer(request)


def service_worker(request: HttpRequest) -> HttpResponse:
    """GET /sw.js: the service worker with the list of what it keeps."""
    html = shell_html()
    keep = [
        *(static(name) for name in (SHEET, SCRIPT, LATER, "clinic/icon.svg")),
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
