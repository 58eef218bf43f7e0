"""The import of a calendar over REST: first what would happen, then the same plan carried out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.actions.rota import MOST_RANKS
from clinic.actions.rota_import import import_rota
from clinic.api.permissions import caller_of
from clinic.api.rota_shapes import PERSON, person
from clinic.api.schema import Maybe, described
from clinic.lib.clock import database_now
from clinic.queries.rota_import import ImportPlan, plan_import
from clinic.vocabulary import Post

PLAN: dict[str, Any] = {
    "digest": "sha256",
    "done": "flag",
    "counts": {"*": "integer"},
    "rows": [
        {
            "outcome": "text",
            "uid": "text",
            "recurrence": "text",
            "line": "integer",
            "start": "instant",
            "end": "instant",
            "post": "text",
            "rank": "integer",
            "person": Maybe(PERSON),
            "field": "text",
            "detail": "text",
        }
    ],
}


class ImportInput(serializers.Serializer[Any]):
    """The calendar as text; `post` and `rank` for the whole file; `digest` of the plan that is to be carried out."""

    calendar = serializers.CharField(trim_whitespace=False)
    post = serializers.ChoiceField(choices=list(Post), required=False, allow_blank=True, default="")
    rank = serializers.IntegerField(min_value=1, max_value=MOST_RANKS, required=False, allow_null=True, default=None)
    digest = serializers.RegexField(r"^[0-9a-f]{64}$", required=False, allow_blank=True, default="")
    leave_out = serializers.BooleanField(default=False)


class RotaImportView(APIView):
    """An iCalendar file."""

    @described("Say what a calendar would change, or (with `digest`) change it", takes=ImportInput, gives=PLAN)
    def post(self, request: Request) -> Response:
        """Answer the plan row by row; 409 where the rota changed since, or rows are left out without `leave_out`."""
        caller = caller_of(request)
        data = ImportInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        asked = {"site": caller.place, "text": values["calendar"], "post": values["post"], "rank": values["rank"]}
        if not values["digest"]:
            return Response(plan_body(plan_import(**asked, now=database_now()), done=False))
        plan = import_rota(
            **asked,
            digest=values["digest"],
            leave_out=values["leave_out"],
            by=caller.actor(),
            now=database_now(),
        )
        return Response(plan_body(plan, done=True))


def plan_body(plan: ImportPlan, *, done: bool) -> dict[str, Any]:
    """Return the plan as the API shows it."""
    return {
        "digest": plan.digest,
        "done": done,
        "counts": plan.counts,
        "rows": [
            {
                "outcome": row.outcome,
                "uid": row.uid,
                "recurrence": row.recurrence,
                "line": row.line,
                "start": row.start,
                "end": row.end,
                "post": row.post,
                "rank": row.rank,
                "person": person(row.person),
                "field": row.field,
                "detail": row.detail,
            }
            for row in plan.rows
        ],
    }
