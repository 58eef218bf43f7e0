"""Made-up cases: what was done to whom, with what went wrong. Plain Python; the same seed gives the same cases."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from checklists.management.demo.names import Identity, identity
from checklists.management.demo.rates import DEFICIT_AFTER_CANAL_LEAK, KYPHOPLASTY_LEAK_RATIO, RATES, Rate
from clinic.vocabulary import LEVELS
from complications.rules.catalogue import complications


class Choice:
    """Draw words by weight."""

    def __init__(self, **weights: float) -> None:
        self.words = tuple(weights)
        self.sums = tuple(accumulate(weights.values()))

    def draw(self, chance: random.Random) -> str:
        """Return one word."""
        return self.words[bisect(self.sums, chance.random() * self.sums[-1])]


KIND = Choice(vertebroplasty=53, kyphoplasty=46, other_mechanical=1)
INDICATION = Choice(
    osteoporotic_vcf=74,
    metastasis=10,
    myeloma=7,
    other_malignant=1,
    benign_lesion=2,
    traumatic_nonunion=3,
    acute_traumatic=3,
)
ANAESTHESIA = {
    "vertebroplasty": Choice(local=45, local_moderate_sedation=35, deep_sedation_mac=6, general=13, neuraxial=1),
    "kyphoplasty": Choice(local=6, local_moderate_sedation=28, deep_sedation_mac=11, general=54, neuraxial=1),
    "other_mechanical": Choice(general=1),
}
#: Two of three fractures lie at the junction of chest and loin (K).
TOP_LEVEL = Choice(T5=1, T6=2, T7=5, T8=5, T9=4, T10=5, T11=10, T12=22, L1=24, L2=11, L3=6, L4=4, L5=1)
COUNT = Choice(one=66, two=22, three=9, four=3)
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4}
LOTS = tuple(f"HVR-{year}{week:02d}{letter}" for year in (25, 26) for week in range(1, 52, 3) for letter in "AB")


@dataclass(slots=True)
class Level:
    """One treated vertebra; cement in mL."""

    level: str
    cement_ml: float
    lot: str
    leak_sites: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Event:
    """Something that went wrong."""

    code: str
    level: str
    at: datetime
    symptomatic: bool
    detected_by: str
    deficit: bool = False


@dataclass(slots=True)
class Case:
    """One past procedure, as the bulk writer needs it."""

    patient: Identity
    age: int
    kind: str
    indication: str
    anaesthesia: str
    asa: str
    scheduled_at: datetime
    started_at: datetime
    incision_at: datetime
    ended_at: datetime
    left_at: datetime
    nrs_rest: int
    nrs_movement: int
    systolic: int
    spo2: int
    antithrombotic: bool
    disposition: str
    levels: list[Level]
    events: list[Event]
    operator: int

    @property
    def booked_at(self) -> datetime:
        """When the case was put on the list: three days before."""
        return self.scheduled_at - timedelta(days=3)

    @property
    def walked_at(self) -> datetime:
        """When the patient first walked."""
        return self.ended_at + timedelta(hours=4)

    def injected_at(self, position: int) -> datetime:
        """When cement went into the level at that place of the list."""
        return self.incision_at + timedelta(minutes=16 + 13 * position)

    @property
    def cement_ml(self) -> float:
        """All cement of the case, in mL."""
        return round(sum(level.cement_ml for level in self.levels), 1)


def working_days(first: date, last: date) -> list[date]:
    """Return the days from `first` to `last` (both included) on which a theatre works."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def cases(
    chance: random.Random,
    *,
    count: int,
    first: date,
    last: date,
    zone: ZoneInfo,
    prefix: str,
    operators: int,
    start_number: int = 1,
) -> Iterator[Case]:
    """Yield `count` cases in order of time, spread over the working days of [first, last]; `prefix` begins record numbers."""
    days = working_days(first, last)
    # One look at the zone for each day: a year of them costs less than one for each of 100,000 cases.
    mornings = [datetime.combine(day, time(8), zone).astimezone(UTC) for day in days]
    for number in range(count):
        index = number * len(days) // count
        slot = int(chance.random() * 7)
        at = mornings[index] + timedelta(minutes=70 * slot + int(chance.random() * 4) * 5)
        yield make_case(chance, start_number + number, at=at, day=days[index], prefix=prefix, operators=operators)


