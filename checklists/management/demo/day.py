"""`demo day`: a day at the demo hospital, through the public API only, told as it happens."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from checklists.management.demo.accounts import Account
from checklists.management.demo.client import DayFailed, Person
from checklists.management.demo.driving import Case, Team, as_event
from checklists.management.demo.story import MainCase
from checklists.management.demo.telling import Teller, now, spoken
from checklists.management.demo.verifying import verify_day

USERNAMES = {
    "nurse": "nurse_d",
    "ward": "nurse2_d",
    "radiologist": "radiologist_d",
    "surgeon": "surgeon_d",
    "second": "surgeon2_d",
    "anaesthetist": "anaesthetist_d",
    "caller": "followup_d",
    "administrator": "admin_d",
}


def team_of(accounts: dict[str, Account], base_url: str) -> Team:
    """Return the team with connections of its own; raise DayFailed where an account is missing."""
    if missing := [name for name in USERNAMES.values() if name not in accounts]:
        raise DayFailed(
            f"No demo accounts for {', '.join(missing)}: run `manage.py demo seed` with this DATA_DIR first."
        )
    return Team(**{part: Person(accounts[name], base_url) for part, name in USERNAMES.items()})


def patient(number: int, given: str, family: str, born: date, sex: str) -> dict[str, Any]:
    """Return a made-up patient of the day."""
    return {
        "mrn": f"DAY{now():%y%m%d%H%M%S}{number}",
        "family_name": family,
        "given_name": given,
        "birth_date": born.isoformat(),
        "sex": sex,
        "phone": f"+90 555 900 00 {number:02d}",
        "language": "tr" if family[0] in "YÇÖ" else "en",
    }


def routine_cases(team: Team) -> list[Case]:
    """Return the seven cases of the day in which nothing comes of it."""
    surgeon, second, radiologist = team.surgeon.username, team.second.username, team.radiologist.username
    return [
        Case(team, "L2, local", "vertebroplasty", "osteoporotic_vcf", "local", ("L2",), radiologist,
             patient(1, "Hatice", "Yurt", date(1943, 5, 2), "female"), room="ir1"),
        Case(team, "T12 and L1, general", "kyphoplasty", "osteoporotic_vcf", "general", ("T12", "L1"), surgeon,
             patient(2, "Karin", "Lund", date(1949, 9, 30), "female"),
             instead={"INT-LEK-01@L1": ["intradiscal"], "SOU-IMG-01.leak@L1": ["intradiscal"]}),
        Case(team, "L3, metastasis", "vertebroplasty", "metastasis", "local_moderate_sedation", ("L3",), second,
             patient(3, "Josef", "Maier", date(1958, 1, 17), "male")),
        Case(team, "T9, T11 and L1, myeloma", "kyphoplasty", "myeloma", "deep_sedation_mac", ("T9", "T11", "L1"), second,
             patient(4, "Osman", "Çakır", date(1962, 11, 8), "male")),
        Case(team, "L4, fracture that did not heal", "vertebroplasty", "traumatic_nonunion", "neuraxial", ("L4",), radiologist,
             patient(5, "Sultan", "Öner", date(1951, 3, 25), "female"), room="ir1"),
        Case(team, "four levels, local", "vertebroplasty", "osteoporotic_vcf", "local", ("T7", "T8", "T12", "L1"), surgeon,
             patient(6, "Margaret", "Reid", date(1939, 7, 12), "female")),
        Case(team, "L1, fresh fracture", "kyphoplasty", "acute_traumatic", "general", ("L1",), second,
             patient(7, "Paolo", "Neri", date(1966, 2, 3), "male")),
    ]  # fmt: skip


@dataclass
class Routine:
    """The other patients of the day, driven beside the main case by a thread of their own."""

    cases: list[Case]
    teller: Teller
    stay: float
    agenda: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    count: Any = field(default_factory=itertools.count)
    failed: BaseException | None = None

    def at(self, minutes: float, act: Callable[[], object]) -> None:
        """Plan something for a minute of the story."""
        heapq.heappush(self.agenda, (minutes, next(self.count), act))

    def run(self) -> None:
        """Drive every case to its discharge."""
        try:
            for number, case in enumerate(self.cases):
                self.at(3 + 14 * number, lambda case=case: self.operate(case))  # type: ignore[misc]
            while self.agenda:
                due, _, act = heapq.heappop(self.agenda)
                self.teller.wait(max(0.0, due - self.teller.minutes()))
                act()
        except BaseException as error:
            self.failed = error

    def operate(self, case: Case) -> None:
        """Take one patient through theatre."""
        case.book()
        case.do("pre")
        self._sign_in(case)
        for phase in ("time_out", "intra", "sign_out"):
            case.do(phase)
        leak = " A little cement in the disc: a draft waits in the log." if case.instead else ""
        self.teller.say(f"[{case.title}] done and signed out by {case.team.named(case.operator).name}.{leak}")
        begun = self.teller.minutes()
        for minutes in (15, 30, 45, 60, 90, 120):
            if minutes < self.stay:
                self.at(begun + minutes, lambda: case.observe())
        self.at(begun + self.stay, lambda: self.leave(case))

    def _sign_in(self, case: Case) -> None:
        if case.indication != "metastasis":
            case.do("sign_in")
            return
        case.send("sign_in", case.ticks("sign_in", **{"SIN-CMT-01.lots.expiry": "2024-01-31"}))
        refused = case.sign("sign_in", {"nurse": case.team.nurse}, also=[409])
        if refused.status != 409:
            raise DayFailed("Expired cement was not stopped.")
        self.teller.say(
            f"[{case.title}] the cement pack expired in January 2024: stopped at sign in, another pack is fetched."
        )
        fresh = [one for one in case.ticks("sign_in") if one.key.node_id.startswith("SIN-CMT-01.lots")]
        case.deliver("sign_in", [as_event(one) for one in fresh])
        case.sign("sign_in", case.signers("sign_in"))

    def leave(self, case: Case) -> None:
        """Send a patient home."""
        case.observe()
        case.do("post")
        self.teller.say(f"[{case.title}] home, after {case.observed} checks.")


def play_day(
    accounts: dict[str, Account],
    base_url: str,
    *,
    scale: int,
    to_deficit: float,
    kill_worker: bool,
    out: Callable[[str], None],
) -> None:
    """Play the whole day; raise DayFailed at the first thing that is not as it must be."""
    teller = Teller(out, scale=scale)
    team = team_of(accounts, base_url)
    teller.head(f"A day at the demo hospital (time runs {scale} times faster; everything goes through the public API)")
    routine = Routine(routine_cases(team_of(accounts, base_url)), teller, stay=min(120.0, to_deficit + 45))
    teller.say("Eight patients are on today's list, in two rooms.")
    beside = threading.Thread(target=routine.run, name="routine", daemon=True)
    beside.start()
    main = MainCase(
        Case(
            team,
            "T10",
            "kyphoplasty",
            "osteoporotic_vcf",
            "local_moderate_sedation",
            ("T10",),
            team.radiologist.username,
            patient(0, "Nermin", "Yalçın", date(1950, 4, 19), "female"),
            room="ir1",
        ),
        teller,
        to_deficit=to_deficit,
        kill_worker=kill_worker,
    )
    main.play()
    beside.join(timeout=600)
    if routine.failed is not None:
        raise DayFailed(f"Beside the main case: {routine.failed}") from routine.failed
    verify_day(main, team, teller)
    found, theatre = main.times["found"], main.times["theatre"]
    took = spoken((theatre - found).total_seconds(), scale)
    answered = spoken((main.times["answered"] - found).total_seconds(), scale)
    teller.head("The day in a line")
    teller.say(
        f"Found to answered {answered}, found to theatre {took}. Eight patients, {sum(case.count for case in [*routine.cases, main.case])} "
        f"ticks, nothing lost. Without the page: a surgeon's next look was planned for {main.times['next_look']}."
    )
