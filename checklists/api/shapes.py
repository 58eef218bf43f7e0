"""The shapes of the lists' answers, as the API describes itself (see docs/api.md)."""

from __future__ import annotations

from checklists.vocabulary import DraftStatus, EventOutcome, PauseKind, Phase, RunStatus, SignatureRole
from clinic.api.schema import Maybe
from clinic.vocabulary import Anaesthesia, Indication, LevelStatus, ProcedureKind, ProcedureStatus, Sex, TeamRole

KEY = {"item": "text", "part": "text?", "level": "text?", "side": "text?", "instance": "text?"}
BLOCKER = {
    **KEY,
    "kind": "text",
    "code": "text",
    "reason": "text",
    "reason_tr": "text",
    "who": ["text"],
    "never": "flag",
    "run": "uuid?",
    "owed": "flag",
}
GATE = {"open": "flag", "blockers": [BLOCKER], "overridden": [BLOCKER], "debt": [BLOCKER]}
# The query parameter of a program that works the gate out itself, as tablets do.
NO_GATE = {"gate": "0 leaves out what stands between a list and its signatures"}
PROGRESS = {"answered": "integer", "required": "integer"}
DEFINITION = {"id": "text", "version": "text", "sha256": "sha256"}
PERSON = {"user": "text", "name": "text"}

PROCEDURE = {
    "id": "uuid",
    "case_check": "text",
    "patient": {
        "id": "uuid",
        "mrn": "text",
        "family_name": "text",
        "given_name": "text",
        "birth_date": "day",
        "sex": Sex,
        "language": "text",
    },
    "kind": ProcedureKind,
    "indication": Indication,
    "anaesthesia": Anaesthesia,
    "levels": [
        {
            "level": "text",
            "status": LevelStatus,
            "planned_kind": "text?",
            "cement_ml": "any",
            "cement_lot": "text?",
            "leak_sites": ["text"],
        }
    ],
    "scheduled_at": "instant",
    "room": "text?",
    "operator": PERSON,
    "team": [{"user": "text", "role": TeamRole}],
    "status": ProcedureStatus,
    "started_at": "instant?",
    "incision_at": "instant?",
    "ended_at": "instant?",
    "left_hospital_at": "instant?",
    "outcome": "text?",
    "disposition": "text?",
    "cement_ml": "any",
}
BOOKED = {**PROCEDURE, "runs": [{"id": "uuid", "phase": Phase}]}
TIMELINE = {
    "id": "uuid",
    "at": "instant?",
    "entries": [
        {
            "at": "instant",
            "action": "text",
            "actor_name": "text",
            "role": "text",
            "subject": "text",
            "data": "object",
        }
    ],
}

