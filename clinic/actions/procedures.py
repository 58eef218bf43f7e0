"""Book a procedure and keep the facts that both upper floors need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import rfc8785
from django.conf import settings

from clinic.actions.audit import json_value, recording
from clinic.lib.problems import FieldError, Invalid, Refused
from clinic.lib.pseudonyms import pseudonym
from clinic.models import Actor, NeuroExam, Patient, Procedure, Room, Site, TeamMember, TreatedLevel, User
from clinic.rules.body import age_in_years, level_order
from clinic.vocabulary import ExamKind, TeamRole


@dataclass(frozen=True)
class PatientDetails:
    """The patient as the booking names them."""

    mrn: str
    family_name: str
    given_name: str
    birth_date: date
    sex: str
    phone: str = ""
    email: str = ""
    language: str = "en"


@dataclass(frozen=True)
class Booking:
    """A procedure as it is put on the theatre list; `id` is made by the client."""

    id: UUID
    patient: PatientDetails
    kind: str
    indication: str
    anaesthesia: str
    levels: Sequence[str]
    scheduled_at: datetime
    operator: str
    room: str = ""
    team: Sequence[Mapping[str, str]] = field(default_factory=tuple)

    def sha256(self) -> str:
        """Return the hash of the content, by which a repeated booking is told from another one."""
        return hashlib.sha256(rfc8785.dumps(json_value(asdict(self)))).hexdigest()


def book_procedure(
    *, booking: Booking, site: Site, operator: User, team: Mapping[str, User], by: Actor, now: datetime
) -> tuple[Procedure, bool]:
    """Put a procedure on the list and return it with True, or the one already booked under this id with False.

    `operator` and `team` (user name → person) are looked up by the caller through `access_colleague`. Raise Refused
    `other_content` for another content under one id, Invalid for an unknown room or a date of birth after the day.
    """
    sha256 = booking.sha256()
    with recording(by=by, now=now) as trail:
        known = Procedure.objects.select_for_update().filter(public_id=booking.id).first()
        if known is not None:
            if known.site_id != site.pk or known.booking_sha256 != sha256:
                raise Refused("other_content", "Another procedure was booked under this id. Send it with a new id.")
            return known, False
        room = _room(site, booking.room)
        day = booking.scheduled_at.astimezone(ZoneInfo(site.timezone)).date()
        if booking.patient.birth_date > day:
            raise Invalid.field("patient.birth_date", "in_the_future", "The date of birth is after the procedure.")
        patient = find_or_add_patient(details=booking.patient, site=site, now=now)
        procedure = Procedure.objects.create(
            public_id=booking.id,
            site=site,
            patient=patient,
            kind=booking.kind,
            indication=booking.indication,
            anaesthesia=booking.anaesthesia,
            scheduled_at=booking.scheduled_at,
            room=room,
            operator=operator,
            age_years=age_in_years(booking.patient.birth_date, day),
            booking_sha256=sha256,
            created_by=by.user,
            created_at=now,
        )
        levels = sorted(booking.levels, key=level_order)
        TreatedLevel.objects.bulk_create(
            TreatedLevel(procedure=procedure, level=level, position=position) for position, level in enumerate(levels)
        )
        TeamMember.objects.bulk_create(
            [TeamMember(procedure=procedure, user=operator, role=TeamRole.OPERATOR.value)]
            + [
                TeamMember(procedure=procedure, user=team[member["user"]], role=member["role"])
                for member in booking.team
                if member["role"] != TeamRole.OPERATOR.value
            ],
            ignore_conflicts=True,
        )
        trail.add(
            stream=f"procedure:{procedure.public_id}",
            action="procedure.booked",
            subject=f"procedure:{procedure.public_id}",
            data={
                "kind": booking.kind,
                "indication": booking.indication,
                "anaesthesia": booking.anaesthesia,
                "levels": levels,
                "scheduled_at": booking.scheduled_at,
                "operator": f"user:{operator.public_id}",
                "patient": f"patient:{patient.public_id}",
            },
        )
    return procedure, True


def _room(site: Site, code: str) -> Room | None:
    if not code:
        return None
    room = Room.objects.filter(site=site, code=code).first()
    if room is None:
        known = ", ".join(Room.objects.filter(site=site).order_by("code").values_list("code", flat=True))
        raise Invalid(
            "invalid", "The room is not known.", [FieldError("room", "unknown_room", f"Use one of: {known}.")]
        )
    return room


def find_or_add_patient(*, details: PatientDetails, site: Site, now: datetime) -> Patient:
    """Return the site's patient with this record number, added where there is none.

    Raise Refused `patient_differs` where the record number belongs to somebody with another date of birth: a mixed-up
    patient is found here and not in theatre.
    """
    patient, _ = Patient.objects.get_or_create(
        site=site,
        mrn=details.mrn,
        defaults={
            "family_name": details.family_name,
            "given_name": details.given_name,
            "birth_date": details.birth_date,
            "sex": details.sex,
            "phone": details.phone,
            "email": details.email,
            "language": details.language,
            "pseudonym": pseudonym(settings.PSEUDONYM_KEY, site.code, details.mrn),
            "created_at": now,
        },
    )
    if patient.birth_date != details.birth_date:
        raise Refused(
            "patient_differs", "This record number belongs to a patient with another date of birth. Check the number."
        )
    return patient


#: Facts that a tick may set on the procedure, and on a level: the columns of their tables.
PROCEDURE_FACTS = frozenset(
    [
        "kind",
        "indication",
        "anaesthesia",
        "status",
        "asa",
        "open_surgery",
        "imaging_kind",
        "baseline_nrs_rest",
        "baseline_nrs_movement",
        "baseline_systolic",
        "baseline_spo2",
        "on_antithrombotic",
        "started_at",
        "incision_at",
        "ended_at",
        "left_hospital_at",
        "outcome",
        "cement_ml",
        "disposition",
        "first_walk",
        "first_walk_at",
    ]
)
LEVEL_FACTS = frozenset(
    [
        "status",
        "planned_kind",
        "approach",
        "sides",
        "cement_ml",
        "cement_ml_left",
        "cement_ml_right",
        "cement_lot",
        "injected_at",
        "leak_sites",
    ]
)


def update_facts(
    *,
    procedure: Procedure,
    facts: Mapping[str, Any],
    level_facts: Mapping[str, Mapping[str, Any]],
    by: Actor,
    now: datetime,
) -> None:
    """Project answers onto the procedure (`facts`: column → value) and its levels (`level_facts`: level → column → value).

    Only what differs is written, one UPDATE for the procedure and one for each level that changed; the version tables
    keep what was. A level that is not on the list is added. Raise ValueError for a column that is not a fact.
    """
    if unknown := (set(facts) - PROCEDURE_FACTS) | {c for row in level_facts.values() for c in row} - LEVEL_FACTS:
        raise ValueError(f"not facts: {sorted(unknown)}")
    with recording(by=by, now=now):
        changed = {column: value for column, value in facts.items() if getattr(procedure, column) != value}
        if changed:
            Procedure.objects.filter(pk=procedure.pk).update(**changed)
            for column, value in changed.items():
                setattr(procedure, column, value)
        if not level_facts:
            return
        rows = {row.level: row for row in TreatedLevel.objects.filter(procedure=procedure)}
        for level, values in level_facts.items():
            row = rows.get(level)
            if row is None:
                TreatedLevel.objects.create(
                    procedure=procedure, level=level, position=level_order(level) + 100, **dict(values)
                )
                continue
            different = {column: value for column, value in values.items() if getattr(row, column) != value}
            if different:
                TreatedLevel.objects.filter(pk=row.pk).update(**different)


def record_exam(
    *,
    procedure: Procedure,
    kind: ExamKind,
    exam: Mapping[str, Any],
    source: str,
    occurred_at: datetime,
    by: Actor,
    now: datetime,
) -> NeuroExam:
    """Add a neurological examination; an earlier one is never changed, the newest recorded of a source counts."""
    with recording(by=by, now=now):
        return NeuroExam.objects.create(
            procedure=procedure,
            kind=kind.value,
            source=source,
            exam=dict(exam),
            occurred_at=occurred_at,
            recorded_at=now,
            recorded_by=by.user,
        )
