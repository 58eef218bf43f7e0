"""What the neurological rules read and what they answer: context, fired triggers, timers, verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from complications.rules.report import Exam, Neuro
from complications.vocabulary import Pathway, Symptom, Tier

SIGNS = frozenset(
    {"NT-01", "NT-02", "NT-03", "NT-04a", "NT-04b", "NT-05", "NT-06", "NT-08a", "NT-12", "NT-14", "NT-15", "NT-16"}
)
"""Triggers that count as "any neurological sign" for pain (NT-07a), imaging (NT-10) and fever (NT-11a)."""


LEG_OR_SADDLE = SIGNS - {"NT-04a", "NT-04b"} | {"NT-08b"}
"""Triggers that turn retention into an emergency (NT-04a)."""


@dataclass(frozen=True, slots=True)
class FiredTrigger:
    """A trigger that fired: its id in the clinical content, the tier, the reason as people read it, who is paged."""

    trigger: str
    tier: Tier
    reason: str
    pathway: Pathway = Pathway.SPINE


@dataclass(frozen=True, slots=True)
class WantedTimer:
    """A trigger that fires at `due_at` unless what `unless` names has been recorded by then."""

    key: str
    trigger: str
    due_at: datetime
    unless: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What happened before, as far as it is known. Hours since the end of the procedure, pain 0-10, CRP mg/L."""

    now: datetime
    is_report: bool = True
    by_patient: bool = False
    hours_since_end: float | None = None
    lowest_nrs_back: int | None = None
    nrs_back_high_minutes: float | None = None
    lowest_nrs_leg_last_hour: int | None = None
    on_antithrombotic: bool = False
    known_canal_leak: bool = False
    earlier_fever: bool = False
    lowest_crp: float | None = None
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules found: triggers (worst first), timers to set, and chips to show (`no_baseline`)."""

    triggers: tuple[FiredTrigger, ...] = ()
    timers: tuple[WantedTimer, ...] = ()
    chips: frozenset[str] = frozenset()

    @property
    def tier(self) -> Tier | None:
        """The worst tier that fired, None when nothing did."""
        return Tier.worst(*(fired.tier for fired in self.triggers)) if self.triggers else None

    @property
    def is_deficit(self) -> bool:
        """Return whether a neurological sign is among them."""
        return any(fired.trigger in SIGNS for fired in self.triggers)


@dataclass(slots=True)
class Case:
    """One examination beside its baseline, and what fired so far."""

    neuro: Neuro
    exam: Exam
    baseline: Exam | None
    context: Context
    fired: list[FiredTrigger] = field(default_factory=list)
    timers: list[WantedTimer] = field(default_factory=list)

    def fire(self, trigger: str, tier: Tier, reason: str) -> None:
        self.fired.append(FiredTrigger(trigger, tier, reason))

    def has(self, *symptoms: Symptom) -> bool:
        return any(symptom in self.neuro.symptoms for symptom in symptoms)

    @property
    def signs(self) -> bool:
        return any(fired.trigger in SIGNS for fired in self.fired)
