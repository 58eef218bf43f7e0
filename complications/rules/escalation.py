"""How an escalation moves: what is due next, the clocks, the arrival limit, what a worse report does.

    paging ──► acknowledged ──► at_bedside ──► decided ──► closed | transferred
       ▲            │ no arrival, or a worse tier            │ worse while observed
       └────────────┴────────────────────────────────────────┘
    any open state ──► raised_in_error (a surgeon, with a reason)

Plain data in, plain data out; all arithmetic in UTC. The engine asks `due` for the earliest thing to do, does it, and
asks again until nothing is due; `next_due` is what it writes beside the row. Sources: escalation page points 3-9,
corrections F1, F2, F12, E2, E4, E6, E9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from complications.rules.policy import Policy
from complications.vocabulary import Decision, EscalationStatus, Milestone, Pathway, Setting, Tier

S = EscalationStatus
M = Milestone
WARN_AT = 0.8
LATEST_OFFLINE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An escalation as it stands. `origin` is what its clocks count from; `page_due_at` the planned next step."""

    status: EscalationStatus
    tier: Tier
    pathway: Pathway
    setting: Setting
    policy: Policy
    origin: datetime
    round: int
    step: int
    page_due_at: datetime | None
    acknowledged_at: datetime | None = None
    first_acknowledged_at: datetime | None = None
    eta_at: datetime | None = None
    cannot_operate: bool = False
    hand_over_due_at: datetime | None = None
    arrived_at: datetime | None = None
    first_arrived_at: datetime | None = None
    decided_at: datetime | None = None
    decision: Decision | None = None
    reexamine_at: datetime | None = None
    milestones: Mapping[Milestone, datetime] = field(default_factory=dict)
    told: frozenset[str] = frozenset()

    @property
    def pages(self) -> bool:
        """Return whether steps still run: nobody answered, or the one who did, were it at the bedside, cannot operate (E2)."""
        return self.status is S.PAGING or (self.status in (S.ACKNOWLEDGED, S.AT_BEDSIDE) and self.cannot_operate)


@dataclass(frozen=True, slots=True)
class Clock:
    """One interval: from `start`, shown as late after `target`, breached after `limit`, stopped at `met_at`."""

    name: str
    start: datetime | None
    target: datetime | None
    limit: datetime | None
    met_at: datetime | None

    @property
    def warn_at(self) -> datetime | None:
        """80 % of the way to the target."""
        if self.start is None or self.target is None:
            return None
        return self.start + (self.target - self.start) * WARN_AT

    def state(self, now: datetime) -> str:
        """Return `waiting`, `running`, `warned`, `breached`, `met` or `met_late` at `now`."""
        if self.limit is None:
            return "waiting" if self.met_at is None else "met"
        if self.met_at is not None:
            return "met" if self.met_at <= self.limit else "met_late"
        if now >= self.limit:
            return "breached"
        return "warned" if self.warn_at is not None and now >= self.warn_at else "running"


@dataclass(frozen=True, slots=True)
class Due:
    """The next thing that the engine has to do, and when; `clock` names the clock of a warning or a breach."""

    at: datetime
    what: str
    clock: str = ""


