"""Write past cases into the tables of the ground floor: patients, procedures, treated levels, teams, baseline examinations."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from checklists.management.demo.bulk import Sheet, new_uuid, reserve_ids, stamp
from checklists.management.demo.cases import Case
from clinic.actions.audit import recording
from clinic.lib.pseudonyms import pseudonym
from clinic.models import Actor, Room, Site, User
from clinic.vocabulary import Role

T = TypeVar("T")

#: A normal examination of both legs, as the baseline of a patient who has no deficit.
NORMAL_LEGS = ",".join(
    f'"{muscle}_{side}":5'
    for muscle in ("hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion")
    for side in "lr"
)
NORMAL_EXAM = '{"mrc":{%s},"perianal_sensation":"normal","bladder":"normal","bowel":"normal"}' % NORMAL_LEGS  # noqa: UP031


@dataclass
class Team:
    """The people of a site whom past cases name."""

    site: Site
    operators: list[User]
    nurses: list[User]
    anaesthetists: list[User]
    rooms: list[Room]

    @classmethod
    def of(cls, site: Site) -> Team:
        """Return everybody who can be named at the site."""

        def having(role: Role) -> list[User]:
            return list(User.objects.filter(memberships__site=site, memberships__role=role.value).order_by("id"))

        operators = [user for user in having(Role.SURGEON) if not user.username.startswith(("physician", "director"))]
        rooms = list(Room.objects.filter(site=site).order_by("code"))
        return cls(site, operators, having(Role.NURSE), having(Role.ANAESTHETIST), rooms)


@dataclass
class Written:
    """A case with the keys that it got."""

    case: Case
    key: int
    public_id: UUID
    patient: UUID
    operator: User


@dataclass
class PastWriter:
    """Writes cases of one site, some thousands in one transaction; `made_at` bounds what may already have happened."""

    team: Team
    by: Actor
    made_at: datetime
    chance: random.Random
    rows: int = field(default=0)

    def write(self, cases: Sequence[Case], *, with_teams: bool = True) -> list[Written]:
        """Write the cases and return them with their keys; call it inside a transaction."""
        site = self.team.site
        patients = Sheet(
            "clinic_patient",
            "id public_id site_id mrn family_name given_name birth_date sex phone email language died_on pseudonym "
            "created_at",
        )
        procedures = Sheet(
            "clinic_procedure",
            "id public_id site_id patient_id kind indication anaesthesia scheduled_at room_id operator_id status "
            "age_years asa open_surgery imaging_kind baseline_nrs_rest baseline_nrs_movement baseline_systolic "
            "baseline_spo2 on_antithrombotic started_at incision_at ended_at left_hospital_at outcome cement_ml "
            "disposition first_walk first_walk_at booking_sha256 created_by_id created_at",
        )
        levels = Sheet(
            "clinic_treatedlevel",
            "procedure_id level position status planned_kind approach sides cement_ml cement_ml_left cement_ml_right "
            "cement_lot injected_at leak_sites",
        )
        teams = Sheet("clinic_teammember", "procedure_id user_id role")
        exams = Sheet(
            "clinic_neuroexam", "public_id procedure_id kind source exam occurred_at recorded_at recorded_by_id"
        )
        patient_keys = iter(reserve_ids("clinic_patient", len(cases)))
        procedure_keys = iter(reserve_ids("clinic_procedure", len(cases)))
        bits, found = self.chance.getrandbits, []
        for case in cases:
            patient_key, key = next(patient_keys), next(procedure_keys)
            patient_id, public_id = new_uuid(bits(128)), new_uuid(bits(128))
            who, operator = case.patient, self.team.operators[case.operator % len(self.team.operators)]
            died = next((event.at.date() for event in case.events if event.code == "DTH"), None)
            booked = stamp(case.booked_at)
            patients.add(
                *(patient_key, patient_id, site.pk, who.mrn, who.family_name, who.given_name, who.birth_date, who.sex),
                *(who.phone, "", who.language, died, pseudonym(settings.PSEUDONYM_KEY, site.code, who.mrn), booked),
            )
            end, outcome = stamp(case.ended_at), "completed"
            room = self.team.rooms[key % len(self.team.rooms)]
            procedures.add(
                *(key, public_id, site.pk, patient_key, case.kind, case.indication, case.anaesthesia),
                *(stamp(case.scheduled_at), room.pk, operator.pk, "completed", case.age, case.asa, "", "fluoroscopy"),
                *(case.nrs_rest, case.nrs_movement, case.systolic, case.spo2, case.antithrombotic),
                *(stamp(case.started_at), stamp(case.incision_at), end, stamp(case.left_at), outcome, case.cement_ml),
                *(case.disposition, "walked", stamp(case.walked_at), hashlib.sha256(public_id.bytes).hexdigest()),
                *(operator.pk, booked),
            )
            for position, level in enumerate(case.levels):
                half = round(level.cement_ml / 2, 1)
                levels.add(
                    *(
                        key,
                        level.level,
                        position,
                        "treated",
                        case.kind,
                        "transpedicular",
                        "both",
                        level.cement_ml,
                        half,
                    ),
                    *(round(level.cement_ml - half, 1), level.lot, stamp(case.injected_at(position)), level.leak_sites),
                )
            if with_teams:
                teams.add(key, operator.pk, "operator")
                teams.add(key, self.team.nurses[key % len(self.team.nurses)].pk, "nurse")
                teams.add(key, self.team.anaesthetists[key % len(self.team.anaesthetists)].pk, "watcher")
                exams.add(new_uuid(bits(128)), key, "baseline", "demo", NORMAL_EXAM, booked, booked, operator.pk)
            found.append(Written(case, key, public_id, patient_id, operator))
        self.rows += sum(sheet.send() for sheet in (patients, procedures, levels, teams, exams))
        return found


def in_parts(rows: Iterable[T], size: int) -> Iterable[list[T]]:
    """Yield lists of at most `size`."""
    stream = iter(rows)
    while part := list(islice(stream, size)):
        yield part


def record_load(site: Site, written: Sequence[Written], *, by: Actor, now: datetime) -> None:
    """Write the one audit entry of a bulk load: how many cases, and a hash over their ids in order."""
    digest = hashlib.sha256(b"".join(one.public_id.bytes for one in written)).hexdigest()
    with recording(by=by, now=now) as trail:
        trail.add(
            stream=f"site:{site.public_id}",
            action="demo.loaded",
            subject=f"site:{site.public_id}",
            data={"procedures": len(written), "ids_sha256": digest},
        )
