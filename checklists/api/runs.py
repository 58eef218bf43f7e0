"""Look at a run, its gate, its list."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.access import access_definition, access_run
from checklists.actions.reading import read_run, shown_in
from checklists.api.shapes import GATE, NO_GATE, RUN
from checklists.queries.runs import gate_now, look_at
from clinic.access import Caller
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now


class RunView(APIView):
    """GET /runs/{id}/?language=&definition=0&gate=0: everything that the tablet draws."""

    @described(
        "Read a run",
        gives=RUN,
        query={"language": "en or tr", "definition": "0 leaves the text of the list out", **NO_GATE},
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer the run with an ETag; 304 while nothing changed. `definition=0` leaves the list's text out, `gate=0` the gate."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        now, language = database_now(), language_of(request, caller)
        tag, body = read_run(
            run=run,
            caller=caller,
            language=language,
            with_definition=request.query_params.get("definition") != "0",
            with_gate=request.query_params.get("gate") != "0",
            known=request.headers.get("If-None-Match", ""),
            now=now,
        )
        return Response(body, status=304 if body is None else 200, headers={"ETag": tag})


class RunGateView(APIView):
    """GET /runs/{id}/gate/: what stands between a list and its signatures."""

    @described("Read what stands between a list and its signatures", gives=GATE)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer `{open, blockers, overridden, debt}`."""
        run = access_run(caller_of(request), public_id)
        return Response(gate_now(run, look_at(run, database_now())).as_json())


@method_decorator(gzip_page, name="dispatch")
class DefinitionView(APIView):
    """GET /definitions/{sha256}/: a published list, which never changes; compressed, for it holds no secret to guess at."""

    @described("Read a published list", gives="object")
    def get(self, request: Request, sha256: str) -> Response:
        """Answer the definition; it may be kept for ever."""
        definition = access_definition(caller_of(request), sha256)
        headers: dict[str, Any] = {"Cache-Control": "private, max-age=31536000, immutable", "ETag": f'"{sha256}"'}
        if f'"{sha256}"' in request.headers.get("If-None-Match", ""):
            return Response(status=304, headers=headers)
        return Response(definition.content, headers=headers)


def language_of(request: Request, caller: Caller) -> str:
    """Return the language in which the list is shown: asked for, else the person's."""
    return shown_in(request.query_params.get("language") or caller.person.language)
