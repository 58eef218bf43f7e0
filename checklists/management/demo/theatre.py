"""Today's theatre list: booked and ticked through the same actions as a tablet's, in mixed phases."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from checklists.actions.opening import open_procedure
from checklists.actions.signing import Credential, sign_phase
from checklists.actions.sync import Incoming, apply_batch
from checklists.management.demo.answers import Story, Ticked, ticks
from checklists.management.demo.clinic import BY
from checklists.management.demo.names import Identity, identity
from checklists.models import Run
from checklists.queries.runs import content_hash
from checklists.rules.nodes import PHASES
from clinic.actions.procedures import Booking, PatientDetails
from clinic.models import Actor, Procedure, Site, User
from clinic.vocabulary import Via


@dataclass(frozen=True)
class Slot:
    """One case of the list: `signed` phases are done when the clinic opens its doors; `begun`: the next is half ticked."""

    at: time
    room: str
    kind: str
    indication: str
    anaesthesia: str
    levels: tuple[str, ...]
    operator: str
    age: int
    woman: bool
    signed: int = 0
    begun: bool = False


#: Both procedures, one to four levels, every indication and every anaesthesia.
LISTS: dict[str, tuple[Slot, ...]] = {
    "A": (
        Slot(time(8, 30), "or1", "kyphoplasty", "osteoporotic_vcf", "general", ("T12", "L1"), "surgeon", 78, woman=True, signed=3,
             begun=True),
        Slot(time(8, 45), "ir1", "vertebroplasty", "osteoporotic_vcf", "local", ("L2",), "radiologist", 83, woman=True, signed=3,
             begun=True),
        Slot(time(9, 0), "or2", "vertebroplasty", "metastasis", "local_moderate_sedation", ("L3",), "surgeon2", 66, woman=False,
             signed=2, begun=True),
        Slot(time(10, 15), "or1", "kyphoplasty", "myeloma", "deep_sedation_mac", ("T9", "T11", "L1"), "head", 61, woman=False,
             signed=1, begun=True),
        Slot(time(10, 30), "ir1", "vertebroplasty", "traumatic_nonunion", "neuraxial", ("L4",), "radiologist", 71, woman=True,
             signed=1),
        Slot(time(11, 0), "or2", "vertebroplasty", "benign_lesion", "general", ("T10",), "surgeon2", 44, woman=True, signed=1),
        Slot(time(12, 30), "or1", "kyphoplasty", "acute_traumatic", "general", ("L1",), "surgeon", 58, woman=False),
        Slot(time(13, 0), "ir1", "vertebroplasty", "osteoporotic_vcf", "local", ("T7", "T8", "T12", "L1"), "radiologist", 88,
             woman=True),
        Slot(time(14, 0), "or2", "kyphoplasty", "other_malignant", "general", ("L2", "L3"), "surgeon2", 69, woman=False),
        Slot(time(15, 15), "or1", "vertebroplasty", "other", "local_moderate_sedation", ("L5",), "head", 75, woman=True),
    ),
    "B": (
        Slot(time(9, 0), "or1", "vertebroplasty", "osteoporotic_vcf", "local", ("L1",), "surgeon_b", 79, woman=True, signed=1),
        Slot(time(11, 0), "or1", "kyphoplasty", "osteoporotic_vcf", "general", ("T12",), "surgeon2_b", 72, woman=False),
    ),
}  # fmt: skip
STAFF = {
    "A": ("nurse", "anaesthetist", "surgeon", "surgeon2"),
    "B": ("nurse_b", "anaesthetist_b", "surgeon_b", "surgeon2_b"),
}


def plan_today(site: Site, pins: Mapping[str, str], now: datetime) -> list[Procedure]:
    """Put today's list on the board of a site, unless something is booked there today already; return what was added.

    `pins` by user name sign what is done.
    """
    zone = ZoneInfo(site.timezone)
    today = now.astimezone(zone).date()
    midnight = datetime.combine(today, time(), zone)
    if Procedure.objects.at_site(site).between(midnight, midnight + timedelta(days=1)).exists():
        return []
    people = {user.username: user for user in User.objects.filter(memberships__site=site).distinct()}
    chance = random.Random(f"{site.code} {today}")  # noqa: S311 - made-up patients, not secrets
    first = Procedure.objects.filter(site=site, patient__mrn__startswith="D").count() + 1
    return [
        put_on_list(site, slot, people, pins, _patient(chance, first + number, today, slot), now)
        for number, slot in enumerate(LISTS[site.code])
    ]


def _patient(chance: random.Random, number: int, today: date, slot: Slot) -> Identity:
    return identity(chance, number, on=today, age=slot.age, prefix="D", woman=slot.woman)


def put_on_list(
    site: Site, slot: Slot, people: dict[str, User], pins: Mapping[str, str], patient: Identity, now: datetime
) -> Procedure:
    """Book one case, tick and sign the phases that are done."""
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
    if slot.signed:
        # What is done was done just now, whatever the hour at which the clinic is opened.
        in_theatre = slot.signed >= PHASES.index("intra")
        story = Story(
            kind=slot.kind,
            indication=slot.indication,
            anaesthesia=slot.anaesthesia,
            levels=slot.levels,
            incision_at=now - timedelta(minutes=6) if in_theatre else now + timedelta(minutes=5),
            operator=slot.operator,
            surgeon=surgeon,
            second_surgeon=second,
            nurse=nurse,
            watcher=watcher,
            sex=patient.sex,
            age=slot.age,
            patient_phone=patient.phone,
        )
        Ticking(procedure, story, people, pins, now).tick(slot.signed, begun=slot.begun)
    return procedure


@dataclass(frozen=True)
class Ticking:
    """Ticks and signs the lists of one case in the names of its team."""

    procedure: Procedure
    story: Story
    people: dict[str, User]
    pins: Mapping[str, str]
    now: datetime

    def tick(self, signed: int, *, begun: bool) -> None:
        """Tick and sign the first `signed` phases, and half of the next where it has `begun`."""
        runs = {
            run.phase: run for run in Run.objects.filter(procedure=self.procedure).select_related("procedure__site")
        }
        by = Actor(user=self.people[self.story.nurse], role="nurse", via=Via.COMMAND.value)
        done = ticks(self.story, PHASES[: signed + begun])
        for number, (phase, all_of_it) in enumerate(done.items()):
            part = all_of_it if number < signed else all_of_it[: len(all_of_it) // 2]
            events = [as_event(one, self.now) for one in part]
            apply_batch(run=runs[phase], events=events, by=by, tablet=None, now=self.now)
            if number < signed:
                self._sign(runs[phase], by)

    def _sign(self, run: Run, by: Actor) -> None:
        definition = run.definition
        names = {"nurse": self.story.nurse, "watcher": self.story.watcher, "operator": self.story.operator}
        for role in definition.content["conventions"]["signatures"]:
            # Whoever has no log-in in the demo said it aloud; the nurse witnessed it.
            witness = None if names[role] in self.pins else self.people[self.story.nurse]
            sign_phase(
                run=run,
                user=self.people[names[role]],
                role=role,
                credential=Credential(pin=self.pins[self.story.nurse if witness else names[role]]),
                content_sha256=content_hash(run, definition.sha256, "en"),
                witnessed_by=witness,
                by=by,
                tablet=None,
                now=self.now,
            )


def as_event(ticked: Ticked, now: datetime) -> Incoming:
    """Return a tick as a tablet would have sent it."""
    return Incoming(
        id=str(uuid.uuid4()), key=ticked.key, value=ticked.value, occurred_at=min(ticked.at, now), payload="{}"
    )
