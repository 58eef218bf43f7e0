"""The six lists of past cases: runs, events, answers and signatures as a team would have left them, written by COPY."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from checklists.actions.sync import Incoming, event_sha256
from checklists.management.demo.answers import Story, Ticked, catalogue_index, observation, ticks
from checklists.management.demo.bulk import Sheet, new_uuid, reserve_ids, stamp
from checklists.management.demo.entries import canonical
from checklists.management.demo.past import Team, Written
from checklists.models import Definition, Run
from checklists.rules.content import content_sha256
from checklists.rules.nodes import PHASES, Key
from clinic.models import Procedure, User

#: Minutes after the end at which the ward looked. The lists of real cases hold up to sixteen sets; past ones four.
OBSERVED = (15, 60, 120, 240)


@dataclass
class ListWriter:
    """Writes the lists of some past cases in one transaction, and returns the audit entries that go with them."""

    team: Team
    chance: random.Random
    definitions: dict[str, Definition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions = {row.name: row for row in Definition.objects.filter(name__in=PHASES).newest()}
        self.runs = Sheet(
            "checklists_run",
            "id public_id procedure_id phase definition_id status is_emergency last_seq revision opened_at opened_by_id",
        )
        self.events = Sheet(
            "checklists_event",
            "public_id run_id item part level side instance seq value parent has_parent mode reason outcome code actor_id "
            "role sender_id tablet_id occurred_at recorded_at clock clock_flag content_sha256",
        )
        self.answers = Sheet(
            "checklists_answer",
            "run_id item part level side instance value event heads is_conflict actor_id occurred_at recorded_at",
        )
        self.signatures = Sheet(
            "checklists_signature",
            "public_id run_id user_id role content_sha256 language credential warnings signed_at",
        )
        self.rows = 0

    def write(self, written: Sequence[Written]) -> dict[UUID, list[str]]:
        """Write the lists of these cases; return the entries of each procedure's stream, oldest first."""
        keys = iter(reserve_ids("checklists_run", 6 * len(written)))
        signed: list[tuple[int, datetime]] = []
        entries = {one.public_id: self._case(one, keys, signed) for one in written}
        self.rows += sum(sheet.send() for sheet in (self.runs, self.events, self.answers, self.signatures))
        # Answers are locked once their list is signed, so the lists are closed when everything is in.
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE checklists_run SET status = 'signed', signed_at = given.at "
                "FROM unnest(%s::bigint[], %s::timestamptz[]) AS given(id, at) WHERE checklists_run.id = given.id",
                [[key for key, _ in signed], [at for _, at in signed]],
            )
        return entries

    def _case(self, one: Written, keys: Any, signed: list[tuple[int, datetime]]) -> list[str]:
        story = story_of(one, self.team)
        stream = f"procedure:{one.public_id}"
        done = ticks(story)
        for number, minutes in enumerate(OBSERVED, start=1):
            done["post"] += observation(one.case.ended_at + timedelta(minutes=minutes), str(number))
        opened = {phase: self.definitions[phase].sha256 for phase in PHASES}
        entries = [canonical("runs.opened", stream, one.operator, "surgeon", one.case.booked_at, opened)]
        for phase in PHASES:
            key, public_id = next(keys), new_uuid(self.chance.getrandbits(128))
            entries += self._phase(one, phase, key, public_id, sorted(done[phase], key=lambda tick: tick.at), signed)
        return entries

    def _phase(
        self,
        one: Written,
        phase: str,
        key: int,
        public_id: UUID,
        done: Sequence[Ticked],
        signed: list[tuple[int, datetime]],
    ) -> list[str]:
        definition = self.definitions[phase]
        run = Run(public_id=public_id, procedure=Procedure(public_id=one.public_id), phase=phase)
        nurse = self.team.nurses[(one.key + (phase in {"pre", "post"})) % len(self.team.nurses)]
        told, heads = [], []
        for seq, tick in enumerate(done, start=1):
            event = new_uuid(self.chance.getrandbits(128))
            who, role = self._ticker(one, tick.key, nurse)
            incoming = Incoming(id=str(event), key=tick.key, value=tick.value, occurred_at=tick.at)
            digest = event_sha256(run, incoming, tick.value)
            value, at = json.dumps(tick.value), stamp(tick.at)
            self.events.add(
                *(event, key, *tick.key, seq, value, None, False, "", "", "applied", "", who.pk, role, who.pk, None),
                *(at, at, None, "", digest),
            )
            heads.append((tick.key, str(event)))
            told.append([str(event), seq, "applied", tick.key.text(), digest])
            self.answers.add(
                *(key, *tick.key, value, event, json.dumps([[str(event), tick.value]]), False, who.pk, at, at)
            )
        end = max(tick.at for tick in done) + timedelta(minutes=1)
        roles = definition.content["conventions"]["signatures"]
        self.runs.add(
            *(key, public_id, one.key, phase, definition.pk, "open", False, len(done), 1 + len(roles)),
            *(stamp(one.case.booked_at), one.operator.pk),
        )
        digest = content_sha256(run=str(public_id), definition=definition.sha256, language="en", answers=heads)
        subject = f"run:{public_id}"
        data: dict[str, Any] = {"phase": phase, "events": told}
        entries = [canonical("answers.recorded", subject, nurse, "nurse", end, data)]
        for number, role in enumerate(roles):
            signer = self._signer(one, role, nurse)
            at_time = end + timedelta(seconds=20 * (number + 1))
            self.signatures.add(
                *(
                    new_uuid(self.chance.getrandbits(128)),
                    key,
                    signer.pk,
                    role,
                    digest,
                    "en",
                    "pin",
                    "[]",
                    stamp(at_time),
                )
            )
            data = {"phase": phase, "user": f"user:{signer.public_id}", "role": role, "content_sha256": digest}
            data |= {"language": "en", "credential": "pin", "witnessed_by": None, "countersigns": None, "warnings": []}
            entries.append(canonical("signature.added", subject, signer, role, at_time, data))
        closed = end + timedelta(seconds=20 * len(roles))
        signed.append((key, closed))
        data = {"phase": phase, "content_sha256": digest, "definition": definition.sha256}
        return [
            *entries,
            canonical("run.signed", subject, self._signer(one, roles[-1], nurse), roles[-1], closed, data),
        ]

    def _ticker(self, one: Written, key: Key, nurse: User) -> tuple[User, str]:
        by = catalogue_index().nodes[key.node_id].raw.get("by", ["nurse"])[0]
        if by == "operator":
            return one.operator, "surgeon"
        return (self._watcher(one), "anaesthetist") if by == "anaesthetist" else (nurse, "nurse")

    def _signer(self, one: Written, role: str, nurse: User) -> User:
        return {"operator": one.operator, "watcher": self._watcher(one)}.get(role, nurse)

    def _watcher(self, one: Written) -> User:
        return self.team.anaesthetists[one.key % len(self.team.anaesthetists)]


def story_of(one: Written, team: Team) -> Story:
    """Return what the answers of a past case depend on."""
    case = one.case
    second = next(user for user in team.operators if user != one.operator)
    return Story(
        kind=case.kind,
        indication=case.indication,
        anaesthesia=case.anaesthesia,
        levels=[level.level for level in case.levels],
        incision_at=case.incision_at,
        ended_at=case.ended_at,
        operator=one.operator.username,
        surgeon=one.operator.username,
        second_surgeon=second.username,
        nurse=team.nurses[one.key % len(team.nurses)].username,
        watcher=team.anaesthetists[one.key % len(team.anaesthetists)].username,
        sex=case.patient.sex,
        age=case.age,
        nrs_rest=case.nrs_rest,
        nrs_movement=case.nrs_movement,
        cement_ml={level.level: level.cement_ml for level in case.levels},
        lot=case.levels[0].lot,
        patient_phone=case.patient.phone,
        disposition=case.disposition,
        instead={
            f"{item}@{level.level}": level.leak_sites
            for level in case.levels
            if level.leak_sites
            for item in ("INT-LEK-01", "SOU-IMG-01.leak")
        },
    )
