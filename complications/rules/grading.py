"""Grades derived from facts: what was done for it, where, and how it ended. A person may overrule one with a reason.

Clavien-Dindo 2004; SIR adverse-event severity 2017; CIRSE 2017; Donaldson 2009 for bone-cement reactions (clinical
content 2.2: existence V, the wording of SIR K). A grade is None while nothing is recorded that it could come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCALE_VERSIONS = {"clavien": "clavien_dindo_2004", "sir": "sir_2017", "cirse": "cirse_2017", "bcis": "donaldson_2009"}
CLAVIEN_ORDER = ("i", "ii", "iiia", "iiib", "iva", "ivb", "v")

THERAPIES = (
    "none",
    "observation",
    "antiemetic",
    "antipyretic",
    "analgesic",
    "diuretic",
    "electrolytes",
    "physiotherapy",
    "drug",
    "antibiotic",
    "anticoagulant",
    "transfusion",
    "parenteral_nutrition",
    "intervention",
    "surgery",
)
NOMINAL = frozenset(
    {"none", "observation", "antiemetic", "antipyretic", "analgesic", "diuretic", "electrolytes", "physiotherapy"}
)
ANAESTHESIA = ("none", "local", "sedation", "general")
SEQUELAE = ("none", "mild", "severe")
FLAGS = (
    "same_procedure",
    "unplanned_overnight",
    "icu",
    "arrest",
    "shock",
    "paralysis",
    "disability_at_discharge",
    "death",
)


@dataclass(frozen=True, slots=True)
class Grades:
    """Clavien-Dindo (`i` … `v`, suffix d apart), SIR 1-5, CIRSE 1-6, Donaldson 0-3; None = not derivable."""

    clavien: str | None = None
    clavien_d: bool = False
    sir: int | None = None
    cirse: int | None = None
    bcis: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the grades for API and audit, with the version of each scale."""
        return {
            "clavien": self.clavien,
            "clavien_d": self.clavien_d,
            "sir": self.sir,
            "cirse": self.cirse,
            "bcis": self.bcis,
            "scales": SCALE_VERSIONS,
        }


