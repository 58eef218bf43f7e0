"""An escalation as a page shows it: what is wrong, for how long, who has it, what may be done next by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from re import sub
from typing import Any

from clinic.access import Caller
from clinic.models import Notification, User
from clinic.vocabulary import Role
from complications.actions.declining import may_decline
from complications.actions.paging import may_answer, on_duty
from complications.actions.standing import standing
from complications.models import Escalation, EscalationEvent
from complications.queries.intervals import intervals_of
from complications.rules.escalation import Clock, Standing, clocks
from complications.vocabulary import EscalationStatus, Milestone, Setting, Tier

S = EscalationStatus
#: Minutes to the bedside that a touch can say; none of them is chosen beforehand.
ETAS = (0, 10, 20, 30)
#: What a person at the bedside or at the telephone records, in the order in which it usually happens.
STONES_IN = (
    Milestone.SECOND_EXAMINATION,
    Milestone.IMAGING_REQUESTED,
    Milestone.IMAGING_DONE,
    Milestone.IMAGING_REPORTED,
    Milestone.FAMILY_TOLD,
)
STONES_HOME = (Milestone.CALLED_BACK, Milestone.SENT_FOR, Milestone.PATIENT_ARRIVED)
STONES_THEATRE = (Milestone.THEATRE_BOOKED, Milestone.IN_THEATRE, Milestone.INCISION, Milestone.OPERATION_END)
STONES_TRANSFER = (Milestone.TRANSFER_ACCEPTED, Milestone.LEFT_FOR_TRANSFER)


@dataclass(frozen=True)
class ClockLine:
    """One clock in words: name, limit, when it was met, its state, and how late it is (seconds)."""

    name: str
    limit: datetime | None
    met_at: datetime | None
    state: str
    late: float


@dataclass(frozen=True)
class Interval:
    """One interval of a case in seconds: what it took (None while it runs), what was allowed, how much too late."""

    name: str
    took: float | None
    limit: float
    late: float


@dataclass(frozen=True)
class Call:
    """Whom to ring."""

    name: str
    number: str

    @property
    def href(self) -> str:
        """The number as a tel: address carries it."""
        return sub(r"[^0-9+*#]", "", self.number)


@dataclass(frozen=True)
class Stone:
    """A milestone, with its time once it is recorded."""

    kind: str
    at: datetime | None


class EscalationView:
    """Answers what the templates ask of one escalation, for one caller at one moment."""

    def __init__(self, row: Escalation, caller: Caller, now: datetime) -> None:
        self.row, self.caller, self.now = row, caller, now

    @cached_property
    def stands(self) -> Standing:
        """The row as the rules see it."""
        return standing(self.row)

    @property
    def open(self) -> bool:
        """Whether the engine still watches it."""
        return S(self.row.status).is_open

    @property
    def tone(self) -> str:
        """red while a person must act now, amber where one should look, else calm."""
        if not self.open or self.row.status == S.DECIDED.value:
            return "calm"
        return {"t0": "red", "t1": "red", "t2": "look"}.get(self.row.tier, "calm")

    @property
    def tag(self) -> str:
        """The same for a tag in a list."""
        return {"look": "amber", "red": "red"}.get(self.tone, "")

    @property
    def origin(self) -> datetime:
        """From when the clocks count."""
        return self.row.origin

    @property
    def found_at(self) -> datetime | None:
        """The bedside time of the finding, where it is another than the report's."""
        apart = abs((self.row.origin - self.row.found_at).total_seconds()) >= 60
        return self.row.found_at if apart else None

    @property
    def closed_at(self) -> datetime | None:
        """When it ended."""
        return self.row.closed_at

    @property
    def time_scale(self) -> int:
        """How many times faster the site's policies run (demo)."""
        return self.stands.policy.scale

    @property
    def long(self) -> bool:
        """Whether the running clock is written in words."""
        return (self.now - self.row.origin).total_seconds() >= 6000

    @property
    def age(self) -> int:
        """Years at the procedure."""
        return self.row.case.age_years

    @cached_property
    def clocks(self) -> list[ClockLine]:
        """The clocks in the order in which they are met."""
        return [self._line(clock) for clock in clocks(self.stands)]

    def _line(self, clock: Clock) -> ClockLine:
        limit = clock.limit or clock.target
        state = clock.state(self.now)
        late = max(0.0, (self.now - limit).total_seconds()) if limit and clock.met_at is None else 0.0
        return ClockLine(clock.name, limit, clock.met_at, state, late)

    @property
    def intervals(self) -> list[Interval]:
        """What took how long against its limit, for those that have begun."""
        found = []
        for clock in clocks(self.stands):
            limit = clock.limit or clock.target
            if clock.start is None or limit is None:
                continue
            took = (clock.met_at - clock.start).total_seconds() if clock.met_at else None
            allowed = (limit - clock.start).total_seconds()
            late = took - allowed if took is not None and took > allowed else 0.0
            found.append(Interval(clock.name, took, allowed, late))
        return found

    @cached_property
    def way(self) -> list[tuple[str, float]]:
        """The intervals from onset to incision that this case has, in seconds."""
        return [(name, took) for name, took in intervals_of(self.row).items() if took is not None and took >= 0]

    @cached_property
    def next_clock(self) -> ClockLine | None:
        """The limit that comes next, or the worst one that has passed."""
        waiting = [line for line in self.clocks if line.met_at is None and line.limit]
        return min(waiting, key=lambda line: line.limit or self.now, default=None)

    @property
    def answer_by(self) -> datetime | None:
        """Until when somebody must have answered; None when that time has passed."""
        line = next((one for one in self.clocks if one.name == "acknowledgement"), None)
        return line.limit if line and line.limit and line.limit > self.now else None

    @cached_property
    def next_names(self) -> list[str]:
        """Who is paged with the next step, as the rota stands now."""
        if not self.stands.pages or self.row.page_due_at is None:
            return []
        ladder = self.stands.policy.ladder(Tier(self.row.tier), self.stands.pathway)
        names: dict[str, None] = {}
        for post in ladder.recipients(self.row.step):
            if post == "backstop":
                names[str(self.stands.policy.backstop.get("name", ""))] = None
            for user in on_duty(self.row.site, post, self.row.procedure, self.now):
                names[user.get_full_name()] = None
        return [name for name in names if name]

    @property
    def next_at(self) -> datetime | None:
        """When the next step pages."""
        return self.row.page_due_at if self.stands.pages else None

    @property
    def setting(self) -> str:
        """Where the patient is."""
        return self.row.setting

    @property
    def ambulance(self) -> bool:
        """Whether the first sentence must bring the patient in (an emergency at home)."""
        waiting = Milestone.PATIENT_ARRIVED not in self.stands.milestones
        return self.open and waiting and self.row.setting == Setting.AT_HOME.value and self.row.tier == Tier.T0.value

    @property
    def findings(self) -> list[str]:
        """What was found, in words, worst first, each once."""
        return list(dict.fromkeys(str(one["reason"]) for one in self.row.triggers if one.get("reason")))

    @property
    def call(self) -> Call | None:
        """The ward's number, else the first of the site's list."""
        if self.row.opened_by and self.row.opened_by.phone:
            return Call(self.row.opened_by.get_full_name(), self.row.opened_by.phone)
        entry = next(iter(self.row.site.phone_list), None)
        return Call(str(entry["name"]), str(entry["number"])) if entry else None

    @property
    def phones(self) -> list[Call]:
        """The site's list, for somebody who cannot come and rings the next one."""
        return [Call(str(entry["name"]), str(entry["number"])) for entry in self.row.site.phone_list]

    @cached_property
    def is_surgeon(self) -> bool:
        """Whether this person may take responsibility."""
        return bool(self.caller.user) and may_answer(self.row, self.caller.person)

    @property
    def is_mine(self) -> bool:
        """Whether this person has the responsibility."""
        return self.caller.user is not None and self.row.responsible == self.caller.user

    @property
    def hand_over_to_me(self) -> bool:
        """Whether this person was asked to take over."""
        return self.caller.user is not None and self.row.hand_over_to == self.caller.user

    @property
    def can_take(self) -> bool:
        """Whether the answer button stands there."""
        if not self.open or not self.is_surgeon:
            return False
        operates = self.row.cannot_operate and self.caller.person.can_decompress
        return self.row.status == S.PAGING.value or self.hand_over_to_me or (operates and not self.is_mine)

    @cached_property
    def can_decline(self) -> bool:
        """Whether this person was called and may say that they cannot come."""
        mine = self.is_mine and self.row.status == S.ACKNOWLEDGED.value
        if not (self.can_take or mine) or self.caller.user is None:
            return False
        return may_decline(self.row, self.caller.user)

    @property
    def next_others(self) -> list[str]:
        """Who is paged next besides the person who looks."""
        return [name for name in self.next_names if name != self.caller.person.get_full_name()]

    @property
    def worse_tiers(self) -> list[Tier]:
        """To what a person may raise the case; a tier never falls."""
        return [tier for tier in Tier if self.can_examine and tier.worse_than(Tier(self.row.tier))]

    @property
    def can_arrive(self) -> bool:
        """Whether an arrival can be recorded: by the surgeon, or by the ward for them."""
        if self.row.status == S.ACKNOWLEDGED.value:
            return self.is_surgeon or self.caller.has(Role.NURSE, Role.SURGEON, Role.ANAESTHETIST)
        return False

    @property
    def can_decide(self) -> bool:
        """Whether the decision can be recorded now."""
        return self.is_surgeon and self.row.status in {S.AT_BEDSIDE.value, S.DECIDED.value}

    @property
    def can_examine(self) -> bool:
        """Whether an examination can be recorded."""
        return self.open and self.caller.has(Role.SURGEON, Role.NURSE, Role.ANAESTHETIST)

    @cached_property
    def colleagues(self) -> Sequence[User]:
        """To whom the responsible person may hand over."""
        if not (self.open and self.is_mine):
            return []
        return list(
            User.objects.filter(
                memberships__site=self.row.site,
                memberships__role=Role.SURGEON.value,
                memberships__is_active=True,
                is_active=True,
            )
            .exclude(pk=self.caller.person.pk)
            .order_by("full_name")
            .distinct()
        )

    @cached_property
    def milestones(self) -> list[Stone]:
        """What can be recorded, with the times that are."""
        decision = self.stands.decision
        kinds = [*(STONES_HOME if self.row.setting != Setting.IN_HOUSE.value else ()), *STONES_IN]
        if decision is not None and decision.is_operative:
            kinds += STONES_THEATRE
        if decision is not None and decision.value == "transfer":
            kinds += STONES_TRANSFER
        kinds += [kind for kind in self.stands.milestones if kind not in kinds]
        return [Stone(kind.value, self.stands.milestones.get(kind)) for kind in kinds]

    @cached_property
    def events(self) -> Sequence[EscalationEvent]:
        """What happened, newest first."""
        return list(self.row.events.select_related("actor").order_by("-seq"))

    @cached_property
    def messages(self) -> Sequence[Notification]:
        """What was sent, newest first."""
        return list(Notification.objects.filter(reference=self.row.reference).order_by("-created_at", "-id")[:40])

    @property
    def last_seq(self) -> int:
        """Changes with every event."""
        return self.events[0].seq if self.events else 0

    def context(self) -> dict[str, Any]:
        """Return what every template of one escalation gets."""
        return {
            "escalation": self.row,
            "page": self,
            "procedure": self.row.case,
            "patient": self.row.case.patient,
            "now": self.now,
        }