def _clock(
    name: str, start: datetime | None, target: timedelta | None, limit: timedelta | None, met: datetime | None
) -> Clock | None:
    if target is None and limit is None:
        return None
    last = limit if limit is not None else target
    first = target if target is not None else limit
    if start is None or first is None or last is None:
        return Clock(name, None, None, None, met)
    return Clock(name, start, start + first, start + last, met)


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def clocks(now: Standing) -> list[Clock]:
    """Return the clocks of an escalation, in the order in which they are met.

    At home the bedside, imaging and decision clocks start when the patient arrives, so that a surgeon who did
    everything right is not late by rule; theatre is counted from the report everywhere.
    """
    policy, tier, stones = now.policy, now.tier, now.milestones
    arrived = now.first_arrived_at
    home = now.setting is not Setting.IN_HOUSE and policy.at_home(tier, "patient_arrived_min") is not None
    patient_in = _first(stones.get(M.PATIENT_ARRIVED), arrived)
    start = patient_in if home else now.origin
    scanned = _first(stones.get(M.IMAGING_DONE), stones.get(M.IMAGING_REPORTED))
    rows = [
        _clock(
            "acknowledgement", now.origin, policy.number(tier, "ack"), None, _first(now.first_acknowledged_at, arrived)
        )
    ]
    if home:
        called = _first(stones.get(M.CALLED_BACK), patient_in)
        rows.append(_clock("call_back", now.origin, policy.at_home(tier, "call_back_min"), None, called))
        rows.append(
            _clock("patient_arrived", now.origin, policy.at_home(tier, "patient_arrived_min"), None, patient_in)
        )
    rows.append(_clock("bedside", start, policy.number(tier, "bedside"), None, arrived))
    if now.pathway is Pathway.SPINE and not _imaging_waived(now):
        asked = _first(stones.get(M.IMAGING_REQUESTED), scanned)
        limit = policy.number(tier, "imaging_limit")
        rows.append(_clock("imaging_requested", start, policy.number(tier, "imaging_requested"), None, asked))
        rows.append(_clock("imaging_done", start, policy.number(tier, "imaging_done"), limit, scanned))
        scan_end = stones.get(M.IMAGING_DONE)
        rows.append(_clock("imaging_report", scan_end, policy.report_limit(tier), None, stones.get(M.IMAGING_REPORTED)))
    rows.append(_clock("decision", start, policy.number(tier, "decision"), None, now.decided_at))
    if now.decision is not None and now.decision.is_operative:
        target, limit = policy.number(tier, "theatre_target"), policy.number(tier, "theatre_limit")
        begun = _first(stones.get(M.IN_THEATRE), stones.get(M.INCISION))
        rows.append(_clock("theatre", now.origin, target, limit, begun))
    return [row for row in rows if row is not None]


def _imaging_waived(now: Standing) -> bool:
    return now.decision is not None and now.decision is not Decision.IMAGE_FIRST


def arrival_due(now: Standing) -> datetime | None:
    """Return when an acknowledged surgeon who has not arrived is un-acknowledged; None while nothing is expected.

    min(acknowledgement + ETA, report + bedside limit) + grace. Acknowledged after that limit: the ETA counts, at most
    the bedside time, or each late answer would be thrown away at once. At home it counts from the patient's arrival.
    """
    if now.status is not S.ACKNOWLEDGED or now.acknowledged_at is None:
        return None
    bedside = now.policy.number(now.tier, "bedside")
    grace = now.policy.number(now.tier, "arrival_grace_min") or timedelta(0)
    if bedside is None:
        return None
    start = now.origin
    if now.setting is not Setting.IN_HOUSE and now.policy.at_home(now.tier, "patient_arrived_min") is not None:
        patient_in = now.milestones.get(M.PATIENT_ARRIVED)
        if patient_in is None:
            return None
        start = patient_in
    begun = max(start, now.acknowledged_at)
    limit = start + bedside
    if now.acknowledged_at >= limit:
        return begun + min(_eta(now, bedside), bedside) + grace
    eta = now.eta_at if now.eta_at is not None and start == now.origin else limit
    return min(eta, limit) + grace


def _eta(now: Standing, otherwise: timedelta) -> timedelta:
    if now.eta_at is None or now.acknowledged_at is None:
        return otherwise
    return max(now.eta_at - now.acknowledged_at, timedelta(0))


def _clock_moments(now: Standing) -> Iterable[Due]:
    for clock in clocks(now):
        if clock.met_at is not None or clock.limit is None:
            continue
        if f"{clock.name}:breached" in now.told:
            continue
        if clock.warn_at is not None and f"{clock.name}:warned" not in now.told:
            yield Due(clock.warn_at, "warn", clock.name)
        else:
            yield Due(clock.limit, "breach", clock.name)


def upcoming(now: Standing) -> list[Due]:
    """Return everything that waits for its time, earliest first; nothing for an escalation that is not open."""
    if not now.status.is_open:
        return []
    found: list[Due] = list(_clock_moments(now))
    if now.pages and now.page_due_at is not None:
        found.append(Due(now.page_due_at, "page"))
    limit = arrival_due(now)
    if limit is not None:
        found.append(Due(limit, "no_arrival"))
    if now.hand_over_due_at is not None:
        found.append(Due(now.hand_over_due_at, "hand_over_unanswered"))
    if now.status is S.DECIDED and now.reexamine_at is not None:
        if "reexamination" not in now.told:
            found.append(Due(now.reexamine_at, "reexamine"))
        else:
            grace = now.policy.number(now.tier, "ack") or timedelta(0)
            found.append(Due(now.reexamine_at + 2 * grace, "reexamine_overdue"))
    return sorted(found, key=lambda due: (due.at, _ORDER.index(due.what)))


