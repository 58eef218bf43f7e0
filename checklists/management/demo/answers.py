"""What an honest team would tick for a case in which nothing goes wrong.

The items are found by the rules themselves: whatever applies and is asked gets a value that neither stops the phase nor
raises anything. Only what a rule cannot know (the levels, the people, plausible numbers) is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from checklists.rules.catalogue import load
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.nodes import PHASES, Index, Key, Node, Scope, build_index

#: How long before (-) or after the incision each phase is filled in.
PHASE_START = {
    "pre": timedelta(hours=-3),
    "sign_in": timedelta(minutes=-35),
    "time_out": timedelta(minutes=-6),
    "intra": timedelta(minutes=0),
    "sign_out": timedelta(minutes=52),
    "post": timedelta(minutes=70),
}


@dataclass(frozen=True)
class Ticked:
    """One answer: where, what, and when."""

    key: Key
    value: Any
    at: datetime


@dataclass
class Story:
    """What the answers of one case depend on."""

    kind: str
    indication: str
    anaesthesia: str
    levels: Sequence[str]
    incision_at: datetime
    operator: str
    surgeon: str
    second_surgeon: str
    nurse: str
    watcher: str
    sex: str = "female"
    age: int = 74
    nrs_rest: int = 6
    nrs_movement: int = 8
    cement_ml: Mapping[str, float] = field(default_factory=dict)
    lot: str = "HVR-2610A"
    patient_phone: str = "+90 555 000 0000"
    disposition: str = "ward"
    ended_at: datetime | None = None
    seconds_per_tick: float = 7
    #: what happened otherwise, by key or by node id
    instead: Mapping[str, Any] = field(default_factory=dict)

    def start(self, phase: str) -> datetime:
        """Return when a phase is filled in: around the incision, or around the end where that is known."""
        if self.ended_at is not None and phase == "sign_out":
            return self.ended_at - timedelta(minutes=3)
        if self.ended_at is not None and phase == "post":
            return self.ended_at + timedelta(minutes=15)
        return self.incision_at + PHASE_START[phase]

    def facts(self) -> dict[str, Any]:
        """Return the facts that the rules read of the procedure."""
        return {
            "procedure.kind": self.kind,
            "procedure.indication": self.indication,
            "procedure.anaesthesia": self.anaesthesia,
            "procedure.booked_levels": list(self.levels),
            "procedure.open_escalation": False,
            "patient.sex": self.sex,
            "patient.age": self.age,
            "site.zone": "Europe/Istanbul",
        }


@cache
def catalogue_index() -> Index:
    """Return the six lists of the catalogue."""
    definitions = load()
    return build_index([definitions[phase] for phase in PHASES])


def rfc(moment: datetime) -> str:
    """Return a time as the API takes it."""
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def ticks(story: Story, phases: Sequence[str] = PHASES, index: Index | None = None) -> dict[str, list[Ticked]]:
    """Return the ticks of each phase in the order of the list, each phase seeing those before it."""
    index = index or catalogue_index()
    answers: dict[Key, Any] = {}
    found: dict[str, list[Ticked]] = {}
    for phase in PHASES:
        if phase in phases or any(PHASES.index(phase) < PHASES.index(one) for one in phases):
            found[phase] = _phase(story, phase, index, answers)
    return {phase: found[phase] for phase in phases}


def _phase(story: Story, phase: str, index: Index, answers: dict[Key, Any]) -> list[Ticked]:
    start = story.start(phase)
    done: list[Ticked] = []
    _begin_series(story, phase, index, answers, done, start)
    # A further look after each that added something: an answer may ask the next question.
    while True:
        evaluation = Evaluation(index, State(answers=dict(answers), facts=story.facts(), now=start))
        new = list(_missing(evaluation, phase))
        if not new:
            return done
        added = 0
        for node, scope in new:
            at = start + timedelta(seconds=story.seconds_per_tick * len(done))
            value = choose(story, evaluation, node, scope, at)
            if value is not None:
                answers[node.key(scope)] = value
                done.append(Ticked(node.key(scope), value, at))
                added += 1
        if not added:
            return done


def _begin_series(
    story: Story, phase: str, index: Index, answers: dict[Key, Any], done: list[Ticked], start: datetime
) -> None:
    """Give each series its repetitions: one pack, one mix, three people; observations and drugs are begun by events."""
    for node in index.of_phase(phase):
        if node.type != "series" or node.repeat in {"drug", "observation"}:
            continue
        count = 3 if node.repeat == "person" else 1
        first = next(child for child in node.children if child.is_answerable)
        evaluation = Evaluation(index, State(answers=dict(answers), facts=story.facts(), now=start))
        if not evaluation.applies(node, Scope()):
            continue
        for number in range(1, count + 1):
            scope = Scope(instance=str(number))
            value = choose(story, evaluation, first, scope, start)
            answers[first.key(scope)] = value
            done.append(Ticked(first.key(scope), value, start + timedelta(seconds=story.seconds_per_tick * len(done))))


def _missing(evaluation: Evaluation, phase: str) -> Iterator[tuple[Node, Scope]]:
    for node in evaluation.index.of_phase(phase):
        if not node.is_answerable or (node.raw["required"] == "optional" and node.id not in SPECIAL):
            continue
        for scope in evaluation.scopes(node):
            if evaluation.applies(node, scope) and evaluation.value(node, scope) is None:
                yield node, scope


def choose(story: Story, evaluation: Evaluation, node: Node, scope: Scope, at: datetime) -> Any:
    """Return a value for one item: what the story says, else what a person would enter, else the first that stops nothing."""
    key = node.key(scope)
    for name in (key.text(), f"{node.id}@{scope.level}", node.id):
        if name in story.instead:
            return story.instead[name]
    if node.id in SPECIAL:
        given = SPECIAL[node.id]
        return given(story, scope, at) if callable(given) else given
    return next((value for value in _candidates(story, node, at) if _is_quiet(evaluation, node, scope, value)), None)


def _is_quiet(evaluation: Evaluation, node: Node, scope: Scope, value: Any) -> bool:
    rules = [*node.raw.get("stop_rules", ()), *node.raw.get("raises", ())]
    return not any(evaluation.holds(rule["when"], node, scope, own=value) for rule in rules)


def _candidates(story: Story, node: Node, at: datetime) -> Iterator[Any]:
    raw = node.raw
    match node.type:
        case "boolean":
            yield from (True, False)
        case "choice" | "coded":
            yield from (option["value"] for option in raw["options"])
        case "multi_choice":
            options = raw["options"]
            yield from ([option["value"]] for option in options if option.get("exclusive"))
            yield from ([option["value"]] for option in options)
        case "integer" | "decimal":
            low, high = raw.get("warn_low", raw.get("min", 0)), raw.get("warn_high", raw.get("max", 100))
            middle = (low + high) / 2
            yield from (
                round(middle) if node.type == "integer" else round(middle, 1),
                raw.get("min", 0),
                raw.get("max"),
            )
        case "date":
            yield at.date().isoformat()
        case "datetime":
            yield rfc(at)
        case "user_ref":
            yield story.nurse
        case _:
            yield "As discussed with the patient."


Given = Callable[[Story, Scope, datetime], Any]


def _before(**ago: float) -> Given:
    return lambda story, scope, at: rfc(at - timedelta(**ago))


def _day_before(days: int) -> Given:
    return lambda story, scope, at: (at - timedelta(days=days)).date().isoformat()


def _levels(story: Story, scope: Scope, at: datetime) -> list[str]:
    return list(story.levels)


def _half_volume(story: Story, scope: Scope, at: datetime) -> float:
    return round(story.cement_ml.get(scope.level, 4.0) / 2, 1)


def _people(story: Story, scope: Scope, at: datetime) -> str:
    return (story.operator, story.nurse, story.watcher)[int(scope.instance or 1) - 1]


DISCUSSION = (
    "Pain has stayed above seven for six weeks despite analgesia. Cement leak, nerve injury with open surgery, embolism, "
    "infection and a new fracture were discussed; the patient wishes to go on."
)

#: What a rule cannot know, by node.
SPECIAL: dict[str, Any] = {
    "PRE-IDX-01": lambda story, scope, at: story.indication,
    "PRE-IDX-01.open_surgery": "none",
    "PRE-IDX-01.biopsy_planned": False,
    "PRE-LVL-01": _levels,
    "PRE-PRC-01": lambda story, scope, at: story.kind,
    "PRE-PAI-01.rest": lambda story, scope, at: story.nrs_rest,
    "PRE-PAI-01.movement": lambda story, scope, at: story.nrs_movement,
    "PRE-PAI-01.leg": 0,
    "PRE-PAI-01.mobility": "2",
    "PRE-PAI-01.rmdq": 17,
    "PRE-PAI-02": _day_before(45),
    "PRE-CON-01": "pain_prevents_physio",
    "PRE-CON-01.weeks": 6,
    "PRE-IMG-01": "mri_stir",
    "PRE-IMG-01.done_on": _day_before(6),
    "PRE-IMG-01.levels": _levels,
    "PRE-IMG-04.canal_percent": 0,
    "PRE-IMG-05": 35,
    "PRE-NEU-01.examined_at": _before(hours=2),
    "PRE-INF-01.temperature": 36.6,
    "PRE-INF-01.risk": ["none"],
    "PRE-COA-03": False,
    "PRE-COA-01": 1.0,
    "PRE-COA-01.sampled_at": _before(hours=20),
    "PRE-COA-02": 240,
    "PRE-NEU-04": False,
    "PRE-ALG-01": ["none"],
    "PRE-ANE-01": lambda story, scope, at: story.anaesthesia,
    "PRE-ANE-01.weight_kg": 66.0,
    "PRE-ANE-01.lead": lambda story, scope, at: story.watcher,
    "PRE-ANE-02": "2",
    "PRE-ANE-03.solids_at": _before(hours=10),
    "PRE-ANE-03.clear_at": _before(hours=4),
    "PRE-ANE-04": ["none"],
    "PRE-RBA-01": "proceed",
    "PRE-RBA-01.text": DISCUSSION,
    "PRE-CNS-01": "signed_patient",
    "PRE-CNS-01.signed_at": _before(hours=1),
    "PRE-CNS-01.levels": _levels,
    "PRE-CNS-01.risks": [
        "leak",
        "nerve_cord_open_surgery",
        "embolism",
        "infection",
        "bleeding",
        "new_fracture",
        "cement_reaction",
        "death",
        "no_benefit",
    ],
    "PRE-SUR-01.first": lambda story, scope, at: story.surgeon,
    "PRE-SUR-01.second": lambda story, scope, at: story.second_surgeon,
    "SIN-IDN-01": {"matched": True, "method": "scan"},
    "SIN-ANE-01.la_limit_mg": 200,
    "SIN-MON-01.spo2": 97,
    "SIN-CAP-01.monitor": lambda story, scope, at: story.watcher,
    "SIN-CMT-01.lots.udi": lambda story, scope, at: f"(01)00643169001763(17)281130(10){story.lot}",
    "SIN-CMT-01.lots.lot": lambda story, scope, at: story.lot,
    "SIN-CMT-01.lots.expiry": "2028-11-30",
    "TOU-TEA-01.present.person": _people,
    "TOU-CNF-01.operator": lambda story, scope, at: story.operator,
    "TOU-CNF-01.anaesthesia": lambda story, scope, at: story.watcher,
    "TOU-CNF-01.nurse": lambda story, scope, at: story.nurse,
    "TOU-LVL-01": "from_sacrum",
    "TOU-LVL-01.levels": _levels,
    "TOU-LVL-01.transitional": False,
    "TOU-LVL-01.second": lambda story, scope, at: story.nurse,
    "TOU-ABX-01": "given",
    "TOU-ABX-01.drug": "cefazolin",
    "TOU-ABX-01.dose_g": 2.0,
    "TOU-ABX-01.given_at": _before(minutes=20),
    "TOU-SUR-01.approach": "transpedicular",
    "TOU-SUR-01.sides": "both",
    "INT-NED-01.incision_at": lambda story, scope, at: rfc(story.incision_at),
    "INT-BAL-01": "15_3",
    "INT-BAL-02": 3.0,
    "INT-BAL-03": 180,
    "INT-CMT-01.udi": lambda story, scope, at: f"(01)00643169001763(17)281130(10){story.lot}",
    "INT-CMT-01.product": "kyphon_hv_r",
    "INT-CMT-01.lot": lambda story, scope, at: story.lot,
    "INT-CMT-01.expiry": "2028-11-30",
    "INT-CMT-02.room_c": 20.5,
    "INT-CMT-02.viscosity": "high",
    "INT-PAU-01.sbp": 132,
    "INT-PAU-01.spo2": 97,
    "INT-CMT-05": _half_volume,
    "INT-CMT-05.mix": 1,
    "INT-HAE-01.sbp_low": 121,
    "INT-HAE-01.spo2_low": 95,
    "INT-HAE-01.loc": False,
    "INT-HAE-01.cpr": False,
    "INT-NEU-01": lambda story, scope, at: (
        "moves" if story.anaesthesia in {"local", "local_moderate_sedation"} else "not_possible"
    ),
    "INT-NEU-01.reason": lambda story, scope, at: {"general": "general", "neuraxial": "block"}.get(
        story.anaesthesia, "sedation"
    ),
    "SOU-NAM-01": "completed",
    "SOU-NAM-01.levels": _levels,
    "SOU-CNT-01.cement_tail": False,
    "SOU-CNT-01.ended_at": lambda story, scope, at: rfc(story.ended_at or at),
    "SOU-RAD-01.fluoro_min": 6.5,
    "SOU-RAD-01.dap": 24.0,
    "SOU-RAD-01.air_kerma": 160.0,
    "SOU-NEU-01": lambda story, scope, at: (
        "examined" if story.anaesthesia in {"local", "local_moderate_sedation"} else "not_awake"
    ),
    "SOU-NEU-01.assessable_at": lambda story, scope, at: rfc(at + timedelta(minutes=40)),
    "SOU-NEU-01.new_symptom": False,
    "SOU-KEY-01.obs_plan": "standard",
    "POS-BED-01": 120,
    "POS-PAI-01": 2,
    "POS-URI-01": "voided",
    "POS-URI-01.new_incontinence": False,
    "POS-MOB-01": "better",
    "POS-MOB-01.at": lambda story, scope, at: rfc(at + timedelta(hours=3)),
    "POS-RED-01": "both",
    "POS-FUP-01.phone": lambda story, scope, at: story.patient_phone,
    "POS-DIS-01": lambda story, scope, at: story.disposition,
}


def observation(at: datetime, instance: str, **changed: Any) -> list[Ticked]:
    """Return one set of observations after the procedure; `changed` names what differs (`leg_l="weaker"` …)."""
    usual = {
        "at": rfc(at),
        "awake": "yes",
        "leg_l": "as_baseline",
        "leg_r": "as_baseline",
        "light_touch": "as_baseline",
        "saddle": "as_baseline",
        "nrs_back": 3,
        "spo2": 97,
        "pulse": 74,
        "sbp": 128,
        "sedation": "0",
        **changed,
    }
    return [
        Ticked(Key("POS-NEU-01", part, instance=instance), value, at + timedelta(seconds=4 * number))
        for number, (part, value) in enumerate(usual.items())
        if value is not None
    ]
