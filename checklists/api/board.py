"""GET /board/: theatre today as data, for the board's page and the wall display."""

from __future__ import annotations

import hashlib

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.api.procedures import query_text
from checklists.api.shapes import BOARD
from checklists.queries.procedures import board, board_tag
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now


class BoardView(APIView):
    """Today's procedures with how far each list is."""

    @described("Theatre today", gives=BOARD, query={"room": "one theatre only"})
    def get(self, request: Request) -> Response:
        """Answer `{now, results}`; 304 while nothing changed, so that a display may ask every two seconds."""
        caller = caller_of(request)
        now, room = database_now(), query_text(request, "room")
        tag = f'W/"{hashlib.sha256(board_tag(caller.place, now, room).encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag}
        if tag in request.headers.get("If-None-Match", ""):
            return Response(status=304, headers=headers)
        return Response({"now": now, "results": board(caller.place, now, room)}, headers=headers)
