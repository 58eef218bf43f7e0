"""Run calls that may hang, each in a thread of its own, and wait for each of them no longer than a given time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Running(Generic[T]):
    """A call in a thread of its own that is given up after `seconds`.

    A socket's timeout counts from byte to byte, so a peer that sends one byte a second would hold its caller for ever:
    here the whole call is bounded. What hangs is left behind in its daemon thread and its later result is dropped.
    """

    def __init__(self, call: Callable[[], T], *, seconds: float) -> None:
        self.call = call
        self.result: T | BaseException | None = None
        self.end = monotonic() + seconds
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:
            self.result = error

    @property
    def ended(self) -> bool:
        """Whether it is done, or was given up: `wait` answers at once."""
        return not self.thread.is_alive() or monotonic() >= self.end

    def wait(self) -> T | BaseException:
        """Return its result, or the exception it raised; TimeoutError where it was not done in time."""
        self.thread.join(max(0.0, self.end - monotonic()))
        result = self.result
        return TimeoutError() if self.thread.is_alive() or result is None else result


def side_by_side(calls: Sequence[Callable[[], T]], *, seconds: float) -> list[T | BaseException]:
    """Return each call's result, or the exception it raised; TimeoutError for those that were not done in time."""
    return [run.wait() for run in [Running(call, seconds=seconds) for call in calls]]
