"""What a surgeon's decision must say, and what follows from it (clinical content 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from complications.rules.escalation import Standing
from complications.vocabulary import Decision, Milestone, Pathway

TEXTS = (
    "reason",
    "made_at",
    "onset_at",
    "level",
    "antithrombotic",
    "reversal",
    "procedure",
    "centre",
    "accepted_by",
    "left_at",
    "steroids",
    "steroids_reason",
    "told_by",
    "told_at",
    "second_opinion_by",
    "next_review_at",
    "next_exam_at",
    "theatre_booked_at",
    "in_theatre_at",
    "incision_at",
    "operation_end_at",
)
NUMBERS = ("reexam_interval_minutes", "inr", "platelets", "pvr_ml")
OTHERS = ("decision", "exam", "imaging", "cement_removed")
MILESTONES = {
    "theatre_booked_at": Milestone.THEATRE_BOOKED,
    "in_theatre_at": Milestone.IN_THEATRE,
    "incision_at": Milestone.INCISION,
    "operation_end_at": Milestone.OPERATION_END,
    "told_at": Milestone.FAMILY_TOLD,
    "left_at": Milestone.LEFT_FOR_TRANSFER,
}
#: A planned time is not one that has come: the start of theatre would close the case before anybody is there.
PAST = ("in_theatre_at", "incision_at", "operation_end_at", "told_at", "left_at")
#: Nobody forgets a patient who is observed: what is typed beyond this is a slip (a wrong month or year).
LATEST_EXAM = timedelta(days=7)


class Unreadable(ValueError):
    """A decision that lacks something: (field, code, detail) for each."""

    def __init__(self, faults: list[tuple[str, str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {detail}" for name, _, detail in faults))
        self.faults = faults


@dataclass(frozen=True)
class Decided:
    """A decision as it is kept: the words, the examination, the next look, and the times it brought."""

    decision: Decision
    data: dict[str, Any]
    exam: Mapping[str, Any] | None = None
    reexamine_at: datetime | None = None
    milestones: dict[str, str] = field(default_factory=dict)


def read_decision(data: Mapping[str, Any], now: Standing, at: datetime) -> Decided:
    """Return the decision in `data`; raise Unreadable naming each field that is missing or wrong.

    `observe` needs the next examination (`next_exam_at` or `reexam_interval_minutes`), `transfer` the centre,
    `no_deficit` and `treated` a reason. `image_first` is due by the imaging limit of the tier.
    """
    try:
        decision = Decision(str(data.get("decision", "")))
    except ValueError:
        raise Unreadable([("decision", "not_a_choice", f"Accepted: {', '.join(Decision)}.")]) from None
    faults = _unknown(data)
    times = {name: _time(data, name, faults) for name in TEXTS if name.endswith("_at")}
    interval = _number(data, "reexam_interval_minutes", faults)
    for name in NUMBERS[1:]:
        _number(data, name, faults)
    if decision is Decision.TREATED and now.pathway is Pathway.SPINE:
        faults.append(("decision", "not_a_choice", "A spine escalation ends with a decision about the spine."))
    next_exam = times["next_exam_at"]
    if next_exam is None and interval is not None:
        next_exam = at + timedelta(minutes=interval) / now.policy.scale
    if decision is Decision.OBSERVE and next_exam is None:
        faults.append(("next_exam_at", "missing", "Say when the patient is examined again."))
    if next_exam is not None and next_exam <= at:
        faults.append(("next_exam_at", "in_the_past", "The next examination lies in the future."))
    if next_exam is not None and next_exam > at + LATEST_EXAM:
        faults.append(("next_exam_at", "too_late", f"A deficit is examined again within {LATEST_EXAM.days} days."))
    faults += [
        (name, "in_the_future", "This time has not come yet; record it when it has.")
        for name in PAST
        if (moment := times[name]) is not None and moment > at + timedelta(minutes=5)
    ]
    if decision is Decision.TRANSFER and not str(data.get("centre") or "").strip():
        faults.append(("centre", "missing", "Say to which centre."))
    if decision in (Decision.NO_DEFICIT, Decision.TREATED) and not str(data.get("reason") or "").strip():
        faults.append(("reason", "missing", "Say what speaks for it."))
    if faults:
        raise Unreadable(faults)
    return Decided(
        decision=decision,
        data={**{key: value for key, value in data.items() if value is not None}, "decision": decision.value},
        exam=data.get("exam"),
        reexamine_at=_next_look(decision, next_exam, now, at),
        milestones=_milestones(data, times, at),
    )


def _next_look(decision: Decision, next_exam: datetime | None, now: Standing, at: datetime) -> datetime | None:
    if decision is Decision.IMAGE_FIRST:
        limit = now.policy.number(now.tier, "imaging_limit") or now.policy.number(now.tier, "decision")
        return next_exam or (at + limit if limit is not None else None)
    return next_exam if decision is Decision.OBSERVE else None


def _milestones(data: Mapping[str, Any], times: Mapping[str, datetime | None], at: datetime) -> dict[str, str]:
    found = {
        stone.value: moment.isoformat() for name, stone in MILESTONES.items() if (moment := times[name]) is not None
    }
    if str(data.get("accepted_by") or "").strip():
        found[Milestone.TRANSFER_ACCEPTED.value] = (times["left_at"] or at).isoformat()
    return found


def _unknown(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    known = {*TEXTS, *NUMBERS, *OTHERS}
    faults = [(key, "unknown_field", "There is no such field; check its spelling.") for key in data if key not in known]
    if data.get("exam") is not None and not isinstance(data["exam"], Mapping):
        faults.append(("exam", "not_an_object", "Send the examination as an object."))
    faults += [
        (name, "not_a_text", "Send a text.")
        for name in TEXTS
        if data.get(name) is not None and not isinstance(data[name], str)
    ]
    return faults


def _time(data: Mapping[str, Any], name: str, faults: list[tuple[str, str, str]]) -> datetime | None:
    value = data.get(name)
    if not value or not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        faults.append((name, "not_a_time", "Send RFC 3339 with a zone, for example 2026-11-24T03:06:00Z."))
        return None
    return moment


def _number(data: Mapping[str, Any], name: str, faults: list[tuple[str, str, str]]) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100_000:
        faults.append((name, "not_a_number", "Send a number above 0."))
        return None
    return float(value)
