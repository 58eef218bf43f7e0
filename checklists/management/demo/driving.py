"""One case of the day, driven over the API: booked, ticked, signed, observed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from checklists.management.demo.answers import PHASE_START, Story, Ticked, observation, rfc, ticks
from checklists.management.demo.client import Answer, DayFailed, Person
from checklists.management.demo.telling import now

BATCH = 100


@dataclass
class Team:
    """Who works at the demo day's site."""

    nurse: Person
    ward: Person
    radiologist: Person
    surgeon: Person
    second: Person
    anaesthetist: Person
    caller: Person
    administrator: Person

    def named(self, username: str) -> Person:
        """Return the person with that user name."""
        people: list[Person] = list(self.__dict__.values())
        return next(person for person in people if person.username == username)


@dataclass
class Case:
    """One patient's way through the lists."""

    team: Team
    title: str
    kind: str
    indication: str
    anaesthesia: str
    levels: tuple[str, ...]
    operator: str
    patient: dict[str, Any]
    room: str = "or1"
    instead: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    runs: dict[str, str] = field(default_factory=dict)
    observed: int = 0
    count: int = 0

    def book(self) -> None:
        """Put the case on the list."""
        body = {
            "id": self.id,
            "patient": self.patient,
            "kind": self.kind,
            "indication": self.indication,
            "anaesthesia": self.anaesthesia,
            "levels": list(self.levels),
            "scheduled_at": rfc(now() + timedelta(minutes=1)),
            "room": self.room,
            "operator": self.operator,
            "team": [
                {"user": self.team.nurse.username, "role": "nurse"},
                {"user": self.team.anaesthetist.username, "role": "watcher"},
            ],
        }
        booked = self.team.nurse.post("/procedures/", body)
        self.runs = {run["phase"]: run["id"] for run in booked["runs"]}

    def story(self, phase: str) -> Story:
        """Return what the answers of a phase that begins now depend on."""
        second = self.team.second if self.operator == self.team.surgeon.username else self.team.surgeon
        return Story(
            kind=self.kind,
            indication=self.indication,
            anaesthesia=self.anaesthesia,
            levels=self.levels,
            incision_at=now() - PHASE_START[phase],
            operator=self.operator,
            surgeon=self.team.surgeon.username,
            second_surgeon=second.username if second is not self.team.surgeon else self.team.second.username,
            nurse=self.team.nurse.username,
            watcher=self.team.anaesthetist.username,
            sex=self.patient["sex"],
            age=date.today().year - int(self.patient["birth_date"][:4]),  # noqa: DTZ011 - a made-up age
            disposition="home",
            seconds_per_tick=0.02,
            instead=self.instead,
        )

    def ticks(self, phase: str, **instead: Any) -> list[Ticked]:
        """Return the honest ticks of a phase; `instead` by node id replaces values for this time only."""
        story = self.story(phase)
        return ticks(replace(story, instead={**story.instead, **instead}), [phase])[phase]

    def send(self, phase: str, done: Sequence[Ticked], by: Person | None = None) -> list[dict[str, Any]]:
        """Send ticks in batches and return what became of each; raise DayFailed where one was refused."""
        return self.deliver(phase, [as_event(one) for one in done], by)

    def deliver(self, phase: str, events: Sequence[dict[str, Any]], by: Person | None = None) -> list[dict[str, Any]]:
        """Send events as they lie in a tablet's queue."""
        person, results = by or self.team.nurse, []
        self.count += len(events)
        for start in range(0, len(events), BATCH):
            part = list(events[start : start + BATCH])
            answer = person.post(f"/runs/{self.runs[phase]}/events/", {"events": part})
            results += answer["results"]
        if refused := [one for one in results if one["outcome"] == "refused"]:
            raise DayFailed(f"{self.title}, {phase}: refused {refused[:3]}")
        return results

    def sign(self, phase: str, parts: dict[str, Person], *, also: Sequence[int] = ()) -> Answer:
        """Let each person sign their part with their own PIN; return the last answer."""
        shown = self.team.nurse.get(f"/runs/{self.runs[phase]}/?definition=0&language=en")["content_sha256"]
        answer: Answer | None = None
        for role, person in parts.items():
            body = {
                "user": person.username,
                "role": role,
                "credential": {"pin": person.account.pin},
                "content_sha256": shown,
            }
            answer = self.team.nurse.ask("POST", f"/runs/{self.runs[phase]}/signatures/", body, also=also)
        if answer is None:
            raise DayFailed(f"Nobody signs {phase}.")
        return answer

    def signers(self, phase: str) -> dict[str, Person]:
        """Return who signs a phase, by part."""
        operator = self.team.named(self.operator)
        everybody = {
            "nurse": self.team.nurse,
            "watcher": self.team.anaesthetist,
            "operator": operator,
            "ward_nurse": self.team.ward,
        }
        parts = {
            "pre": ["operator"],
            "sign_in": ["nurse", "watcher"],
            "time_out": ["nurse", "watcher", "operator"],
            "intra": ["nurse", "operator"],
            "sign_out": ["nurse", "watcher", "operator"],
            "post": ["ward_nurse"],
        }
        return {part: everybody[part] for part in parts[phase]}

    def do(self, phase: str, **instead: Any) -> int:
        """Tick and sign a phase in which nothing happens; return how many ticks it took."""
        done = self.ticks(phase, **instead)
        self.send(phase, done, self.team.ward if phase == "post" else None)
        self.sign(phase, self.signers(phase))
        return len(done)

    def observe(self, **changed: Any) -> list[dict[str, Any]]:
        """Record one set of observations on the ward."""
        self.observed += 1
        done = [replace(one, at=now()) for one in observation(now(), str(self.observed), **changed)]
        return self.send("post", done, self.team.ward)

    def gate(self, phase: str) -> dict[str, Any]:
        """Return what stands between a phase and its signatures."""
        found: dict[str, Any] = self.team.nurse.get(f"/runs/{self.runs[phase]}/gate/")
        return found


def as_event(one: Ticked) -> dict[str, Any]:
    """Return a tick as a tablet keeps it in its queue."""
    key = {name: value for name, value in one.key._asdict().items() if value}
    return {"id": str(uuid.uuid4()), **key, "value": one.value, "occurred_at": one.at.isoformat()}


def only(done: Iterable[Ticked], *node_ids: str) -> list[Ticked]:
    """Return the ticks of these nodes."""
    return [one for one in done if one.key.node_id in node_ids]


def moment(text: str) -> datetime:
    """Return a time that the API answered."""
    return datetime.fromisoformat(text)
