"""The follow-up plan of past cases: what was done, what was missed, what is still to come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from checklists.management.demo.bulk import Sheet, new_uuid, stamp
from checklists.management.demo.past import Team, Written
from clinic.models import User
from clinic.vocabulary import Role
from complications.actions.follow_up import looks_of
from complications.models.follow_up import VISIT
from complications.rules.follow_up import Planned, plan

#: Shares of visits that took place (K): the nearer, the surer.
DONE = {"FU-2H": 0.99, "FU-8H": 0.95, "FU-24H": 0.96, "FU-7D": 0.93, "FU-14D": 0.9, "FU-6W": 0.88, "FU-3M": 0.82}
LATER = 0.74


class VisitWriter:
    """Writes the visits of past cases, as the plan would have dated them, within the current transaction."""

    def __init__(self, team: Team, *, made_at: datetime, chance: random.Random) -> None:
        self.team, self.made_at, self.chance = team, made_at, chance
        self.zone = ZoneInfo(team.site.timezone)
        callers = User.objects.filter(
            memberships__site=team.site, memberships__role__in=[Role.FOLLOW_UP_NURSE.value, Role.NURSE.value]
        ).order_by("id")
        self.callers = list(callers.distinct())

    def write(self, written: Sequence[Written]) -> int:
        """Write the visits of these cases and return how many."""
        sheet = Sheet(
            "complications_followup",
            "public_id site_id procedure_id kind code part channel opens_at target_at closes_at status red_flags done_at "
            "done_by_id reason late next_look_at looks planned_at",
        )
        for one in written:
            died = next((event.at for event in one.case.events if event.code == "DTH"), None)
            for contact in plan(one.case.ended_at, self.zone, left_at=one.case.left_at):
                self._add(sheet, one, contact, died)
        return sheet.send()

    def _add(self, sheet: Sheet, one: Written, contact: Planned, died: datetime | None) -> None:
        status, done_at, reason, who = "planned", None, "", None
        if died is not None and died <= contact.closes_at and died < self.made_at:
            status, reason = "cancelled", "died"
        elif contact.target_at < self.made_at:
            if self.chance.random() < DONE.get(contact.code, LATER):
                spread = min(contact.closes_at, self.made_at) - contact.opens_at
                done_at = contact.opens_at + spread * self.chance.random()
                status, who = "done", self.callers[one.key % len(self.callers)].pk
            elif contact.closes_at + timedelta(days=14) < self.made_at:
                status, reason = "missed", "window closed"
        moments = sorted(looks_of(VISIT, contact))
        passed = sum(moment <= self.made_at for moment in moments)
        # What would have been looked at in the past is over: a year of reminders must not go out today.
        following = next((moment for moment in moments if moment > self.made_at), None)
        sheet.add(
            *(new_uuid(self.chance.getrandbits(128)), self.team.site.pk, one.key, VISIT, contact.code, contact.part),
            *(contact.channel, stamp(contact.opens_at), stamp(contact.target_at), stamp(contact.closes_at), status, []),
            *(stamp(done_at) if done_at else None, who, reason, False),
            *(stamp(following) if status == "planned" and following else None, passed, stamp(one.case.ended_at)),
        )