_ORDER = ("page", "no_arrival", "hand_over_unanswered", "reexamine", "reexamine_overdue", "warn", "breach")


def due(now: Standing, at: datetime) -> Due | None:
    """Return the earliest thing whose time has come, None when nothing has."""
    first = next(iter(upcoming(now)), None)
    return first if first is not None and first.at <= at else None


def next_due(now: Standing, at: datetime) -> datetime | None:
    """Return when the engine must look again: never later than the longest wait of the policy (I1)."""
    if not now.status.is_open:
        return None
    latest = at + now.policy.idle_check
    first = next(iter(upcoming(now)), None)
    if first is None:
        return latest
    return min(first.at, max(latest, now.page_due_at or latest) if now.pages else latest)


def after_page(now: Standing, at: datetime, *, reached: bool) -> tuple[int, int, datetime]:
    """Return (round, step, due) that follow the step just run at `at`.

    A step that reached nobody is followed at once. Waits count from the planned time, so that steps which fell due
    during an outage start at once, each exactly once; a repeat that lies wholly in the past is not caught up.
    """
    ladder = now.policy.ladder(now.tier, now.pathway)
    planned = now.page_due_at if now.page_due_at is not None and now.page_due_at <= at else at
    wait = ladder.wait_after(now.step)
    if now.step >= len(ladder.steps):
        following = planned + wait
        return now.round + 1, len(ladder.steps), following if following > at else at + wait
    if not reached:
        return now.round, now.step + 1, at
    return now.round, now.step + 1, planned + wait


def next_level(now: Standing) -> tuple[str, ...]:
    """Return whom a breached clock is told to: the step after the last one that ran."""
    return now.policy.ladder(now.tier, now.pathway).recipients(now.step)


def reported(at: datetime, reported_at: datetime | None) -> datetime:
    """Return from when the clocks of a report count: when it was made, as far as that is believable.

    A tablet that was offline delivers late, and the steps that would have been due start at once; a time in the
    future or more than a day ago is a wrong device clock and the server's time counts.
    """
    if reported_at is None or not at - LATEST_OFFLINE <= reported_at <= at:
        return at
    return reported_at


def first_page(policy: Policy, tier: Tier, now: datetime, origin: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return when the ladder and the clocks of a new case begin, and who is told at once in the quiet hours.

    `origin` is when the report was made. A prompt case at night begins in the morning (correction F9); every other one
    with its report.
    """
    quiet = policy.quiet_until(tier, now) if tier is Tier.T2 else None
    return quiet or (origin, ())


@dataclass(frozen=True, slots=True)
class Joining:
    """What a further report does to an open escalation."""

    raised: bool
    repage: bool
    tell_responsible: bool
    tell_posts: tuple[str, ...]
    new_origin: bool


def join(now: Standing, tier: Tier, *, news: bool, attended: bool = False) -> Joining:
    """Return what a second report of `tier` does (`news` = it says something the escalation did not know yet).

    A tier never falls. A raise voids an acknowledgement, not an arrival (E9): at the bedside the clocks start again
    and rank 2 and the anaesthetist are told. Somebody who only observes is paged again by any news; who found it at
    the bedside and decides in the same act (`attended`) is there already.
    """
    raised = tier.worse_than(now.tier)
    if attended:
        return Joining(raised, False, False, ("on_call_rank_2", "anaesthetist_on_call") if raised else (), raised)
    waiting = now.status is S.DECIDED and now.decision in (Decision.OBSERVE, Decision.IMAGE_FIRST)
    second = ("on_call_rank_2", "anaesthetist_on_call")
    if now.status is S.PAGING:
        posts = () if raised or not news else now.policy.ladder(now.tier, now.pathway).recipients(0)
        return Joining(raised, raised, False, posts, raised)
    if now.status is S.ACKNOWLEDGED:
        return Joining(raised, raised, news, (), raised)
    if waiting:
        return Joining(raised, raised or news, news, (), raised or news)
    return Joining(raised, False, raised or news, second if raised else (), raised)