RUN_LINE = {
    "id": "uuid",
    "phase": Phase,
    "status": RunStatus,
    "is_emergency": "flag",
    "follow_up": "uuid?",
    "seq": "integer",
    "revision": "integer",
    "signed_at": "instant?",
    "paused_at": "instant?",
    "ask_again": "flag",
    "debt_due_at": "instant?",
    "definition": DEFINITION,
    "progress": PROGRESS,
    "gate": Maybe(GATE),
}
ANSWER = {
    **KEY,
    "value": "any",
    "event": "uuid",
    "conflict": "flag",
    "actor": "text?",
    "occurred_at": "instant",
    "recorded_at": "instant",
}
SIGNATURE = {
    "id": "uuid",
    "role": SignatureRole,
    "user": "text",
    "name": "text",
    "language": "text",
    "content_sha256": "sha256",
    "signed_at": "instant",
    "witnessed_by": "text?",
    "countersigned": "flag?",
    "current": "flag",
}
OVERRIDE = {
    **KEY,
    "id": "uuid",
    "reason": "text",
    "text": "text",
    "blocker": "object",
    "by": [{"user": "text", "role": "text"}],
    "at": "instant",
}
AMENDMENT = {
    **KEY,
    "id": "uuid",
    "before": "any",
    "after": "any",
    "reason": "text",
    "event": "uuid?",
    "by": "text",
    "at": "instant",
}
RUN = {
    **RUN_LINE,
    "definition": {**DEFINITION, "content": Maybe("object"), "withdrawn": "text?"},
    "procedure": {
        "id": "uuid",
        "patient": {"family_name": "text", "given_name": "text", "birth_date": "day", "sex": Sex},
        "kind": ProcedureKind,
        "indication": Indication,
        "anaesthesia": Anaesthesia,
        "levels": ["text"],
        "scheduled_at": "instant",
        "status": ProcedureStatus,
        "operator": PERSON,
    },
    "language": "text",
    "case_check": "text",
    "ticket_of": "text",
    "ticket": "text",
    "facts": "object",
    "level_status": "object",
    "context": "object",
    "proposals": "object",
    "answers": [ANSWER],
    "conflicts": [{**KEY, "heads": [{"event": "uuid", "value": "any", "actor": "text?", "occurred_at": "instant"}]}],
    "blockers": Maybe([BLOCKER]),
    "beside": [BLOCKER],
    "identity_until": "instant?",
    "waiting": [
        {
            **KEY,
            "id": "uuid",
            "outcome": EventOutcome,
            "value": "any",
            "actor": "text?",
            "claimed": "text?",
            "occurred_at": "instant",
        }
    ],
    "signatures": [SIGNATURE],
    "overrides": [OVERRIDE],
    "pauses": [{"kind": PauseKind, "reason": "text", "text": "text", "at": "instant"}],
    "amendments": [AMENDMENT],
    "content_sha256": "sha256",
    "now": "instant",
}
STATUS = {
    "id": "uuid",
    "phase": Phase,
    "status": RunStatus,
    "seq": "integer",
    "revision": "integer",
    "signed_at?": "instant?",
}
BATCH = {
    "results": [
        {"id": "text", "outcome": EventOutcome, "code": "text?", "seq": "integer?", "reason": "text?"},
    ],
    "run": STATUS,
}
EVENT = {
    "id": "uuid",
    "item": "text",
    "part?": "text?",
    "level?": "text?",
    "side?": "text?",
    "instance?": "text?",
    "value": "any",
    "parent?": "uuid?",
    "occurred_at?": "instant?",
    "reason?": "text?",
    "mode?": "text?",
    "ticket?": "text?",
    "case_check?": "text?",
    "clock?": Maybe("object"),
}
FOLLOW_UP = {"id": "uuid", "code": "text", "status": "text"}
FORM = {
    "follow_up": FOLLOW_UP,
    "run": "uuid?",
    "definition": {"id": "text", "sha256": "sha256", "content": "object"},
    "answers": [ANSWER],
}
FORM_ANSWERED = {**BATCH, "follow_up": FOLLOW_UP, "escalation": Maybe({"id": "uuid", "tier": "text"})}
BOARD = {
    "now": "instant",
    "results": [
        {
            "id": "uuid",
            "case_check": "text",
            "patient": {"family_name": "text", "given_name": "text", "birth_date": "day"},
            "kind": ProcedureKind,
            "indication": Indication,
            "anaesthesia": Anaesthesia,
            "levels": ["text"],
            "scheduled_at": "instant",
            "room": "text?",
            "operator": "text",
            "status": ProcedureStatus,
            "ended_at": "instant?",
            "escalation": Maybe({"id": "uuid", "tier": "text", "status": "text"}),
            "runs": [
                {
                    "id": "uuid",
                    "phase": Phase,
                    "status": RunStatus,
                    "is_emergency": "flag",
                    "paused_at": "instant?",
                    "progress": PROGRESS,
                    "stops": "integer",
                    "unanswered": "integer",
                    "signed": ["text"],
                    "revision": "integer",
                }
            ],
        }
    ],
}

VERSION = {
    **DEFINITION,
    "phase": Phase,
    "published_at": "instant",
    "published_by": "text?",
    "authored_by": "text?",
    "withdrawn_at": "instant?",
    "withdrawn_because": "text?",
}
STATUS_OF_RUN = {
    "id": "uuid",
    "procedure": "uuid",
    "phase": Phase,
    "status": RunStatus,
    "opened_at": "instant",
    "signed_at": "instant?",
    "moved_on": "flag",
}
NOTE = {"item": "text", "field": "text", "how": "text", "detail": "text"}
DRAFT = {
    "id": "uuid",
    "list": "text",
    "status": DraftStatus,
    "number": "integer",
    "author": "text",
    "proposed_by": "text?",
    "approved_by": "text?",
    "base": "sha256?",
    "definition": "sha256?",
    "saved_by": "text",
    "saved_at": "instant",
    "note": "text",
    "report": [NOTE],
    "content": "object",
    "faults": [{"list": "text", "item": "text", "field": "text", "remedy": "text"}],
    "changes": [{"item": "text", "kind": "text", "field": "text", "was": "any", "now": "any"}],
    "cautions": [{"item": "text", "code": "text"}],
}
DRY_RUN = {
    "looked_at": "integer",
    "stopped": "integer",
    "items": [{"item": "text", "cases": "integer"}],
    "cases": [{"run": "uuid", "procedure": "uuid", "signed_at": "instant?", "blockers": [BLOCKER]}],
}
_KEPT = {"key": "text", "value": "any"}
MOVE_PLAN = Maybe(
    {
        "definition": DEFINITION,
        "plan_sha256": "sha256",
        "kept": [_KEPT],
        "unfit": [{**_KEPT, "detail": "text"}],
        "retired": [_KEPT],
        "new": ["text"],
    }
)
