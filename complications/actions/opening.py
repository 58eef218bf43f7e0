"""Open an escalation, or let a further report join the one that is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from clinic.actions.audit import Recording
from clinic.models import Actor, Procedure
from complications.actions.paging import send, tell_user
from complications.actions.standing import change, lock_first, note
from complications.models import Complication, Escalation
from complications.queries.policy import policy_in_force
from complications.queries.recipients import freeze, reachable
from complications.rules.escalation import Joining, first_page, join, next_due, reported
from complications.rules.policy import Policy
from complications.rules.verdict import FiredTrigger
from complications.vocabulary import EscalationStatus, EventKind, Pathway, Setting, Tier


@dataclass(frozen=True)
class Finding:
    """What opens or joins: triggers of one pathway, where the patient is, and since when it is known.

    `attended`: a surgeon who may answer found it and decides in the same act, so that nobody has to be called to them.
    """

    pathway: Pathway
    tier: Tier
    triggers: Sequence[FiredTrigger]
    setting: Setting
    source: str
    found_at: datetime
    reported_at: datetime | None = None
    onset_at: datetime | None = None
    chips: Sequence[str] = ()
    by_person: bool = True
    attended: bool = False
    complication: Complication | None = None

    def as_json(self) -> list[dict[str, str]]:
        """Return the triggers as they are kept, worst first."""
        return [{"trigger": t.trigger, "tier": t.tier.value, "reason": t.reason} for t in self.triggers]


def open_or_join(*, procedure: Procedure, finding: Finding, by: Actor, now: datetime, trail: Recording) -> Escalation:
    """Return the escalation that now carries the finding; there is never a silent twin in one pathway."""
    row = _open_row(procedure, finding.pathway)
    if row is None:
        try:
            with transaction.atomic():
                row = _open(procedure, finding, by, now)
        except IntegrityError:
            row = _open_row(procedure, finding.pathway)
            if row is None:
                raise
        else:
            _begin(row, finding, by, now, trail)
            return row
    _join(row, finding, by, now, trail)
    return row


def wake_engine() -> None:
    """Tell the watchman, as this transaction commits, that something is due; the web never speaks to the broker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('engine', '')")


def _open_row(procedure: Procedure, pathway: Pathway) -> Escalation | None:
    return lock_first(Escalation.objects.open().filter(procedure=procedure, pathway=pathway.value))


def _open(procedure: Procedure, finding: Finding, by: Actor, now: datetime) -> Escalation:
    data, version = policy_in_force(procedure.site)
    start, _ = first_page(Policy(data), finding.tier, now, reported(now, finding.reported_at))
    row = Escalation(
        site=procedure.site,
        procedure=procedure,
        pathway=finding.pathway.value,
        tier=finding.tier.value,
        setting=finding.setting.value,
        source=finding.source,
        triggers=finding.as_json(),
        chips=sorted(finding.chips),
        policy=data,
        policy_version=version,
        recipients=freeze(procedure.site, procedure, now),
        opened_by=by.user,
        opened_at=now,
        found_at=finding.found_at,
        onset_at=finding.onset_at,
        origin=start,
        page_due_at=start,
    )
    row.next_due_at = next_due(row.standing(), now)
    row.save(force_insert=True)
    return row


def _begin(row: Escalation, finding: Finding, by: Actor, now: datetime, trail: Recording) -> None:
    if finding.complication is not None:
        row.complications.add(finding.complication)
    data: dict[str, Any] = {"triggers": row.triggers, "source": row.source, "setting": row.setting}
    if row.origin > now:
        quiet = Policy(row.policy).quiet_until(Tier(row.tier), now)
        posts = quiet[1] if quiet else ()
        data["told_now"] = send(row, reachable(row, posts, now), kind="escalation_quiet", key="quiet", now=now)
        data["paging_from"] = row.origin
    note(row, EventKind.OPENED, by=by, now=now, trail=trail, data=data)
    wake_engine()


