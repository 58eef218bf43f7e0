"""What the answers of this package look like, for the API's own description."""

from __future__ import annotations

from typing import Any

from clinic.api.schema import Maybe
from complications.vocabulary import (
    AttemptOutcome,
    ComplicationStatus,
    Decision,
    DrillEvery,
    EscalationStatus,
    EventKind,
    FollowUpStatus,
    Pathway,
    Setting,
    Source,
    Tier,
)

PERSON: dict[str, Any] = {"user": "text", "name": "text"}
PATIENT: dict[str, Any] = {"mrn": "text", "name": "text", "birth_date": "day"}
POSTED: dict[str, Any] = {"post": "text", "name": "text"}
GRADES: dict[str, Any] = {
    "clavien": "text?",
    "clavien_d": "flag",
    "sir": "integer?",
    "cirse": "integer?",
    "bcis": "integer?",
    "scales": "object",
}
BRIEF: dict[str, Any] = {
    "id": "uuid",
    "reference": "text",
    "tier": Tier,
    "urgency": "text",
    "pathway": Pathway,
    "status": EscalationStatus,
    "setting": Setting,
    "responsible": Maybe(PERSON),
    "paging": [POSTED],
    "next_page_at": "instant?",
    "next": [POSTED],
}
ENTRY: dict[str, Any] = {
    "id": "uuid",
    "procedure": "uuid",
    "patient": PATIENT,
    "kind": "text",
    "indication": "text",
    "operator": PERSON,
    "type": "text?",
    "name": "text?",
    "name_tr": "text?",
    "level": "text?",
    "side": "text?",
    "site_of_leak": "text?",
    "status": ComplicationStatus,
    "symptomatic": "flag?",
    "occurred_at": "instant",
    "recorded_at": "instant",
    "reported_by": Maybe(PERSON),
    "sent_by": Maybe(PERSON),
    "unconfirmed_reporter": "text?",
    "detected_by": "text?",
    "source": Source,
    "setting": Setting,
    "narrative": "text",
    "fields": "object",
    "treatment": "object",
    "neuro": "any",
    "grades": GRADES,
    "worst_grades": GRADES,
    "version": "integer",
    "changed_at": "instant",
    "change_reason": "text?",
}
VERSION: dict[str, Any] = {
    "version": "integer",
    "status": ComplicationStatus,
    "type": "text?",
    "level": "text?",
    "symptomatic": "flag?",
    "occurred_at": "instant",
    "narrative": "text",
    "fields": "object",
    "treatment": "object",
    "clavien": "text?",
    "sir": "integer?",
    "cirse": "integer?",
    "bcis": "integer?",
    "changed_at": "instant",
    "changed_by": Maybe(PERSON),
    "reason": "text?",
}
LISTED: dict[str, Any] = {**ENTRY, "escalations": ["uuid"]}
DETAIL: dict[str, Any] = {**ENTRY, "escalations": [BRIEF], "versions": [VERSION]}
REPORTED: dict[str, Any] = {
    **ENTRY,
    "escalation": Maybe(BRIEF),
    "escalations": [BRIEF],
    "call": ["text"],
    "warnings": [{"field": "text", "code": "text", "detail": "text"}],
}
LOG_PAGE: dict[str, Any] = {"results": [LISTED], "next": "text?", "about?": {"count": "integer", "exact": "flag"}}
CATALOGUE: dict[str, Any] = {
    "results": [
        {
            "code": "text",
            "name": "text",
            "name_tr": "text",
            "group": "text",
            "site_of_leak": "text?",
            "icd10cm": "text",
            "rate": "text",
            "fields": ["object"],
        }
    ]
}
CLOCK: dict[str, Any] = {
    "name": "text",
    "start_at": "instant?",
    "warn_at": "instant?",
    "target_at": "instant?",
    "limit_at": "instant?",
    "met_at": "instant?",
    "state": "text",
}
LINE: dict[str, Any] = {
    **BRIEF,
    "is_drill": "flag",
    "procedure": "uuid?",
    "patient": Maybe(PATIENT),
    "room": "text?",
    "operator": Maybe(PERSON),
    "triggers": [{"trigger": "text", "tier": Tier, "reason": "text"}],
    "chips": ["text"],
    "opened_at": "instant",
    "opened_by": Maybe(PERSON),
    "found_at": "instant",
    "onset_at": "instant?",
    "acknowledged_at": "instant?",
    "eta_at": "instant?",
    "cannot_operate": "flag",
    "arrival_due_at": "instant?",
    "hand_over": Maybe({"to": PERSON, "answer_by": "instant?"}),
    "arrived_at": "instant?",
    "decision": Maybe(Decision),
    "decided_at": "instant?",
    "reexamine_at": "instant?",
    "milestones": {"*": "instant"},
    "closed_at": "instant?",
    "next_clock": Maybe({"name": "text", "limit_at": "instant", "state": "text"}),
    "last_failure": "text?",
}
DRILL: dict[str, Any] = {
    "id": "uuid",
    "reference": "text",
    "tier": Tier,
    "pathway": "text",
    "status": "text",
    "announced": "flag",
    "started_at": "instant",
    "ended_at": "instant?",
    "passed": "flag?",
    "planned": "flag",
    "amended_at": "instant?",
}
DRILL_PLAN: dict[str, Any] = {
    "id": "uuid",
    "tier": Tier,
    "pathway": Pathway,
    "announced": "flag",
    "every": DrillEvery,
    "weekday": "integer",
    "week": "integer",
    "begin": "text",
    "end": "text",
    "timezone": "text",
    "window_closes_at": "instant",
    "missed_at": "instant?",
    "missed_why": "text?",
    "created_at": "instant",
    "created_by": Maybe(PERSON),
    "ended_at": "instant?",
}
EXAM: dict[str, Any] = {"kind": "text", "occurred_at": "instant", "exam": "object", "source": "text"}
WHOLE: dict[str, Any] = {
    **LINE,
    "origin": "instant",
    "source": "text",
    "policy_version": "integer",
    "time_scale": "integer",
    "decision_data": "object",
    "levels": ["text"],
    "kind": "text?",
    "emergency_department": "text",
    "phone_list": ["object"],
    "complications": [{"id": "uuid", "type": "text?", "level": "text?"}],
    "clocks": [CLOCK],
    "steps": [
        {
            "step": "integer",
            "repeat": "flag",
            "after_s": "number?",
            "to": [{"post": "text", "names": ["text"]}],
            "state": "text",
            "at": "instant?",
            "told": ["object"],
        }
    ],
    "intervals": {"*": "number?"},
    "baseline": Maybe(EXAM),
    "examinations": [EXAM],
    "messages": [
        {
            "id": "uuid",
            "recipient": "text",
            "channel": "text",
            "kind": "text",
            "status": "text",
            "urgent": "flag",
            "created_at": "instant",
            "due_at": "instant",
            "sent_at": "instant?",
            "attempts": "integer",
            "error": "text?",
            "key": "text",
        }
    ],
    "events": [{"seq": "integer", "kind": EventKind, "at": "instant", "by": "text", "data": "object"}],
}
BEDSIDE_ENTRY: dict[str, Any] = {
    "id": "uuid",
    "by": PERSON,
    "made_at": "instant",
    "sent_at": "instant?",
    "received_at": "instant",
    "occurred_at": "instant",
    "data": "object",
    "outcome": "object",
}
BEDSIDE: dict[str, Any] = {
    "escalation": WHOLE,
    "case": {
        "sex": "text",
        "age": "integer",
        "findings": ["text"],
        "open": "flag",
        "arrived": "flag",
        "from_afar": "flag",
        "spine": "flag",
    },
    "may_decide": "flag",
    "now": "instant",
    "entries": [BEDSIDE_ENTRY],
    "form": {"muscles": ["text"], "was": {"*": "text"}},
    "you": {"user": "text", "name": "text", "language": "text", "theme": "text", "ticket": "text"},
}
POLICY: dict[str, Any] = {"version": "integer", "data": "object"}
POLICY_VERSION: dict[str, Any] = {
    **POLICY,
    "created_at": "instant",
    "by": Maybe(PERSON),
    "reason": "text",
    "changes": [{"field": "text", "was": "any", "now": "any"}],
}
CONTACT: dict[str, Any] = {
    "id": "uuid",
    "follow_up": "uuid?",
    "channel": "text",
    "outcome": AttemptOutcome,
    "note": "text",
    "red_flags": ["text"],
    "at": "instant",
    "by": Maybe(PERSON),
}
CONTACTED: dict[str, Any] = {
    "contact": CONTACT,
    "escalation": Maybe(BRIEF),
    "call?": ["text"],
    "tell_patient?": "text",
}
FOLLOW_UP: dict[str, Any] = {
    "id": "uuid",
    "procedure": "uuid",
    "patient": {**PATIENT, "phone": "text", "language": "text"},
    "kind": "text",
    "code": "text",
    "part": "text?",
    "label": "text",
    "label_tr": "text",
    "content": ["text"],
    "channel": "text",
    "opens_at": "instant",
    "target_at": "instant",
    "closes_at": "instant",
    "status": FollowUpStatus,
    "state": "text",
    "late": "flag",
    "owner": Maybe(PERSON),
    "attempts": "integer",
    "run": "uuid?",
    "red_flags": ["text"],
    "done_at": "instant?",
    "done_by": Maybe(PERSON),
    "reason": "text?",
}
