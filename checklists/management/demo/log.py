"""Entries of the complication log for past cases: facts that fit the code, grades that follow from them by the rules."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from checklists.management.demo.bulk import Sheet, new_uuid, stamp
from checklists.management.demo.cases import Event
from checklists.management.demo.past import Written
from clinic.models import Site
from complications.models import grade_columns
from complications.rules.catalogue import complications
from complications.rules.grading import derive

#: What was asked and done for each code: (weight, fields of the catalogue, treatment, what somebody wrote).
Variant = tuple[float, dict[str, Any], dict[str, Any], str]
NOTHING: dict[str, Any] = {"therapies": ["none"]}
VARIANTS: dict[str, list[Variant]] = {
    "LEK-DIS": [
        (6, {"yeom": "d", "endplate": "upper", "volume_ml": 0.3}, NOTHING, "Small leak through the upper end plate."),
        (3, {"yeom": "d", "endplate": "lower", "volume_ml": 0.5}, NOTHING, "Leak into the disc below, injection stopped."),
        (1, {"yeom": "c", "endplate": "upper"}, NOTHING, "Seen on the control CT only."),
    ],
    "LEK-PVT": [
        (5, {"yeom": "c", "side": "left", "volume_ml": 0.2}, NOTHING, ""),
        (4, {"yeom": "c", "side": "right", "volume_ml": 0.4}, NOTHING, "Thin line beside the vertebra."),
    ],
    "LEK-VEP": [
        (6, {"yeom": "b", "canal_percent": 3}, {"therapies": ["observation"]}, "Basivertebral vein filled, injection stopped."),
        (2, {"yeom": "b", "canal_percent": 8, "volume_ml": 0.2}, {"therapies": ["observation"]}, "Control CT: no compression."),
    ],
    "LEK-VSG": [
        (4, {"yeom": "s", "length_mm": 12, "ivc_tail": False}, NOTHING, "Segmental vein, stopped at once."),
        (1, {"yeom": "s", "length_mm": 35, "ivc_tail": True, "chest_imaging": True}, {"therapies": ["observation"]},
         "Tail towards the vena cava; chest film without emboli."),
    ],
    "LEK-EPI": [
        (3, {"yeom": "c", "canal_percent": 12, "volume_ml": 0.3}, {"therapies": ["observation"]}, "No deficit, checked hourly."),
        (1, {"yeom": "b", "canal_percent": 20}, {"therapies": ["observation"], "extra_stay_hours": 24}, "Kept for a night."),
    ],
    "LEK-FOR": [
        (2, {"side": "left", "radicular": False}, NOTHING, ""),
        (1, {"side": "right", "radicular": True}, {"therapies": ["analgesic"]}, "Leg pain for a week, settled."),
    ],
    "EMB-PCA": [
        (5, {"place": "peripheral", "found_by": "ct"}, {"therapies": ["observation"]}, "Found by chance."),
        (1, {"place": "central", "found_by": "xray"}, {"therapies": ["anticoagulant"]}, "Six months of anticoagulation."),
    ],
    "EMB-PCS": [
        (1, {"spo2": 88, "rv_strain": False, "anticoagulated": True},
         {"therapies": ["anticoagulant"], "extra_stay_hours": 72}, "Oxygen for two days."),
    ],
    "CVS-BCI": [
        (3, {"grade": 1, "sbp_before": 140, "sbp_lowest": 108, "spo2_lowest": 93}, {"therapies": ["drug"], "same_procedure": True},
         "Ephedrine, recovered within minutes."),
        (1, {"grade": 2, "sbp_before": 138, "sbp_lowest": 78, "spo2_lowest": 86}, {"therapies": ["drug"], "icu": True},
         "Vasopressor, night on intensive care."),
    ],
    "BLD-SUB": [(1, {"size_cm": 4}, {"therapies": ["observation"]}, "Pressure dressing.")],
    "NEU-RAD": [
        (3, {"root": "L3", "side": "left", "mrc_before": 5, "mrc_after": 5}, {"therapies": ["analgesic"]}, "Pain without weakness."),
        (1, {"root": "T12", "side": "right"}, {"therapies": ["intervention"], "anaesthesia": "local"}, "Root block."),
    ],
    "NEU-COR": [
        (1, {"ais_before": "e", "ais_after": "d", "cause": "cement"},
         {"therapies": ["surgery"], "anaesthesia": "general", "extra_stay_hours": 168, "sequelae": "mild"},
         "Decompressed the same night; walks with a stick."),
    ],
    "NEU-CES": [
        (1, {"stage": "cesi", "pvr_ml": 380}, {"therapies": ["surgery"], "anaesthesia": "general", "extra_stay_hours": 120},
         "Decompressed; bladder recovered."),
    ],
    "INF-SPD": [
        (2, {"organism_kind": "pyogenic", "organism": "Staphylococcus aureus"},
         {"therapies": ["antibiotic"], "extra_stay_hours": 336}, "Six weeks of antibiotics."),
        (1, {"organism_kind": "tb"}, {"therapies": ["antibiotic"], "extra_stay_hours": 400}, "Tuberculosis, found by biopsy."),
    ],
    "FRX-ADJ": [
        (2, {"severe_pain": False}, {"therapies": ["analgesic"]}, "Seen on the follow-up film."),
        (1, {"severe_pain": True}, {"therapies": ["intervention"], "anaesthesia": "sedation"}, "Treated as a new level."),
    ],
    "FRX-REM": [(1, {"severe_pain": False}, {"therapies": ["analgesic"]}, "")],
    "FRX-REC": [(1, {"height_loss_percent": 18}, {"therapies": ["observation"]}, "Height lost since discharge.")],
    "FRX-RIB": [(1, {"side": "left"}, {"therapies": ["analgesic"]}, "After positioning.")],
    "MED-OTH": [
        (3, {"kind": "uti"}, {"therapies": ["antibiotic"]}, ""),
        (2, {"kind": "pneumonia"}, {"therapies": ["antibiotic"], "extra_stay_hours": 96}, ""),
        (2, {"kind": "retention"}, {"therapies": ["observation"]}, "Catheter for a day; legs and saddle as before."),
        (1, {"kind": "mi"}, {"therapies": ["drug"], "icu": True}, ""),
        (1, {"kind": "aki"}, {"therapies": ["drug"]}, ""),
    ],
    "DTH": [(3, {"cause": "underlying malignancy", "related": "no"}, {"death": True}, ""),
            (1, {"cause": "pneumonia", "related": "unknown"}, {"death": True}, "")],
    "NRM-NEA": [
        (2, {"what": "level counted one too low, caught at time out"}, {}, "Recounted from the sacrum."),
        (1, {"what": "expired cement pack on the trolley"}, {}, "Another pack taken."),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """A variant as COPY takes it."""

    upto: float
    fields: str
    treatment: str
    narrative: str
    grades: tuple[Any, ...]


GRADES = ("clavien", "clavien_d", "sir", "cirse", "bcis", "worst_clavien", "worst_sir", "worst_cirse")


@cache
def prepared(code: str) -> tuple[Prepared, ...]:
    """Return the variants of a code with the grades that the rules derive; the last one's `upto` is the sum of weights."""
    found, total = [], 0.0
    for weight, fields, treatment, narrative in VARIANTS[code]:
        if wrong := complications()[code].check_fields(fields):
            raise ValueError(f"{code}: {wrong}")
        total += weight
        grades = derive(code, fields, treatment)
        columns = grade_columns(grades, grades)
        found.append(
            Prepared(
                total, json.dumps(fields), json.dumps(treatment), narrative, tuple(columns[name] for name in GRADES)
            )
        )
    return tuple(found)


