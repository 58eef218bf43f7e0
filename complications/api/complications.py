"""Report complications, correct them, look at the log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import Caller, Holder, access_procedure, holders_of
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid
from complications.access import access_complication
from complications.actions.reporting import ReportResult, correct_complication, report_complication
from complications.api.shapes import CATALOGUE, DETAIL, LOG_PAGE, REPORTED, VERSION
from complications.models import Complication
from complications.queries.escalations import brief
from complications.queries.log import FILTERS, about, catalogue, entry, lines, log_of, own_cases, page_of, versions
from complications.rules.report import read_report
from complications.vocabulary import ComplicationStatus, Setting

WORDS = "words separated by commas"
QUERY = {
    **{name: f"{WORDS}: {', '.join(one.choices)}" if one.choices else WORDS for name, one in FILTERS.items()},
    "from": "occurred at or after this instant",
    "to": "occurred before this instant",
    "q": "words of the narrative",
    "after": "the `next` of the page before",
}


class ReportInput(serializers.Serializer[Any]):
    """A complication as somebody reports it. Only `id` (made by the client) and `procedure` are needed."""

    id = serializers.UUIDField()
    procedure = serializers.UUIDField()
    type = serializers.CharField(required=False, allow_blank=True)
    level = serializers.CharField(required=False, allow_blank=True)
    side = serializers.CharField(required=False, allow_blank=True)
    occurred_at = serializers.DateTimeField(required=False, allow_null=True)
    reported_at = serializers.DateTimeField(required=False, allow_null=True)
    symptomatic = serializers.BooleanField(required=False, allow_null=True)
    detected_by = serializers.CharField(required=False, allow_blank=True)
    narrative = serializers.CharField(required=False, allow_blank=True)
    setting = serializers.ChoiceField([str(one) for one in Setting], required=False, allow_null=True)
    fields_ = serializers.JSONField(required=False)
    treatment = serializers.JSONField(required=False)
    neuro = serializers.JSONField(required=False, allow_null=True)
    ticket = serializers.CharField(required=False, allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Name the member `fields`, which a serializer keeps for itself."""
        found = super().get_fields()
        found["fields"] = found.pop("fields_")
        return found


class VersionInput(serializers.Serializer[Any]):
    """A correction: what changes, why, and where the entry goes (`reported` confirms a draft)."""

    changes = serializers.DictField(required=False, default=dict)
    status = serializers.ChoiceField([str(one) for one in ComplicationStatus], required=False)
    reason = serializers.CharField(max_length=1000)


class ComplicationsView(APIView):
    """GET the log, POST a report."""

    @described("Look at the log, newest first", gives=LOG_PAGE, query=QUERY)
    def get(self, request: Request) -> Response:
        """Answer `{results, next, about}`, newest first; `next` is the `after` of the following page."""
        caller = caller_of(request)
        given = {name: str(value) for name, value in request.query_params.items()}
        rows = log_of(caller.place, given)
        if caller.own_only:
            rows = own_cases(rows, caller.place, caller.person)
        after = given.get("after", "")
        found, following = page_of(lines(rows), after)
        body: dict[str, Any] = {"results": [entry(row) for row in found], "next": following}
        if not after:
            body["about"] = about(rows, found, following)
        return Response(body)

    @described("Report a complication or a deficit", takes=ReportInput, gives=REPORTED, status=(201, 200))
    def post(self, request: Request) -> Response:
        """Answer 201 with grades and, where it triggers, the escalation; 200 for the same report again; 409 for another."""
        caller = caller_of(request)
        data = request.data if isinstance(request.data, dict) else {}
        public_id, procedure_id = _ids(data)
        procedure = access_procedure(caller, procedure_id)
        report = read_report(data, public_id)
        now = database_now()
        holder = _holder(data.get("ticket"), caller)
        result = report_complication(report=report, procedure=procedure, holder=holder, by=caller.actor(), now=now)
        return Response(_answer(result), status=201 if result.created else 200)


def _holder(ticket: Any, caller: Caller) -> Holder | None:
    """Return whom the report's ticket names, None without a ticket. A bad one refuses nothing: it names nobody."""
    if ticket is None:
        return None
    return holders_of([ticket], caller)[ticket] if isinstance(ticket, str) else Holder()


def _ids(data: dict[str, Any]) -> tuple[UUID, UUID]:
    found: dict[str, UUID] = {}
    faults: list[FieldError] = []
    for name in ("id", "procedure"):
        try:
            found[name] = UUID(str(data[name]))
        except KeyError:
            faults.append(FieldError(name, "missing", "This is needed."))
        except ValueError:
            faults.append(FieldError(name, "not_an_id", "Send a UUID."))
    if faults:
        raise Invalid("invalid", "Some fields were not accepted.", faults)
    return found["id"], found["procedure"]


def _answer(result: ReportResult) -> dict[str, Any]:
    now = database_now()
    worst = result.escalation
    return {
        **_entry(result.complication),
        "escalation": brief(worst, now) if worst else None,
        "escalations": [brief(row, now) for row in result.escalations],
        "call": result.call,
        "warnings": [{"field": one.field, "code": one.code, "detail": one.detail} for one in result.warnings],
    }


def _entry(row: Complication) -> dict[str, Any]:
    return entry(lines(Complication.objects.filter(pk=row.pk)).get())


class ComplicationView(APIView):
    """One entry."""

    @described("Read one entry", gives=DETAIL)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer the entry with its versions and escalations."""
        caller = caller_of(request)
        row = access_complication(caller, public_id)
        now = database_now()
        escalations = [brief(one, now) for one in row.escalations.for_display()]
        return Response({**_entry(row), "escalations": escalations, "versions": versions(row)})


class VersionsView(APIView):
    """The versions of an entry; a correction is a new one."""

    @described("Read the versions of an entry", gives={"results": [VERSION]})
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer the versions, oldest first."""
        return Response({"results": versions(access_complication(caller_of(request), public_id))})

    @described("Correct, confirm or reject an entry", takes=VersionInput, gives=REPORTED, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the corrected entry; 409 where no arrow leads to the status."""
        caller = caller_of(request)
        row = access_complication(caller, public_id)
        data = VersionInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        status = ComplicationStatus(values["status"]) if values.get("status") else None
        result = correct_complication(
            complication=row,
            changes=values["changes"],
            status=status,
            reason=values["reason"],
            by=caller.actor(),
            now=database_now(),
        )
        return Response(_answer(result), status=201)


class CatalogueView(APIView):
    """GET /complications/catalogue/: the codes with their fields, as a form needs them."""

    @described("Read the catalogue of complications", gives=CATALOGUE)
    def get(self, request: Request) -> Response:
        """Answer `{results: […]}`."""
        return Response({"results": catalogue()})
