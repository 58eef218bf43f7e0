"""A complication report and a neurological examination as plain data, read from the API's JSON.

Every part may be missing; what is missing or "nt" (not tested) is unknown and never counts as normal.
Reading never raises: what cannot be read is returned as a list of `Trouble`, so that the API can refuse it with
the field's name while a tick, which nobody can correct any more, goes on with what could be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from complications.vocabulary import MUSCLES, Finding, Setting, Source, Symptom, Tier

Json = Any

SENSES = ("normal", "impaired", "absent")
BLADDER = ("normal", "impaired", "absent", "catheter")
TOUCH = ("normal", "reduced", "absent")
AIS = ("a", "b", "c", "d", "e")
COMPARED = ("as_baseline", "weaker", "better")
FULL_OR_WEAK = ("full", "weak")
LEGS_MOVE = ("both", "one", "none")
WALKING = ("as_baseline", "worse", "better", "0", "1", "2", "3", "4")
UMN = ("none", "present")
NOT_TESTED = ("nt", "not_testable", "not_tested", "not_asked", "unknown")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One value that could not be read: its path in the input, a machine code, and what would be accepted."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """One neurological examination. `mrc` holds grades 0-5 by muscle and side; None is "not tested"."""

    mrc: Mapping[str, int | None] = field(default_factory=dict)
    ais: str | None = None
    frankel: str | None = None
    perianal_sensation: str | None = None
    saddle: str | None = None
    anal_tone: str | None = None
    bladder: str | None = None
    bowel: str | None = None
    light_touch_l: str | None = None
    light_touch_r: str | None = None
    leg_l: str | None = None
    leg_r: str | None = None
    arm_l: str | None = None
    arm_r: str | None = None
    legs_move: str | None = None
    walking: str | None = None
    umn: str | None = None

    @property
    def tested(self) -> bool:
        """Return whether anything at all was tested."""
        return any(grade is not None for grade in self.mrc.values()) or any(
            getattr(self, name) is not None for name in self.__slots__ if name != "mrc"
        )

    @property
    def touched(self) -> bool:
        """Return whether somebody tried: grades are there, were it only as "not tested"."""
        return bool(self.mrc) or self.tested

    def grade(self, muscle: str) -> int | None:
        """Return the grade of `muscle` ("knee_extension_l"), from the row of grades or from "all five full"."""
        if self.mrc.get(muscle) is not None:
            return self.mrc[muscle]
        limb = "leg" if muscle.rpartition("_")[0] in LEGS else "arm"
        return 5 if getattr(self, f"{limb}_{muscle[-1]}") == "full" else None

    @property
    def legs_known(self) -> bool:
        """Return whether both legs were examined, by grades or against the baseline."""
        return all(
            getattr(self, f"leg_{side}") in (*COMPARED, *FULL_OR_WEAK)
            or all(self.grade(f"{muscle}_{side}") is not None for muscle in LEGS)
            for side in ("l", "r")
        )

    @property
    def saddle_known(self) -> bool:
        """Return whether the saddle was examined."""
        return self.perianal_sensation is not None or self.saddle is not None


LEGS = ("hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion")

_EXAM_WORDS: Mapping[str, tuple[str, ...]] = {
    "ais": AIS,
    "frankel": AIS,
    "perianal_sensation": SENSES,
    "saddle": ("as_baseline", "worse"),
    "anal_tone": SENSES,
    "bladder": BLADDER,
    "bowel": SENSES,
    "light_touch_l": (*TOUCH, "as_baseline", "worse"),
    "light_touch_r": (*TOUCH, "as_baseline", "worse"),
    "leg_l": (*COMPARED, *FULL_OR_WEAK),
    "leg_r": (*COMPARED, *FULL_OR_WEAK),
    "arm_l": (*COMPARED, *FULL_OR_WEAK),
    "arm_r": (*COMPARED, *FULL_OR_WEAK),
    "legs_move": LEGS_MOVE,
    "walking": WALKING,
    "umn": UMN,
}


@dataclass(frozen=True, slots=True)
class NotExaminable:
    """The patient cannot be examined: since when, and why."""

    since: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Imaging:
    """What a picture shows. `canal_percent` is the share of the canal that is filled (0-100)."""

    modality: str
    finding: Finding
    level: str
    canal_percent: float | None


@dataclass(frozen=True, slots=True)
class Concern:
    """A clinician's worry in their own words, with the tier they ask for."""

    text: str
    tier: Tier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuro:
    """All that a report may say about nerves. Pain is 0-10 (NRS), residual urine mL, temperature °C, CRP mg/L."""

    exam: Exam | None = None
    pvr_ml: int | None = None
    hours_since_void: float | None = None
    nrs_back: int | None = None
    nrs_leg: int | None = None
    not_examinable: NotExaminable | None = None
    imaging: Imaging | None = None
    temperature_c: float | None = None
    crp_mg_l: float | None = None
    symptoms: frozenset[Symptom] = frozenset()
    concern: Concern | None = None
    onset_at: datetime | None = None
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was said."""
        return self == Neuro()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A complication as somebody reports it. Only the id (made by the client) is needed.

    `occurred_at` is the bedside time, `reported_at` the moment the person pressed (earlier than the server's when a
    tablet was offline). `raw_neuro` keeps what was sent, word for word.
    """

    public_id: UUID
    type: str = ""
    level: str = ""
    side: str = ""
    occurred_at: datetime | None = None
    reported_at: datetime | None = None
    symptomatic: bool | None = None
    detected_by: str = ""
    narrative: str = ""
    fields: Mapping[str, Json] = field(default_factory=dict)
    treatment: Mapping[str, Json] = field(default_factory=dict)
    neuro: Neuro | None = None
    raw_neuro: Mapping[str, Json] | None = None
    setting: Setting | None = None
    source: Source = Source.FORM
    troubles: tuple[Trouble, ...] = ()

    def place(self, left_at: datetime | None, now: datetime) -> Setting:
        """Return the setting given; else at home for who has left the hospital, else what the source implies (E1)."""
        if self.setting is not None:
            return self.setting
        if left_at is not None and left_at <= now:
            return Setting.AT_HOME
        return self.source.setting

    @property
    def by_patient(self) -> bool:
        """Return whether patient or carer says it, rather than somebody who examined."""
        return self.source in (Source.FOLLOW_UP, Source.PATIENT) or self.detected_by in ("patient", "carer")


