"""Today's theatre list: booked and ticked through the same actions as a tablet's, in mixed phases."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from checklists.actions.opening import open_procedure
from checklists.actions.sync import Incoming, apply_batch
from checklists.management.demo.answers import Story, Ticked, ticks
from checklists.management.demo.clinic import BY
from checklists.management.demo.names import Identity, identity
from checklists.models import Run
from checklists.rules.nodes import PHASES
from clinic.actions.procedures import Booking, PatientDetails
from clinic.models import Actor, Procedure, Site, User
from clinic.vocabulary import Via


@dataclass(frozen=True)
class Slot:
    """One case of the list: `done` names the phases that are fully ticked when the clinic opens its doors."""

    at: time
    room: str
    kind: str
    indication: str
    anaesthesia: str
    levels: tuple[str, ...]
    operator: str
    age: int
    woman: bool
    done: int = 0


#: Both procedures, one to four levels, every indication and every anaesthesia.
LISTS: dict[str, tuple[Slot, ...]] = {
    "A": (
        Slot(time(8, 30), "or1", "kyphoplasty", "osteoporotic_vcf", "general", ("T12", "L1"), "surgeon", 78, woman=True, done=4),
        Slot(time(8, 45), "ir1", "vertebroplasty", "osteoporotic_vcf", "local", ("L2",), "radiologist", 83, woman=True, done=4),
        Slot(time(9, 0), "or2", "vertebroplasty", "metastasis", "local_moderate_sedation", ("L3",), "surgeon2", 66, woman=False,
             done=3),
        Slot(time(10, 15), "or1", "kyphoplasty", "myeloma", "deep_sedation_mac", ("T9", "T11", "L1"), "head", 61, woman=False,
             done=2),
        Slot(time(10, 30), "ir1", "vertebroplasty", "traumatic_nonunion", "neuraxial", ("L4",), "radiologist", 71, woman=True,
             done=1),
        Slot(time(11, 0), "or2", "vertebroplasty", "benign_lesion", "general", ("T10",), "surgeon2", 44, woman=True, done=1),
        Slot(time(12, 30), "or1", "kyphoplasty", "acute_traumatic", "general", ("L1",), "surgeon", 58, woman=False),
        Slot(time(13, 0), "ir1", "vertebroplasty", "osteoporotic_vcf", "local", ("T7", "T8", "T12", "L1"), "radiologist", 88,
             woman=True),
        Slot(time(14, 0), "or2", "kyphoplasty", "other_malignant", "general", ("L2", "L3"), "surgeon2", 69, woman=False),
        Slot(time(15, 15), "or1", "vertebroplasty", "other", "local_moderate_sedation", ("L5",), "head", 75, woman=True),
    ),
    "B": (
        Slot(time(9, 0), "or1", "vertebroplasty", "osteoporotic_vcf", "local", ("L1",), "surgeon_b", 79, woman=True, done=1),
        Slot(time(11, 0), "or1", "kyphoplasty", "osteoporotic_vcf", "general", ("T12",), "surgeon2_b", 72, woman=False),
    ),
}  # fmt: skip
STAFF = {
    "A": ("nurse", "anaesthetist", "surgeon", "surgeon2"),
    "B": ("nurse_b", "anaesthetist_b", "surgeon_b", "surgeon2_b"),
}


def plan_today(site: Site, now: datetime) -> list[Procedure]:
    """Put today's list on the board of a site, unless something is booked there today already; return what was added."""
    zone = ZoneInfo(site.timezone)
    today = now.astimezone(zone).date()
    midnight = datetime.combine(today, time(), zone)
    if Procedure.objects.at_site(site).between(midnight, midnight + timedelta(days=1)).exists():
        return []
    people = {user.username: user for user in User.objects.filter(memberships__site=site).distinct()}
    chance = random.Random(f"{site.code} {today}")  # noqa: S311 - made-up patients, not secrets
    first = Procedure.objects.filter(site=site, patient__mrn__startswith="D").count() + 1
    return [
        put_on_list(site, slot, people, _patient(chance, first + number, today, slot), now)
        for number, slot in enumerate(LISTS[site.code])
    ]


def _patient(chance: random.Random, number: int, today: date, slot: Slot) -> Identity:
    return identity(chance, number, on=today, age=slot.age, prefix="D", woman=slot.woman)


def put_on_list(site: Site, slot: Slot, people: dict[str, User], patient: Identity, now: datetime) -> Procedure:
    """Book one case and tick the phases that are done."""
    nurse, watcher, surgeon, second = STAFF[site.code]
    zone = ZoneInfo(site.timezone)
    at = datetime.combine(now.astimezone(zone).date(), slot.at, zone)
    booking = Booking(
        id=uuid.uuid4(),
        patient=PatientDetails(
            mrn=patient.mrn,
            family_name=patient.family_name,
            given_name=patient.given_name,
            birth_date=patient.birth_date,
            sex=patient.sex,
            phone=patient.phone,
            language=patient.language,
        ),
        kind=slot.kind,
        indication=slot.indication,
        anaesthesia=slot.anaesthesia,
        levels=slot.levels,
        scheduled_at=at,
        operator=slot.operator,
        room=slot.room,
        team=({"user": nurse, "role": "nurse"}, {"user": watcher, "role": "watcher"}),
    )
    procedure, _ = open_procedure(
        booking=booking, site=site, operator=people[slot.operator], team=people, by=BY, now=now
    )
    if slot.done:
        # What is done was done just now, whatever the hour at which the clinic is opened.
        story = Story(
            kind=slot.kind,
            indication=slot.indication,
            anaesthesia=slot.anaesthesia,
            levels=slot.levels,
            incision_at=now - timedelta(minutes=30) if slot.done >= 4 else now - timedelta(minutes=2),
            operator=slot.operator,
            surgeon=surgeon,
            second_surgeon=second,
            nurse=nurse,
            watcher=watcher,
            sex=patient.sex,
            age=slot.age,
            patient_phone=patient.phone,
        )
        tick_phases(procedure, story, PHASES[: slot.done], people[nurse], now)
    return procedure


def tick_phases(procedure: Procedure, story: Story, phases: Sequence[str], nurse: User, now: datetime) -> None:
    """Tick whole phases in the nurse's name; the lists stay open for the signatures of people."""
    runs = {run.phase: run for run in Run.objects.filter(procedure=procedure).select_related("procedure__site")}
    by = Actor(user=nurse, role="nurse", via=Via.COMMAND.value)
    for phase, done in ticks(story, phases).items():
        apply_batch(run=runs[phase], events=[as_event(one, now) for one in done], by=by, tablet=None, now=now)


def as_event(ticked: Ticked, now: datetime) -> Incoming:
    """Return a tick as a tablet would have sent it."""
    return Incoming(
        id=str(uuid.uuid4()), key=ticked.key, value=ticked.value, occurred_at=min(ticked.at, now), payload="{}"
    )
