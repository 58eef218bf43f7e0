"""The main case of the day: a leak into the canal at T10, a deficit two hours later, and who came."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from checklists.management.demo.client import DayFailed
from checklists.management.demo.driving import Case, as_event, moment, only
from checklists.management.demo.telling import Teller, now, spoken
from clinic.lib.embedded.places import Places


@dataclass
class MainCase:
    """Plays the main case and remembers the times that the end of the day speaks of."""

    case: Case
    teller: Teller
    to_deficit: float
    kill_worker: bool
    times: dict[str, Any] = field(default_factory=dict)

    def play(self) -> None:
        """Tell the whole story."""
        self.before()
        self.time_out()
        self.cement()
        self.leak()
        self.watch()
        self.deficit()
        self.theatre()

    @property
    def say(self) -> Callable[[str], None]:
        """How this case speaks."""
        return self.teller.say

    def before(self) -> None:
        """Assess the patient and sign in."""
        self.teller.head("Theatre: a kyphoplasty of T10")
        self.case.book()
        patient = self.case.patient
        self.say(
            f"{patient['given_name']} {patient['family_name']}, broken T10, on the list for a kyphoplasty. The operator is "
            f"{self.case.team.radiologist.name}, an interventional radiologist: no spine surgeon stands in the room."
        )
        count = self.case.do("pre") + self.case.do("sign_in")
        self.say(
            f"Assessment and sign in: {count} ticks on one tablet; each person signed with their own PIN. The baseline of "
            "both legs is full power."
        )

    def time_out(self) -> None:
        """Count the wrong vertebra, and be stopped."""
        done = self.case.ticks("time_out", **{"TOU-LVL-01.levels": ["T11"]})
        self.case.send("time_out", done)
        stops = [one for one in self.case.gate("time_out")["blockers"] if one["kind"] == "hard"]
        refused = self.case.sign("time_out", {"nurse": self.case.team.nurse}, also=[409])
        if refused.status != 409 or not stops:
            raise DayFailed("The wrong level was not stopped.")
        self.say(
            f"Time out: {self.case.team.nurse.name} touches the level that was counted: T11. Booked, consented and on the "
            f'MRI: T10. HARD STOP: "{stops[0]["reason"]}". Nobody can sign, and no two people can override it.'
        )
        recount = only(self.case.ticks("time_out"), "TOU-LVL-01.levels")
        self.case.send("time_out", recount)
        self.case.sign("time_out", self.case.signers("time_out"))
        self._confirm(
            "NRM-NEA",
            {"level": "T10", "fields": {"what": "level counted one too low, caught at time out"}},
            "Recounted from the sacrum.",
        )
        self.say(
            "Recounted from the sacrum: T10. All three sign. A near miss was drafted by itself; the operator confirms it."
        )

    def cement(self) -> None:
        """Go on ticking without a network."""
        done = self.case.ticks(
            "intra",
            **{
                "INT-STP-01@T10": ["leak_seen"],
                "INT-LEK-01@T10": ["epidural"],
                "INT-CMT-05": 1.6,
            },
        )
        live = [one for one in done if not one.key.node_id.startswith(("INT-STP", "INT-LEK", "INT-NEU", "INT-HAE"))]
        queue = [{**as_event(one), "occurred_at": now().isoformat()} for one in live]
        self.say(
            "The network of the theatre is cut. The team goes on: needle, balloon, cement; the tablet keeps the ticks."
        )
        self.teller.wait(14)
        self.say(f"{len(queue)} ticks wait on the tablet; the oldest is 14 minutes old. The network is back.")
        results = self.case.deliver("intra", queue)
        again = self.case.deliver("intra", queue)
        applied = sum(one["outcome"] == "applied" for one in results)
        replayed = sum(one["outcome"] == "replayed" for one in again)
        self.say(
            f"Delivered: {applied} of {len(queue)} taken, in order, with the times at which they were touched. The tablet "
            f"was not sure and sent them once more: {replayed} known already, none stored twice."
        )
        self.case.send("intra", [one for one in done if one not in live])
        self.case.sign("intra", self.case.signers("intra"))
        self.say("STOP: cement behind the vertebra on the lateral view. Injection ended at 3.2 mL; both legs move.")

    def leak(self) -> None:
        """The final pictures page; it is answered within minutes."""
        done = self.case.ticks(
            "sign_out",
            **{
                "SOU-IMG-01.leak@T10": ["epidural"],
                "SOU-IMG-01.canal_percent@T10": 10,
                "SOU-KEY-01.obs_plan": "hourly_24h",
            },
        )
        self.case.send("sign_out", done)
        self.case.sign("sign_out", self.case.signers("sign_out"))
        found = self._escalation()
        self.say(
            f"Final pictures: cement in the canal at T10. {found['urgency'].upper()}, opened by the tick itself. Paging: "
            f"{', '.join(sorted({one['name'] for one in found['paging']}))}. Next page in "
            f"{self._until(found['next_page_at'])}."
        )
        team = self.case.team
        self._confirm(
            "LEK-EPI",
            {"symptomatic": False, "detected_by": "fluoroscopy", "fields": {"yeom": "c", "canal_percent": 10}},
            "Seen on the final pictures.",
        )
        answer = team.radiologist.post(f"/escalations/{found['id']}/acknowledgement/", {"eta_minutes": 0})
        if not answer["cannot_operate"]:
            raise DayFailed("The radiologist's answer was taken for a surgeon's.")
        self.say(
            f'{team.radiologist.name} confirms the drafted leak and answers in the room. Shown as "cannot operate": the surgeon on call goes on being '
            "paged."
        )
        self.teller.wait(2)
        answer = team.surgeon.post(f"/escalations/{found['id']}/acknowledgement/", {"eta_minutes": 15})
        self.say(f"{team.surgeon.name}, first on call, takes responsibility after {self._since(found['opened_at'])}.")
        self._milestone("imaging_requested")
        self.teller.wait(10)
        team.surgeon.post(f"/escalations/{found['id']}/arrival/", {})
        self._milestone("imaging_done")
        self._milestone("imaging_reported")
        decision = {
            "decision": "observe",
            "reason": "CT: 15 % of the canal, no compression, legs as before.",
            "reexam_interval_minutes": 240,
            "imaging": {"modality": "ct", "finding": "cement", "level": "T10", "canal_percent": 15},
        }
        team.surgeon.post(f"/escalations/{found['id']}/decision/", decision)
        self.times["next_look"] = self.teller.clock(ahead=240)
        self.say(
            f"{team.surgeon.name} is at the bedside. CT: 15 % of the canal, legs as before. Decision: observe; checks are "
            "planned hourly for a day, the surgeon looks again in four hours."
        )

    def watch(self) -> None:
        """Check the patient as planned until something changes."""
        planned = self._observations()
        self.say(f"{len(planned)} neurological checks are planned, and the follow-ups up to a year.")
        end = self.teller.minutes() + self.to_deficit
        while self.teller.minutes() < end:
            self.case.observe()
            due = [moment(one["target_at"]) for one in self._observations()]
            wait = (min(due) - now()).total_seconds() * self.teller.scale / 60 if due else 15
            self.teller.wait(max(1.0, min(wait, end - self.teller.minutes())))
        self.say(
            f"{self.case.observed} checks so far, each as at the baseline. {self.case.team.surgeon.name} has left."
        )

    def deficit(self) -> None:
        """Find the weak foot; the first on call does not answer."""
        self.teller.head("Ward: the ankle")
        if self.kill_worker:
            self._kill_worker()
        before = now()
        self.case.observe(
            leg_l="weaker",
            hip_flexion_l="5",
            knee_extension_l="5",
            ankle_dorsiflexion_l="2",
            great_toe_extension_l="3",
            plantarflexion_l="4",
            nrs_back=6,
        )
        self.times["found"] = before
        found = self._escalation()
        if found["tier"] != "t0" or found["status"] != "paging":
            raise DayFailed(f"The deficit did not page: {found['tier']} {found['status']}")
        self.say(
            f"{self.case.team.ward.name} types it once: left ankle 5 before, 2 now. {found['urgency'].upper()}: it joins the "
            f"open alarm and raises it. Paging: {', '.join(sorted({one['name'] for one in found['paging']}))}."
        )
        second = self.case.team.second
        whole = self._await(lambda one: any(second.name == m["recipient"] and m["sent_at"] for m in one["messages"]))
        first = [m for m in whole["messages"] if m["sent_at"] and moment(m["created_at"]) >= before]
        left = (min(moment(m["sent_at"]) for m in first) - before).total_seconds()
        self.say(f"The first page left {left:.1f} real seconds after the tick, with the worker dead or not.")
        self.say(
            f"{self.case.team.surgeon.name}, first on call, does not answer. After {self._since(before)} the service pages on: "
            f"{second.name}, the anaesthetist on call."
        )
        self.teller.wait(6)
        second.post(f"/escalations/{found['id']}/acknowledgement/", {"eta_minutes": 10})
        self.times["answered"] = now()
        self.say(f"{second.name} answers after {self._since(before)}: at the bedside in ten minutes. The paging stops.")
        late = self.case.team.surgeon.ask(
            "POST", f"/escalations/{found['id']}/acknowledgement/", {"eta_minutes": 30}, also=[409]
        )
        if late.status != 409:
            raise DayFailed("A second surgeon could take what was taken.")
        who = late.body["detail"].partition(" at ")[0]
        self.say(f'{self.case.team.surgeon.name} rings up late and is told: "{who}."')
        self.times["messages"] = len(whole["messages"])

    def theatre(self) -> None:
        """Decide, and operate."""
        team, escalation = self.case.team, self._escalation()["id"]
        self.teller.wait(9)
        team.second.post(f"/escalations/{escalation}/arrival/", {})
        self._milestone("imaging_requested")
        self.say(
            f"{team.second.name} is at the bedside, {self._since(self.times['found'])} after the finding. MRI at once."
        )
        self.teller.wait(25)
        self._milestone("imaging_done")
        self._milestone("imaging_reported")
        decision = {
            "decision": "decompress",
            "reason": "Cement and haematoma press on the cord at T10.",
            "imaging": {"modality": "mri", "finding": "haematoma", "level": "T10", "canal_percent": 45},
            "cement_removed": False,
        }
        team.second.post(f"/escalations/{escalation}/decision/", decision)
        self._milestone("theatre_booked")
        self._milestone("family_told")
        self.say("Decision: decompress. Theatre is booked, the family is told.")
        self.teller.wait(40)
        closed = self._milestone("in_theatre")
        self.times["theatre"] = now()
        if closed["status"] != "closed":
            raise DayFailed(f"The alarm did not close at the start of theatre: {closed['status']}")
        self.say(
            f"In theatre, {self._since(self.times['found'])} after the ankle was found. The alarm closes; its clocks stay."
        )
        self.times["escalation"] = closed

    # -- small things ------------------------------------------------------------------------------------------------
    def _escalation(self) -> dict[str, Any]:
        rows = self.case.team.nurse.get(f"/escalations/?procedure={self.case.id}&status=open")["results"]
        if not rows:
            raise DayFailed("No alarm is open.")
        found: dict[str, Any] = self.case.team.nurse.get(f"/escalations/{rows[0]['id']}/")
        return found

    def _confirm(self, code: str, changes: dict[str, Any], reason: str) -> None:
        """Let the operator confirm the draft that a tick made."""
        operator = self.case.team.radiologist
        rows = operator.get(f"/complications/?type={code}&status=draft")["results"]
        mine = [row for row in rows if row["procedure"] == self.case.id]
        if not mine:
            raise DayFailed(f"No tick drafted {code}.")
        body = {"changes": changes, "status": "reported", "reason": reason}
        operator.post(f"/complications/{mine[0]['id']}/versions/", body)

    def _await(self, seen: Callable[[dict[str, Any]], bool], seconds: int = 60) -> dict[str, Any]:
        """Look at the alarm until something is to be seen in it."""
        for _ in range(seconds * 2):
            found = self._escalation()
            if seen(found):
                return found
            self.teller.wait(self.teller.scale / 120)
        raise DayFailed("The service did not page on in time.")

    def _milestone(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = self.case.team.nurse.post(f"/escalations/{self._id()}/milestones/", {"kind": kind})
        return found

    def _id(self) -> str:
        return str(self._escalation()["id"])

    def _observations(self) -> list[dict[str, Any]]:
        found = self.case.team.nurse.get(f"/follow-ups/?procedure={self.case.id}&kind=observation")
        rows: list[dict[str, Any]] = found["results"]
        return rows

    def _since(self, then: Any) -> str:
        start = moment(then) if isinstance(then, str) else then
        return spoken((now() - start).total_seconds(), self.teller.scale)

    def _until(self, then: str) -> str:
        return spoken((moment(then) - now()).total_seconds(), self.teller.scale)

    def _kill_worker(self) -> None:
        """Kill the worker of this machine's service: what is due must not depend on it."""
        file = Places(settings.DATA_DIR).run / "worker.pid"
        try:
            os.kill(int(file.read_text()), signal.SIGKILL)
        except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            return
        self.say("Somebody kills the worker process of the service (kill -9).")
