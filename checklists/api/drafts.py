"""Published versions and drafts of lists: read, compare, write, approve, withdraw, exchange as FHIR questionnaires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.access import access_definition, access_draft
from checklists.actions.drafts import (
    approve_draft,
    discard_draft,
    next_version,
    open_draft,
    propose_draft,
    refused_by,
    return_draft,
    save_draft,
    withdraw_definition,
)
from checklists.actions.questionnaires import import_questionnaire
from checklists.api.events import BODY_MOST_BYTES, RawJSONParser
from checklists.api.shapes import DRAFT, DRY_RUN, NOTE, STATUS_OF_RUN, VERSION
from checklists.models import Definition, Draft
from checklists.queries.definitions import (
    PAST_CASES,
    dry_run,
    faults_of,
    in_force,
    newest_version,
    runs_of,
    versions_with_use,
)
from checklists.queries.questionnaires import questionnaire_of
from checklists.rules.check import BrokenDefinition
from checklists.rules.differences import differences
from checklists.rules.review import cautions
from checklists.rules.shape import shape_faults
from checklists.rules.written import read_json
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid

FHIR_JSON = "application/fhir+json"


def object_in(request: Request, **kinds: type) -> dict[str, Any]:
    """Return the body as an object whose members have these types; raise Invalid naming the first that has not."""
    body: Any = request.data or b"{}"
    if len(body) > BODY_MOST_BYTES:
        raise Invalid("too_large", f"Send at most {BODY_MOST_BYTES:,} bytes.")
    try:
        found = read_json("body", body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Invalid("unreadable", "The body is not valid JSON in UTF-8.") from error
    except BrokenDefinition as error:
        raise Invalid("unreadable", f"{error.field} {error.remedy}".strip()) from error
    if not isinstance(found, dict):
        raise Invalid("unreadable", "Send a JSON object.")
    for name, kind in kinds.items():
        value = found.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Invalid.field(name, "required", f"Send {name} as {kind.__name__}.")
    return found


def version_body(row: Definition) -> dict[str, Any]:
    """Return a published version without its text."""
    withdrawal = getattr(row, "withdrawal", None)
    return {
        "id": row.name,
        "version": row.version,
        "sha256": row.sha256,
        "phase": row.phase,
        "published_at": row.published_at,
        "published_by": row.published_by.username if row.published_by else None,
        "authored_by": row.authored_by.username if row.authored_by else None,
        "withdrawn_at": withdrawal.withdrawn_at if withdrawal else None,
        "withdrawn_because": withdrawal.reason if withdrawal else None,
    }


def draft_body(draft: Draft) -> dict[str, Any]:
    """Return a draft with what it says, what stands against publishing it, and what it changes."""
    version = newest_version(draft)
    faults = faults_of(version.content)
    usable = not any(shape_faults(draft.name, version.content))
    base = draft.base.content if draft.base else None
    return {
        "id": str(draft.public_id),
        "list": draft.name,
        "status": draft.status,
        "number": draft.number,
        "author": draft.author.username,
        "proposed_by": draft.proposed_by.username if draft.proposed_by else None,
        "approved_by": draft.approved_by.username if draft.approved_by else None,
        "base": draft.base.sha256 if draft.base else None,
        "definition": draft.definition.sha256 if draft.definition else None,
        "saved_by": version.saved_by.username,
        "saved_at": version.saved_at,
        "note": version.note,
        "report": version.report,
        "content": version.content,
        "faults": [{"list": f.file, "item": f.item, "field": f.field, "remedy": f.remedy} for f in faults],
        "changes": [one.as_json() for one in differences(base, version.content)] if base and usable else [],
        "cautions": [{"item": item, "code": code} for item, code in cautions(version.content, base)] if usable else [],
    }


class DefinitionsView(APIView):
    """GET /definitions/: every published version."""

    @described(
        "List the published versions of all lists",
        gives={"results": [{**VERSION, "open_runs": "integer", "all_runs": "integer"}]},
    )
    def get(self, request: Request) -> Response:
        """Answer every version, newest first for each list, with how many runs of the site use it."""
        rows = versions_with_use(caller_of(request).place)
        return Response(
            {"results": [{**version_body(row), "open_runs": row.open_runs, "all_runs": row.all_runs} for row in rows]}  # type: ignore[attr-defined]
        )


class DefinitionRunsView(APIView):
    """GET /definitions/{sha256}/runs/: who uses a version, or began on it."""

    @described("List the runs of a version at the site", gives={"results": [STATUS_OF_RUN]})
    def get(self, request: Request, sha256: str) -> Response:
        """Answer open runs first."""
        caller = caller_of(request)
        definition = access_definition(caller, sha256)
        return Response({"results": [run_body(run, definition) for run in runs_of(definition, caller.place)]})


def run_body(run: Any, definition: Definition) -> dict[str, Any]:
    """Return a run that uses a version, or began on it, without its patient."""
    return {
        "id": str(run.public_id),
        "procedure": str(run.procedure.public_id),
        "phase": run.phase,
        "status": run.status,
        "opened_at": run.opened_at,
        "signed_at": run.signed_at,
        "moved_on": run.definition_id != definition.pk,
    }


class DefinitionWithdrawalView(APIView):
    """POST /definitions/{sha256}/withdrawal/: nothing is opened on a bad version any more."""

    parser_classes = [RawJSONParser]

    @described(
        "Withdraw a bad version", takes={"reason": "text"}, gives={**VERSION, "runs": [STATUS_OF_RUN]}, status=201
    )
    def post(self, request: Request, sha256: str) -> Response:
        """Answer 201 with every run of the site that uses it, open ones first."""
        caller = caller_of(request)
        definition = access_definition(caller, sha256)
        reason = object_in(request, reason=str)["reason"]
        withdraw_definition(definition=definition, reason=reason, by=caller.actor(), now=database_now())
        definition = access_definition(caller, sha256)
        runs = [run_body(run, definition) for run in runs_of(definition, caller.place)]
        return Response({**version_body(definition), "runs": runs}, status=201)


class QuestionnaireView(APIView):
    """GET /definitions/{sha256}/questionnaire/?report=1: a version as FHIR R4."""

    @described(
        "Read a version as a FHIR R4 Questionnaire",
        gives="object",
        query={"report": "1 gives what only extensions carry instead"},
        also={(200, FHIR_JSON): {"type": "object"}},
    )
    def get(self, request: Request, sha256: str) -> Response | JsonResponse:
        """Answer the resource, or `{"notes"}`."""
        resource, notes = questionnaire_of(access_definition(caller_of(request), sha256))
        if request.query_params.get("report") == "1":
            return Response({"notes": [one.as_json() for one in notes]})
        return JsonResponse(resource, content_type=FHIR_JSON)


class QuestionnairesView(APIView):
    """POST /questionnaires/: a FHIR R4 Questionnaire as a draft."""

    parser_classes = [RawJSONParser]

    @described(
        "Take a FHIR R4 Questionnaire in as a draft",
        takes={"questionnaire": "object", "list?": "text"},
        gives={"draft": DRAFT, "notes": [NOTE]},
        status=201,
    )
    def post(self, request: Request) -> Response:
        """Answer 201 with the draft and the report; 400 `not_importable` naming every place."""
        values = object_in(request, questionnaire=dict)
        name = values.get("list", "")
        if not isinstance(name, str):
            raise Invalid.field("list", "required", "Send list as str.")
        draft, notes = import_questionnaire(
            resource=values["questionnaire"], name=name, by=caller_of(request).actor(), now=database_now()
        )
        return Response({"draft": draft_body(draft), "notes": [one.as_json() for one in notes]}, status=201)


class DraftsView(APIView):
    """GET and POST /definition-drafts/."""

    parser_classes = [RawJSONParser]

    @described(
        "List the drafts in work",
        gives={"results": [{"id": "uuid", "list": "text", "status": "text", "number": "integer", "author": "text"}]},
    )
    def get(self, request: Request) -> Response:
        """Answer the drafts that are neither published nor discarded."""
        caller_of(request)
        rows = Draft.objects.in_work().select_related("author").order_by("name")
        return Response(
            {
                "results": [
                    {
                        "id": str(row.public_id),
                        "list": row.name,
                        "status": row.status,
                        "number": row.number,
                        "author": row.author.username,
                    }
                    for row in rows
                ]
            }
        )

    @described("Begin a draft", takes={"list": "text", "content?": "object"}, gives=DRAFT, status=201)
    def post(self, request: Request) -> Response:
        """Begin from the version in force, or from `content`."""
        caller = caller_of(request)
        values = object_in(request, list=str)
        base = in_force(values["list"])
        if base is None:
            raise Invalid.field("list", "unknown_list", "There is no such list.")
        content = values.get("content")
        if content is not None and not isinstance(content, dict):
            raise Invalid.field("content", "required", "Send content as dict.")
        content = content or {**base.content, "version": next_version(base.name)}
        draft = open_draft(name=base.name, content=content, base=base, note="", by=caller.actor(), now=database_now())
        return Response(draft_body(draft), status=201)


class DraftView(APIView):
    """GET and PUT /definition-drafts/{id}/."""

    parser_classes = [RawJSONParser]

    @described("Read a draft", gives=DRAFT)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer what it says now, its faults and its changes."""
        return Response(draft_body(access_draft(caller_of(request), public_id)))

    @described("Save a draft", takes={"number": "integer", "content": "object", "note?": "text"}, gives=DRAFT)
    def put(self, request: Request, public_id: UUID) -> Response:
        """Keep a new version of it, finished or not; `number` is the version that was edited."""
        caller = caller_of(request)
        draft = access_draft(caller, public_id)
        values = object_in(request, number=int, content=dict)
        save_draft(
            draft=draft,
            content=values["content"],
            number=values["number"],
            note=str(values.get("note", "")),
            by=caller.actor(),
            now=database_now(),
        )
        return Response(draft_body(access_draft(caller, public_id)))