def make_case(chance: random.Random, number: int, *, at: datetime, day: date, prefix: str, operators: int) -> Case:
    """Return one case that was scheduled at `at` on `day` of the site."""
    kind, indication = KIND.draw(chance), INDICATION.draw(chance)
    osteoporotic = indication == "osteoporotic_vcf"
    age = int(min(97, max(28, chance.gauss(74 if osteoporotic else 61, 9 if osteoporotic else 13))))
    patient = identity(
        chance, number, on=day, age=age, prefix=prefix, woman=chance.random() < (0.72 if osteoporotic else 0.48)
    )
    names = level_names(chance)
    lot = LOTS[int(chance.random() * len(LOTS))]
    levels = [Level(name, cement_volume(chance, name, kind), lot) for name in names]
    late = timedelta(minutes=int(chance.random() * 25))
    begin = at + late
    minutes = 24 + 14 * len(levels) + int(chance.random() * 18) + (12 if kind == "kyphoplasty" else 0)
    incision = begin + timedelta(minutes=12)
    end = incision + timedelta(minutes=minutes)
    anaesthesia = ANAESTHESIA[kind].draw(chance)
    day_case = anaesthesia in {"local", "local_moderate_sedation"} and chance.random() < 0.5
    rest = int(min(10, max(0, chance.gauss(6.2, 1.6))))
    return Case(
        patient=patient,
        age=age,
        kind=kind,
        indication=indication,
        anaesthesia=anaesthesia,
        asa=("1", "2", "2", "2", "3", "3", "3", "4")[int(chance.random() * 8)],
        scheduled_at=at,
        started_at=begin,
        incision_at=incision,
        ended_at=end,
        left_at=end + (timedelta(hours=5) if day_case else timedelta(hours=20 + int(chance.random() * 40))),
        nrs_rest=rest,
        nrs_movement=min(10, rest + 1 + int(chance.random() * 3)),
        systolic=int(chance.gauss(138, 16)),
        spo2=min(100, int(chance.gauss(96.6, 1.4))),
        antithrombotic=chance.random() < 0.28,
        disposition="home" if day_case or chance.random() < 0.85 else "care_home",
        levels=levels,
        events=list(events(chance, kind, osteoporotic=osteoporotic, levels=levels, incision=incision, end=end)),
        operator=int(chance.random() * operators),
    )


def level_names(chance: random.Random) -> list[str]:
    """Return one to four vertebrae from the head down, mostly neighbours."""
    usual = [level for level in LEVELS if level not in {"T13", "L6"}]
    index = usual.index(TOP_LEVEL.draw(chance))
    names = [usual[index]]
    for _ in range(COUNTS[COUNT.draw(chance)] - 1):
        index += 1 if chance.random() < 0.7 else 2
        if index <= usual.index("L5"):
            names.append(usual[index])
    return names


def cement_volume(chance: random.Random, level: str, kind: str) -> float:
    """Return a plausible volume in mL (K; the service itself never names a target volume)."""
    middle = (2.6 if level[0] == "T" and level not in {"T11", "T12"} else 4.0) + (0.5 if kind == "kyphoplasty" else 0)
    return round(min(8.0, max(0.8, chance.gauss(middle, 0.9))), 1)


def events(
    chance: random.Random,
    kind: str,
    *,
    osteoporotic: bool,
    levels: Sequence[Level],
    incision: datetime,
    end: datetime,
) -> Iterator[Event]:
    """Yield what went wrong in one case, each complication by its own rate."""
    ratio = KYPHOPLASTY_LEAK_RATIO if kind == "kyphoplasty" else 1.0
    for rate in RATES:
        if rate.osteoporotic_only and not osteoporotic:
            continue
        share = rate.share * (ratio if rate.leak else 1.0)
        for index in range(len(levels)) if rate.per_level else (int(chance.random() * len(levels)),):
            if chance.random() < share:
                yield from _event(chance, rate, levels[index], incision, end)


def _event(chance: random.Random, rate: Rate, level: Level, incision: datetime, end: datetime) -> Iterator[Event]:
    low, high = rate.days
    if high == 0:
        at = incision + (end - incision) * (0.4 + 0.6 * chance.random())
    else:
        at = end + timedelta(days=low + chance.random() * (high - low), hours=1)
    if rate.leak:
        level.leak_sites.append(complications()[rate.code].site_of_leak)
    symptomatic = chance.random() < rate.symptomatic
    deficit = rate.code == "LEK-EPI" and chance.random() < DEFICIT_AFTER_CANAL_LEAK[level.level[0].lower()]
    at = at.replace(microsecond=0)
    yield Event(rate.code, level.level, at, symptomatic or deficit, rate.detected_by, deficit)
    if deficit:
        yield Event(
            "NEU-COR" if level.level[0] in "CT" else "NEU-CES",
            level.level,
            end + timedelta(hours=2),
            True,
            "clinical",
            True,
        )