class LogWriter:
    """Writes what went wrong in past cases; nothing that would lie after `made_at`."""

    def __init__(self, site: Site, *, made_at: datetime, chance: random.Random) -> None:
        self.site, self.made_at, self.chance = site, made_at, chance

    def write(self, written: Sequence[Written], *, leave_out: frozenset[str] = frozenset()) -> int:
        """Write the entries of these cases within the current transaction and return how many."""
        sheet = Sheet(
            "complications_complication",
            "public_id site_id procedure_id code level side site_of_leak status symptomatic occurred_at recorded_at "
            "reported_by_id detected_by source source_ref setting narrative fields treatment neuro "
            f"{' '.join(GRADES)} version changed_by_id changed_at change_reason content_sha256",
        )
        for one in written:
            for event in one.case.events:
                if event.code not in leave_out and event.at < self.made_at:
                    self._add(sheet, one, event)
        return sheet.send()

    def _add(self, sheet: Sheet, one: Written, event: Event) -> None:
        variants = prepared(event.code)
        drawn = self.chance.random() * variants[-1].upto
        variant = next(row for row in variants if drawn <= row.upto)
        later = event.at > one.case.left_at
        recorded = min(event.at + timedelta(minutes=20), self.made_at)
        at, when = stamp(event.at), stamp(recorded)
        who = one.operator.pk
        sheet.add(
            *(new_uuid(self.chance.getrandbits(128)), self.site.pk, one.key, event.code, event.level, ""),
            *(complications()[event.code].site_of_leak, self._status(event.at), event.symptomatic, at, when, who),
            *(event.detected_by, "follow_up" if later else "form", "", "at_home" if later else "in_house"),
            *(variant.narrative, variant.fields, variant.treatment, None, *variant.grades, 1, who, when, "", ""),
        )

    def _status(self, at: datetime) -> str:
        """Return where an entry of that age stands: nearly all old ones are closed."""
        drawn = self.chance.random()
        if self.made_at - at > timedelta(days=60):
            return "closed" if drawn < 0.97 else "under_review"
        return "reported" if drawn < 0.5 else "under_review" if drawn < 0.75 else "closed"