class DraftStepView(APIView):
    """POST /definition-drafts/{id}/proposal/, /approval/, /return/, /discard/."""

    parser_classes = [RawJSONParser]
    step = ""

    def take(self, request: Request, public_id: UUID) -> Response:
        """Take the step and answer the draft."""
        caller = caller_of(request)
        draft = access_draft(caller, public_id)
        now, by = database_now(), caller.actor()
        if self.step == "return":
            return_draft(draft=draft, reason=object_in(request, reason=str)["reason"], by=by, now=now)
        elif self.step == "discard":
            discard_draft(draft=draft, by=by, now=now)
        else:
            act = propose_draft if self.step == "proposal" else approve_draft
            act(draft=draft, number=object_in(request, number=int)["number"], by=by, now=now)
        return Response(draft_body(access_draft(caller, public_id)), status=201)


class DraftProposalView(DraftStepView):
    """POST /definition-drafts/{id}/proposal/."""

    step = "proposal"

    @described("Put a draft up for approval", takes={"number": "integer"}, gives=DRAFT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Refused with every fault where it cannot be published."""
        return self.take(request, public_id)


class DraftApprovalView(DraftStepView):
    """POST /definition-drafts/{id}/approval/."""

    step = "approval"

    @described("Approve and publish somebody else's draft", takes={"number": "integer"}, gives=DRAFT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """403 `own_draft` for whoever wrote or proposed it."""
        return self.take(request, public_id)


class DraftReturnView(DraftStepView):
    """POST /definition-drafts/{id}/return/."""

    step = "return"

    @described("Send a proposed draft back", takes={"reason": "text"}, gives=DRAFT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """It is open again."""
        return self.take(request, public_id)


class DraftDiscardView(DraftStepView):
    """POST /definition-drafts/{id}/discard/."""

    step = "discard"

    @described("Give a draft up", gives=DRAFT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Its versions stay in the database."""
        return self.take(request, public_id)


class DraftDryRunView(APIView):
    """GET /definition-drafts/{id}/dry-run/?cases=50: what it would have done to past cases of the site."""

    @described("Try a draft on past cases", gives=DRY_RUN, query={"cases": "how many past cases, 1 to 200"})
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer how many of the last cases it would have stopped, at which items."""
        caller = caller_of(request)
        draft = access_draft(caller, public_id)
        asked = request.query_params.get("cases", str(PAST_CASES))
        if not asked.isdecimal() or not 1 <= int(asked[:6]) <= 200:
            raise Invalid.field("cases", "out_of_range", "Ask for 1 to 200 cases.")
        return Response(dry_run_body(usable(draft), caller.place, int(asked[:6])))


def usable(draft: Draft) -> dict[str, Any]:
    """Return a draft's content where rules can read it; raise Invalid with its faults where they cannot."""
    content: dict[str, Any] = newest_version(draft).content
    faults = faults_of(content)
    if faults:
        raise refused_by(faults, "A draft with faults cannot be tried. Mend these first.")
    return content


def dry_run_body(content: Mapping[str, Any], site: Any, cases: int) -> dict[str, Any]:
    """Return the outcome of a dry run."""
    found = dry_run(content, site=site, now=database_now(), cases=cases)
    return {
        "looked_at": found.looked_at,
        "stopped": len(found.stopped),
        "items": [{"item": item, "cases": count} for item, count in found.by_item],
        "cases": [
            {
                "run": str(one.run.public_id),
                "procedure": str(one.run.procedure.public_id),
                "signed_at": one.run.signed_at,
                "blockers": [blocker.as_json() for blocker in one.blockers],
            }
            for one in found.stopped
        ],
    }