def check_treatment(given: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (key, code, detail) for each part of `given` that cannot be read; every part may be missing."""
    wrong: list[tuple[str, str, str]] = []
    for key, value in given.items():
        if value is None or (key == "note" and isinstance(value, str)):
            continue
        if key == "therapies":
            if not isinstance(value, list) or any(one not in THERAPIES for one in value):
                wrong.append((key, "not_a_choice", f"A list of: {', '.join(THERAPIES)}."))
        elif key in ("anaesthesia", "sequelae"):
            words = ANAESTHESIA if key == "anaesthesia" else SEQUELAE
            if value not in words:
                wrong.append((key, "not_a_choice", f"Accepted: {', '.join(words)}."))
        elif key in ("organ_failures", "extra_stay_hours"):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_000:
                wrong.append((key, "out_of_range", "Send a number from 0."))
        elif key in FLAGS:
            if not isinstance(value, bool):
                wrong.append((key, "not_a_boolean", "Send true or false."))
        else:
            known = ("therapies", "anaesthesia", "sequelae", "organ_failures", "extra_stay_hours", "note", *FLAGS)
            wrong.append((key, "unknown_field", f"Accepted: {', '.join(known)}."))
    return wrong


def clavien(t: Mapping[str, Any]) -> str:
    """Return the Clavien-Dindo grade of the treatment facts `t`."""
    therapies = set(t.get("therapies") or ())
    if t.get("death"):
        return "v"
    organs = t.get("organ_failures") or 0
    if organs >= 2:
        return "ivb"
    if organs == 1 or t.get("icu") or t.get("arrest"):
        return "iva"
    if therapies & {"intervention", "surgery"}:
        return "iiib" if t.get("anaesthesia") == "general" else "iiia"
    if therapies - NOMINAL:
        return "ii"
    return "i"


def sir(t: Mapping[str, Any]) -> int:
    """Return the SIR 2017 severity: 1 mild, 2 moderate, 3 severe, 4 life-threatening or disabling, 5 death."""
    therapies = set(t.get("therapies") or ())
    if t.get("death"):
        return 5
    if any(t.get(key) for key in ("arrest", "shock", "paralysis", "organ_failures")):
        return 4
    surgical = bool(therapies & {"intervention", "surgery"})
    if (t.get("extra_stay_hours") or 0) > 24 or t.get("icu") or (surgical and t.get("anaesthesia") == "general"):
        return 3
    if t.get("unplanned_overnight") or surgical or therapies - NOMINAL or (t.get("extra_stay_hours") or 0) > 0:
        return 2
    return 1


def cirse(t: Mapping[str, Any]) -> int:
    """Return the CIRSE 2017 grade: 1 solved in the same session … 6 death."""
    therapies = set(t.get("therapies") or ())
    stay = t.get("extra_stay_hours") or 0
    if t.get("death"):
        return 6
    if t.get("sequelae") == "severe" or t.get("paralysis"):
        return 5
    if t.get("sequelae") == "mild" or t.get("disability_at_discharge"):
        return 4
    if stay > 48 or (therapies - NOMINAL and not t.get("same_procedure")):
        return 3
    if (stay > 0 or t.get("unplanned_overnight")) and not t.get("same_procedure"):
        return 2
    return 1


def bcis(f: Mapping[str, Any]) -> int | None:
    """Return the Donaldson grade of a cement reaction, exactly as published; the highest rule wins.

    Systolic pressures in mmHg, saturation in %. Computed from the values where they are there, else as entered.
    """
    before, low, spo2 = (_number(f.get(key)) for key in ("sbp_before", "sbp_lowest", "spo2_lowest"))
    fall = (before - low) / before * 100 if before and low is not None else None
    if f.get("cpr"):
        return 3
    computed: int | None = None
    if fall is not None or spo2 is not None or f.get("loss_of_consciousness") is not None:
        if (spo2 is not None and spo2 < 88) or (fall is not None and fall > 40) or f.get("loss_of_consciousness"):
            computed = 2
        elif (spo2 is not None and spo2 < 94) or (fall is not None and fall > 20):
            computed = 1
        else:
            computed = 0
    entered = _number(f.get("grade"))
    if entered is None or entered not in (0, 1, 2, 3):
        return computed
    return max(int(entered), computed or 0)


def _number(value: Any) -> float | None:
    """Return a number, None for anything else: a field that cannot be read keeps no deficit from being reported."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def derive(code: str, fields: Mapping[str, Any], treatment: Mapping[str, Any] | None) -> Grades:
    """Return all grades of a complication of type `code`; without treatment facts only what its fields tell."""
    reaction = bcis(fields) if code == "CVS-BCI" else None
    facts = dict(treatment or {})
    if code == "DTH":
        facts["death"] = True
    if reaction == 3:
        facts["arrest"] = True
    if not facts:
        return Grades(bcis=reaction)
    return Grades(
        clavien=clavien(facts),
        clavien_d=bool(facts.get("disability_at_discharge")) and not facts.get("death"),
        sir=sir(facts),
        cirse=cirse(facts),
        bcis=reaction,
    )


def worst(one: Grades, other: Grades) -> Grades:
    """Return the worse of two gradings, scale by scale: the worst ever is kept beside the current one."""

    def worse_number(a: int | None, b: int | None) -> int | None:
        return max((value for value in (a, b) if value is not None), default=None)

    known = [grade for grade in (one.clavien, other.clavien) if grade is not None]
    return Grades(
        clavien=max(known, key=CLAVIEN_ORDER.index, default=None),
        clavien_d=one.clavien_d or other.clavien_d,
        sir=worse_number(one.sir, other.sir),
        cirse=worse_number(one.cirse, other.cirse),
        bcis=worse_number(one.bcis, other.bcis),
    )