def _join(row: Escalation, finding: Finding, by: Actor, now: datetime, trail: Recording) -> None:
    known = {(one["trigger"], one["tier"], one["reason"]) for one in row.triggers}
    fresh = [one for one in finding.as_json() if (one["trigger"], one["tier"], one["reason"]) not in known]
    news = finding.by_person or bool(fresh)
    effect = join(row.standing(), finding.tier, news=news, attended=finding.attended)
    # A further report of the same tier keeps the quiet hours as the first one would have; a worse one never waits.
    quiet = None if effect.raised else Policy(row.policy).quiet_until(Tier(row.tier), now)
    if finding.complication is not None:
        row.complications.add(finding.complication)
    changes: dict[str, Any] = {"triggers": sorted([*row.triggers, *fresh], key=lambda one: one["tier"])}
    before = row.responsible
    data = {"triggers": finding.as_json(), "source": finding.source, "news": news, "tier": finding.tier.value}
    if effect.raised:
        changes["tier"] = finding.tier.value
    if effect.new_origin:
        changes |= {"origin": reported(now, finding.reported_at), "told": [], "found_at": finding.found_at}
        changes |= {"first_acknowledged_at": None, "setting": finding.setting.value}
    status: EscalationStatus | None = None
    if effect.repage:
        begins = quiet[0] if quiet else now
        changes |= {"round": row.round + 1, "step": 0, "page_due_at": begins, **UNANSWERED, **UNDECIDED}
        changes["first_arrived_at"] = None
        status = EscalationStatus.PAGING if row.status != EscalationStatus.PAGING.value else None
        if quiet:
            changes["origin"] = data["paging_from"] = begins
    change(row, now=now, status=status, **changes)
    kind = EventKind.TIER_RAISED if effect.raised else EventKind.JOINED
    event = note(row, kind, by=by, now=now, trail=trail, data=data)
    if quiet and row.status == EscalationStatus.PAGING.value:
        _tell_quietly(row, effect, before, f"e{event.seq}", quiet, now)
    else:
        _tell(row, effect, before, f"e{event.seq}", now)
    wake_engine()


#: What a return to paging empties.
UNANSWERED: dict[str, Any] = {
    "responsible": None,
    "acknowledged_at": None,
    "eta_at": None,
    "cannot_operate": False,
    "hand_over_to": None,
    "hand_over_due_at": None,
    "arrived_at": None,
}
UNDECIDED: dict[str, Any] = {"decision": "", "decision_data": {}, "decided_at": None, "reexamine_at": None}


def _tell_quietly(
    row: Escalation, effect: Joining, before: Any, key: str, quiet: tuple[datetime, tuple[str, ...]], now: datetime
) -> None:
    """Tell the nurse in charge now and the others in the morning, unless the ladder begins only then anyway."""
    morning, posts = quiet
    if not (effect.tell_posts or effect.repage):
        return
    send(row, reachable(row, posts, now), kind="escalation_quiet", key=f"{key}:quiet", now=now)
    if effect.tell_responsible:
        tell_user(row, before, kind="escalation_note", key=f"{key}:responsible", now=now, words={"what": "joined"})
    if effect.tell_posts and row.origin <= now:
        people = [one for one in reachable(row, effect.tell_posts, now) if one.post not in posts]
        send(row, people, kind="escalation_page", key=key, now=now, due_at=morning, words={"again": True})


def _tell(row: Escalation, effect: Joining, before: Any, key: str, now: datetime) -> None:
    if effect.tell_posts:
        send(
            row, reachable(row, effect.tell_posts, now), kind="escalation_page", key=key, now=now, words={"again": True}
        )
    if effect.tell_responsible:
        what = "raised" if effect.raised else "joined"
        tell_user(row, before, kind="escalation_note", key=f"{key}:responsible", now=now, words={"what": what})
