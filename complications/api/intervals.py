"""The interval report: how long the way from onset to incision took."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.api.exports import AsAsked
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid
from complications.queries.interval_request import as_csv, read_asked

REPORT = {
    "from": "day",
    "to": "day",
    "by": ["text"],
    "percentiles": "text",
    "results": [
        {
            "group": {"*": "text"},
            "interval": "text",
            "cases": "integer",
            "n": "integer",
            "p50_s": "number?",
            "p90_s": "number?",
            "longest_s": "number?",
        }
    ],
}
QUERY = {
    "from": "first day of the reports; a year before the last one where it is absent",
    "to": "last day of the reports; today where it is absent",
    "by": "tier, month, shift, or several with commas; `tier` where it is absent",
    "format": "json or csv",
}


class IntervalsView(APIView):
    """The interval report: percentiles of every interval, by tier, month and shift."""

    content_negotiation_class = AsAsked

    @described("Read the interval report", gives=REPORT, query=QUERY, also={(200, "text/csv"): {"type": "string"}})
    def get(self, request: Request) -> HttpResponse:
        """Answer `{results}`, all cases together first; `format=csv` answers a file."""
        caller = caller_of(request)
        asked = read_asked(request.query_params, caller.place, database_now())
        form = request.query_params.get("format", "json")
        if form not in ("json", "csv"):
            raise Invalid.field("format", "not_a_choice", "Accepted: json, csv.")
        lines = asked.lines(caller.place)
        if form == "csv":
            answer = HttpResponse(as_csv(lines, asked.by), content_type="text/csv; charset=utf-8")
            name = f"intervals-{asked.since}-{asked.until}.csv"
            answer["Content-Disposition"] = f'attachment; filename="{name}"'
            return answer
        results = [
            {
                "group": line.group,
                "interval": line.name,
                "cases": line.cases,
                "n": line.n,
                **{f"{name}_s": value for name, value in line.percentiles.items()},
                "longest_s": line.longest_s,
            }
            for line in lines
        ]
        return Response(
            {
                "from": asked.since,
                "to": asked.until,
                "by": list(asked.by),
                "percentiles": "nearest rank",
                "results": results,
            }
        )
