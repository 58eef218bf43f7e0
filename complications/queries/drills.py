"""How a drill went: who was paged when and by which way, who answered, and each criterion against the tier's clocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from clinic.models import Notification
from clinic.vocabulary import NotificationStatus
from complications.models import Drill, Escalation, EscalationEvent
from complications.vocabulary import EventKind, Tier

#: Seconds within which the first page has left, and a step has begun: the watchman takes over what is 5 s late, and a
#: delivery may take as long again before the next way of the person is tried.
PROMPT_S = 10.0
ANSWERS = (EventKind.ACKNOWLEDGED.value, EventKind.BACKSTOP_ANSWERED.value, EventKind.ALSO_ANSWERED.value)
STEPS = (EventKind.STEP_PAGED.value, EventKind.STEP_SKIPPED.value)


def drill_report(row: Escalation, drill: Drill, now: datetime) -> dict[str, Any]:
    """Return the report of a drill that ends at `now`: pages, answers, criteria, and whether all of them are met.

    Times in seconds count from the start of the clocks; `time_scale` says how many times faster the site's policy runs.
    """
    events = list(EscalationEvent.objects.filter(escalation=row).select_related("actor").order_by("seq"))
    steps = [event for event in events if event.kind in STEPS]
    messages = list(Notification.objects.filter(reference=row.reference).order_by("created_at", "id"))
    pages = [page for step in steps for page in _pages(row, step, messages)]
    answers = [_answer(row, event) for event in events if event.kind in ANSWERS]
    closed = next((event for event in reversed(events) if event.kind == EventKind.CLOSED.value), None)
    criteria = _criteria(row, steps, pages, messages, answers)
    return {
        "drill": str(row.public_id),
        "reference": row.short,
        "site": row.site.code,
        "site_name": row.site.name,
        "tier": row.tier,
        "urgency": Tier(row.tier).label,
        "pathway": row.pathway,
        "announced": drill.announced,
        "started_by": drill.started_by.get_full_name() if drill.started_by else "",
        "started_at": row.opened_at,
        "clocks_from": row.origin,
        "ended_at": now,
        "ended": str(closed.data.get("cause", "")).removeprefix("drill_") if closed else "",
        "policy_version": row.policy_version,
        "time_scale": int(row.policy.get("time_scale", 1)),
        "steps": [_step(row, step) for step in steps],
        "pages": pages,
        "answers": answers,
        "criteria": criteria,
        "passed": all(one["passed"] for one in criteria),
    }


def _since(row: Escalation, at: datetime | None) -> float | None:
    return None if at is None else round((at - row.origin).total_seconds(), 1)


def _step(row: Escalation, step: EscalationEvent) -> dict[str, Any]:
    planned = datetime.fromisoformat(step.data["planned_at"])
    return {
        "round": step.data["round"],
        "step": step.data["step"],
        "posts": step.data["posts"],
        "reached": step.kind == EventKind.STEP_PAGED.value,
        "at": step.at,
        "after_s": _since(row, step.at),
        "late_s": round(max(0.0, (step.at - planned).total_seconds()), 1),
    }


def _pages(row: Escalation, step: EscalationEvent, messages: Sequence[Notification]) -> list[dict[str, Any]]:
    """Return whom a step paged, each with every way that was tried."""
    key = f"esc:{row.public_id}:{step.data['round']}:{step.data['step']}:"
    mine = [one for one in messages if one.dedup_key.startswith(key)]
    found = []
    for told in step.data.get("to", []):
        ways = [one for one in mine if one.recipient_name == told["name"]]
        found.append(
            {
                "round": step.data["round"],
                "step": step.data["step"],
                "post": told["post"],
                "name": told["name"],
                "reached": any(one.sent_at for one in ways),
                "ways": [_way(row, one) for one in ways],
            }
        )
    return found


def _way(row: Escalation, one: Notification) -> dict[str, Any]:
    return {
        "channel": one.channel,
        "status": _status(one),
        "failure": one.failure or None,
        "error": one.error or None,
        "attempts": one.attempts,
        "sent_at": one.sent_at,
        "sent_after_s": _since(row, one.sent_at),
        "delivered_at": one.delivered_at,
    }


def _status(one: Notification) -> str:
    """Return the status, and `on_its_way` for what a worker held as the answer cancelled it: it may have left."""
    cancelled = one.status == NotificationStatus.CANCELLED.value
    return "on_its_way" if cancelled and one.attempts and not one.error else one.status


def _answer(row: Escalation, event: EscalationEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "name": event.actor_name,
        "at": event.at,
        "after_s": _since(row, event.at),
        "eta_minutes": event.data.get("eta_minutes"),
        "counts": event.kind == EventKind.ACKNOWLEDGED.value and bool(event.data.get("can_operate")),
    }


def _criteria(
    row: Escalation,
    steps: Sequence[EscalationEvent],
    pages: Sequence[dict[str, Any]],
    messages: Sequence[Notification],
    answers: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    sent = min((one.sent_at for one in messages if one.sent_at and one.urgent), default=None)
    late = max((_step(row, step)["late_s"] for step in steps), default=None)
    stands = row.standing()
    allowed = stands.policy.number(stands.tier, "ack") or timedelta(0)
    answered = next((one["after_s"] for one in answers if one["counts"]), None)
    skipped = [str(_step(row, step)["step"] + 1) for step in steps if step.kind == EventKind.STEP_SKIPPED.value]
    # Whose message was cancelled untried before it was due (a second way, or the answer came first) was not missed.
    missed = sorted({page["name"] for page in pages if not page["reached"] and not _spared(page)})
    failed = sorted({f"{one.channel}: {one.error}" for one in messages if one.error})
    return [
        _criterion("first_page", _since(row, sent), PROMPT_S),
        _criterion("steps_in_time", late, PROMPT_S),
        {"name": "no_step_skipped", "passed": bool(steps) and not skipped, "who": skipped},
        {"name": "everybody_reached", "passed": bool(pages) and not missed, "who": missed},
        {"name": "no_way_failed", "passed": not failed, "who": failed},
        _criterion("answered_in_time", answered, round(allowed.total_seconds(), 1)),
    ]


def _spared(page: dict[str, Any]) -> bool:
    """Return whether a page was taken back before any way of it was tried in vain."""
    return any(way["status"] in ("cancelled", "on_its_way") for way in page["ways"]) and not any(
        way["error"] for way in page["ways"]
    )


def _criterion(name: str, took: float | None, limit: float) -> dict[str, Any]:
    return {"name": name, "passed": took is not None and took <= limit, "took_s": took, "limit_s": limit}
