"""What the engine would do with a report that nobody answers, played forward without doing it.

The moments come from the same functions that the engine asks (`upcoming`, `after_page`, `next_level`); who is reached is
asked of the caller. Plain data in, plain data out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from complications.rules.escalation import Standing, after_page, next_level, upcoming
from complications.rules.policy import Ladder

R = TypeVar("R")
Reach = Callable[[Sequence[str], datetime], Sequence[R]]

#: A ladder is played until its repeat ran this often; what follows only repeats.
REPEATS = 2
MOST = 400


@dataclass(frozen=True, slots=True)
class Moment(Generic[R]):
    """One thing that would happen: a step (`page`), a clock at 80 % (`warn`) or at its limit (`breach`).

    `posts` are those that it names, `people` those who are reached then; a step that reaches nobody is skipped.
    """

    at: datetime
    what: str
    posts: tuple[str, ...] = ()
    people: tuple[R, ...] = ()
    round: int = 0
    step: int = 0
    repeat: bool = False
    clock: str = ""

    @property
    def skipped(self) -> bool:
        """Return whether this step reaches nobody and is followed at once."""
        return self.what == "page" and not self.people


def horizon(ladder: Ladder) -> timedelta:
    """Return a time after which a played ladder has surely ended; quiet hours last less than a day."""
    last = ladder.steps[-1].after if ladder.steps else timedelta(0)
    return max(ladder.repeat_from, last) + (REPEATS + 1) * ladder.repeat_every + timedelta(days=1)


def play(standing: Standing, reach: Reach[R], *, opened_at: datetime) -> list[Moment[R]]:
    """Return what would happen from `opened_at` until the repeat ran twice, if nobody ever answered."""
    found: list[Moment[R]] = []
    now, repeats = opened_at, 0
    while repeats < REPEATS and len(found) < MOST:
        waiting = upcoming(standing)
        if not waiting:
            break
        due = waiting[0]
        now = max(now, due.at)
        if due.what == "page":
            moment = _step(standing, reach, now)
            repeats += moment.repeat
            turn, step, page_due_at = after_page(standing, now, reached=bool(moment.people))
            standing = replace(standing, round=turn, step=step, page_due_at=page_due_at)
        else:
            told = {f"{due.clock}:warned"} | ({f"{due.clock}:breached"} if due.what == "breach" else set())
            standing = replace(standing, told=standing.told | told)
            # The steps themselves say that nobody answered; any other breach tells the next level.
            posts = next_level(standing) if due.what == "breach" and due.clock != "acknowledgement" else ()
            moment = Moment(now, due.what, posts, tuple(reach(posts, now)) if posts else (), clock=due.clock)
        found.append(moment)
    return found


def _step(standing: Standing, reach: Reach[R], now: datetime) -> Moment[R]:
    ladder = standing.policy.ladder(standing.tier, standing.pathway)
    posts = ladder.recipients(standing.step)
    people = tuple(reach(posts, now))
    return Moment(now, "page", posts, people, standing.round, standing.step, standing.step >= len(ladder.steps))
