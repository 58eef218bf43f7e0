"""The run page of the tablet: one shell without data for every run, its service worker and its manifest.

The shell holds no patient and no person, so anybody may have it, compressed too. Who opens a run gets behind it what the script would ask for
first; anything later comes from the API or from the tablet's own sealed cache.
Everything that the service worker keeps is named here by its hashed address: another file, another version.
"""

from __future__ import annotations

import json
import logging
import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.html import json_script
from django.utils.safestring import SafeString, mark_safe
from rest_framework.utils.encoders import JSONEncoder

from checklists.access import access_run
from checklists.actions.reading import read_run, shown_in
from checklists.models import Run
from checklists.queries.state import definition_of
from clinic.access import Caller
from clinic.api.session import session_body
from clinic.lib.clock import database_now
from clinic.lib.packing import Encoding, Opening, encoding_for, open_with, pack
from complications.rules.catalogue import complications

log = logging.getLogger("checklists.run")
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
def _packed(encoding: Encoding) -> bytes:
    """Return the shell compressed, once for each process: it holds nothing that anybody could want to guess."""
    return pack(shell_html().encode(), encoding)


@lru_cache(maxsize=64)
def _opening(definition: int, encoding: Encoding) -> Opening:
    """Return the shell with a published list behind it, under the list's hash; neither ever changes."""
    found = definition_of(definition)
    return open_with((shell_html() + json_script(found.content, found.sha256)).encode(), encoding)


def _coded(response: StreamingHttpResponse | HttpResponse, encoding: Encoding) -> None:
    if encoding:
        response["Content-Encoding"] = encoding
    patch_vary_headers(response, ["Accept-Encoding"])


def run(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """GET /runs/{id}/: the shell with the run's list, then the run as its reader sees it. 404 for another site's run.

    The browser reads the first part, and asks for what it names, while the second one is being worked out.
    """
    caller: Caller = request.caller  # type: ignore[attr-defined]
    found = access_run(caller, public_id)
    encoding = encoding_for(request.headers.get("Accept-Encoding", ""))
    session = session_body(caller, get_token(request))
    response = StreamingHttpResponse(_parts(found, caller, session, _opening(found.definition_id, encoding)))
    _coded(response, encoding)
    return response


def _parts(found: Run, caller: Caller, session: dict[str, Any], opening: Opening) -> Iterator[bytes]:
    yield opening.packed
    told = ""
    try:
        tag, body = read_run(
            run=found,
            caller=caller,
            language=shown_in(caller.person.language),
            with_definition=False,
            with_gate=False,
            known="",
            now=database_now(),
        )
        told = json_script({"run": body, "etag": tag, "session": session}, "given", encoder=JSONEncoder)
    except Exception:
        # The page is under way: without this part it asks the API, which says what is wrong.
        log.exception("a run could not be sent with its page")
    yield opening.rest(told.encode())


def shell(request: HttpRequest) -> HttpResponse:
    """GET /runs/shell/: the shell as the service worker keeps it."""
    encoding = encoding_for(request.headers.get("Accept-Encoding", ""))
    response = HttpResponse(_packed(encoding))
    _coded(response, encoding)
    return response


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