class _Reader:
    """Reads a JSON object key by key and notes what it cannot read."""

    def __init__(self, data: Json, path: str, troubles: list[Trouble]) -> None:
        self.data: Mapping[str, Json] = data if isinstance(data, Mapping) else {}
        self.path = path
        self.troubles = troubles
        if not isinstance(data, Mapping):
            self.note("", "not_an_object", "Send an object.")

    def note(self, key: str, code: str, detail: str) -> None:
        self.troubles.append(Trouble(f"{self.path}.{key}".strip("."), code, detail))

    def known(self, *keys: str) -> None:
        """Note every key that is not one of `keys`: a misspelt muscle must not vanish in silence."""
        for key in self.data:
            if key not in keys:
                self.note(str(key), "unknown_field", "There is no such field; check its spelling.")

    def word(self, key: str, words: tuple[str, ...]) -> str | None:
        value = self.data.get(key)
        if value is None or value == "" or value in NOT_TESTED:
            return None
        text = str(value).lower()
        if isinstance(value, bool) or text not in words:
            self.note(key, "not_a_choice", f"Accepted: {', '.join(words)}, nt.")
            return None
        return text

    def number(self, key: str, low: float, high: float) -> float | None:
        value = self.data.get(key)
        if value is None or value == "" or value in NOT_TESTED:
            return None
        try:
            number = float("x" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            self.note(key, "not_a_number", f"Send a number from {low:g} to {high:g}.")
            return None
        if not low <= number <= high:
            self.note(key, "out_of_range", f"Accepted: {low:g} to {high:g}.")
            return None
        return number

    def whole(self, key: str, low: int, high: int) -> int | None:
        number = self.number(key, low, high)
        if number is not None and not number.is_integer():
            self.note(key, "not_a_whole_number", f"Send a whole number from {low} to {high}.")
            return None
        return None if number is None else int(number)

    def text(self, key: str, longest: int = 4000) -> str:
        value = self.data.get(key)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > longest:
            self.note(key, "not_a_text", f"Send a text of at most {longest} characters.")
            return ""
        return value

    def time(self, key: str) -> datetime | None:
        value = self.data.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.tzinfo is None:
            self.note(key, "not_a_time", "Send RFC 3339 with a zone, for example 2026-11-24T03:06:00Z.")
            return None
        return moment


def read_exam(data: Json, path: str = "exam", troubles: list[Trouble] | None = None) -> Exam:
    """Return the examination in `data`; what cannot be read is appended to `troubles` under `path`."""
    notes = troubles if troubles is not None else []
    reader = _Reader(data, path, notes)
    reader.known("mrc", *_EXAM_WORDS, "perianal")
    grades = _Reader(reader.data.get("mrc") or {}, f"{path}.mrc", notes)
    grades.known(*MUSCLES)
    mrc = {muscle: grades.whole(muscle, 0, 5) for muscle in MUSCLES if muscle in grades.data}
    words: dict[str, Any] = {key: reader.word(key, accepted) for key, accepted in _EXAM_WORDS.items()}
    if words["perianal_sensation"] is None:
        words["perianal_sensation"] = reader.word("perianal", SENSES)
    return Exam(mrc=mrc, **words)


_NEURO_KEYS = (
    "exam",
    "pvr_ml",
    "hours_since_void",
    "nrs_back",
    "nrs_leg",
    "not_examinable",
    "imaging",
    "temperature_c",
    "crp_mg_l",
    "symptoms",
    "concern",
    "onset_at",
    "note",
)


def read_neuro(data: Json, path: str = "neuro") -> tuple[Neuro, list[Trouble]]:
    """Return what `data` (the API's `neuro`) says and what of it could not be read."""
    troubles: list[Trouble] = []
    reader = _Reader(data, path, troubles)
    reader.known(*_NEURO_KEYS)
    given = {key: value for key, value in reader.data.items() if value is not None}
    exam = read_exam(given["exam"], f"{path}.exam", troubles) if "exam" in given else None
    neuro = Neuro(
        exam=exam,
        pvr_ml=reader.whole("pvr_ml", 0, 3000),
        hours_since_void=reader.number("hours_since_void", 0, 240),
        nrs_back=reader.whole("nrs_back", 0, 10),
        nrs_leg=reader.whole("nrs_leg", 0, 10),
        not_examinable=_not_examinable(given.get("not_examinable"), path, troubles),
        imaging=_imaging(given.get("imaging"), path, troubles),
        temperature_c=reader.number("temperature_c", 25, 45),
        crp_mg_l=reader.number("crp_mg_l", 0, 1000),
        symptoms=_symptoms(given.get("symptoms"), reader),
        concern=_concern(given.get("concern"), path, troubles),
        onset_at=reader.time("onset_at"),
        note=reader.text("note"),
    )
    return neuro, troubles


def _not_examinable(data: Json, path: str, troubles: list[Trouble]) -> NotExaminable | None:
    if data is None:
        return None
    reader = _Reader(data, f"{path}.not_examinable", troubles)
    reader.known("since", "why")
    return NotExaminable(reader.time("since"), reader.text("why", 500))


def _imaging(data: Json, path: str, troubles: list[Trouble]) -> Imaging | None:
    if data is None:
        return None
    reader = _Reader(data, f"{path}.imaging", troubles)
    reader.known("modality", "finding", "level", "canal_percent")
    finding = reader.word("finding", tuple(Finding))
    percent = reader.number("canal_percent", 0, 100)
    if finding is None and percent is None:
        return None
    return Imaging(reader.text("modality", 40), Finding(finding or "cement"), reader.text("level", 4).upper(), percent)


def _concern(data: Json, path: str, troubles: list[Trouble]) -> Concern | None:
    if data is None:
        return None
    if isinstance(data, str):
        return Concern(data, None)
    reader = _Reader(data, f"{path}.concern", troubles)
    reader.known("text", "tier")
    tier = reader.word("tier", tuple(Tier))
    return Concern(reader.text("text"), Tier(tier) if tier else None)


def _symptoms(data: Json, reader: _Reader) -> frozenset[Symptom]:
    if data is None:
        return frozenset()
    if not isinstance(data, list):
        reader.note("symptoms", "not_a_list", "Send a list of symptoms.")
        return frozenset()
    found: set[Symptom] = set()
    for index, value in enumerate(data):
        try:
            found.add(Symptom(value))
        except ValueError:
            reader.note(f"symptoms.{index}", "not_a_choice", f"Accepted: {', '.join(Symptom)}.")
    return frozenset(found)


REPORT_KEYS = (
    "id",
    "procedure",
    "type",
    "level",
    "side",
    "occurred_at",
    "reported_at",
    "symptomatic",
    "detected_by",
    "narrative",
    "fields",
    "treatment",
    "neuro",
    "setting",
    "source",
    "ticket",
)


def _storable(value: Json) -> Json:
    """Return a value without what no column holds (NUL, half an emoji): a deficit is not lost for one character."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_storable(str(key))): _storable(inner) for key, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list) else value


def read_report(data: Mapping[str, Json], public_id: UUID) -> Report:
    """Return the report in the API's `data`; what cannot be read stands in its `troubles`, and refuses no deficit."""
    troubles: list[Trouble] = []
    data = {key: _storable(value) for key, value in data.items()}
    reader = _Reader(data, "", troubles)
    reader.known(*REPORT_KEYS)
    symptomatic = data.get("symptomatic")
    if symptomatic is not None and not isinstance(symptomatic, bool):
        reader.note("symptomatic", "not_a_boolean", "Send true, false or null.")
        symptomatic = None
    setting, source = reader.word("setting", tuple(Setting)), reader.word("source", tuple(Source))
    neuro = data.get("neuro")
    return Report(
        public_id=public_id,
        type=reader.text("type", 40).upper(),
        level=reader.text("level", 10).upper(),
        side=reader.text("side", 10),
        occurred_at=reader.time("occurred_at"),
        reported_at=reader.time("reported_at"),
        symptomatic=symptomatic,
        detected_by=reader.text("detected_by", 40),
        narrative=reader.text("narrative", 20_000),
        fields=data.get("fields") or {},
        treatment=data.get("treatment") or {},
        raw_neuro=neuro,
        setting=Setting(setting) if setting else None,
        source=Source(source) if source else Source.API,
        troubles=tuple(troubles),
    )


def better_of(exams: list[Exam]) -> Exam | None:
    """Return the baseline of several: where they conflict, the better value counts; None without any."""
    tested = [exam for exam in exams if exam.tested]
    if not tested:
        return None
    mrc = {
        muscle: max((grade for exam in tested if (grade := exam.grade(muscle)) is not None), default=None)
        for muscle in MUSCLES
    }
    merged: dict[str, Any] = {}
    for name, order in _EXAM_WORDS.items():
        known = [value for exam in tested if (value := getattr(exam, name)) in order]
        best_last = name in ("ais", "frankel") or (name == "walking" and any(value.isdigit() for value in known))
        ranked = sorted(known, key=order.index)
        merged[name] = (ranked[-1] if best_last else ranked[0]) if ranked else None
    return Exam(mrc={muscle: grade for muscle, grade in mrc.items() if grade is not None}, **merged)
