"""`demo drill`: a drill at the demo hospital from end to end, told as it happens, through the public API only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checklists.management.demo.accounts import Account
from checklists.management.demo.client import DayFailed, Person
from checklists.management.demo.day import team_of
from checklists.management.demo.telling import Teller
from complications.rules.drill import report_lines

#: Real seconds after which somebody must have been paged, or the drill has ended.
LONGEST_S = 45


class DemoDrill:
    """The first surgeon stays silent, the second one answers, and the report is printed."""

    def __init__(self, accounts: dict[str, Account], base_url: str, *, scale: int, out: Callable[[str], None]) -> None:
        self.team = team_of(accounts, base_url)
        self.teller = Teller(out, scale=scale)
        self.base_url, self.out = base_url, out
        self.id = ""

    def play(self) -> dict[str, Any]:
        """Play it and return the report; raise DayFailed at the first thing that is not as it must be."""
        say, first, second = self.teller.say, self.team.surgeon, self.team.second
        self.teller.head(f"A drill at the demo hospital (its policy runs {self.teller.scale} times faster)")
        begun = self.team.administrator.post("/drills/", {"tier": "t0", "pathway": "spine", "announced": False})
        self.id = begun["id"]
        say(
            f"{self.team.administrator.name}, administrator, begins an unannounced drill: an emergency of the spine, "
            f"for nobody's patient. Watch it: {self.base_url}/escalations/drills/{self.id}/"
        )
        self._await_page(first)
        say(f"Paged: {self._paged()}. Each message begins with DRILL; read them at {self.base_url}/inbox/")
        say(f"{first.name}, first on call, does not answer.")
        self._await_page(second)
        say(f"Five minutes of the policy have passed, so the next step pages: {second.name} and the anaesthetist.")
        self.teller.wait(2)
        answer = second.post(f"/escalations/{self.id}/acknowledgement/", {"eta_minutes": 10})
        if answer["status"] != "closed":
            raise DayFailed(f"The answer did not end the drill: {answer['status']}")
        say(f"{second.name} takes responsibility, at the bedside in ten minutes. The drill ends by itself.")
        late = first.ask("POST", f"/escalations/{self.id}/acknowledgement/", {"eta_minutes": 5}, also=[409])
        if late.status != 409:
            raise DayFailed("An ended drill could be answered.")
        report: dict[str, Any] = self.team.administrator.get(f"/drills/{self.id}/")["report"]
        self.teller.head("The report")
        for line in report_lines(report):
            self.out(line)
        failed = [one["name"] for one in report["criteria"] if not one["passed"]]
        if failed != ["answered_in_time"]:
            raise DayFailed(f"The report does not say what happened: {failed}")
        self.out(
            "\nThe chain held; the first surgeon's silence cost the tier's minutes, and the report says so. "
            f"To print: {self.base_url}/escalations/drills/{self.id}/"
        )
        return report

    def _messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.team.administrator.get(f"/escalations/{self.id}/")["messages"]
        return found

    def _paged(self) -> str:
        return ", ".join(sorted({one["recipient"] for one in self._messages() if one["sent_at"]}))

    def _await_page(self, person: Person) -> None:
        """Look at the drill until a message to this person has left."""
        for _ in range(LONGEST_S * 2):
            if any(one["recipient"] == person.name and one["sent_at"] for one in self._messages()):
                return
            self.teller.wait(self.teller.scale / 120)
        raise DayFailed(f"No page to {person.name} left in {LONGEST_S} s.")
