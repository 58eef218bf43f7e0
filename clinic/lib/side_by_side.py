"""Run calls that may hang, each in a thread of its own, and wait for all of them no longer than a given time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class _Run(Generic[T]):
    """One call with its result, or what it raised."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.result: T | BaseException | None = None
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:
            self.result = error


def side_by_side(calls: Sequence[Callable[[], T]], *, seconds: float) -> list[T | BaseException]:
    """Return each call's result, or the exception it raised; TimeoutError for those that were not done in time.

    A socket's timeout counts from byte to byte, so a peer that sends one byte a second would hold its caller for ever:
    here the whole call is bounded. What hangs is left behind in its daemon thread and its later result is dropped.
    """
    runs = [_Run(call) for call in calls]
    for run in runs:
        run.thread.start()
    end = monotonic() + seconds
    found: list[T | BaseException] = []
    for run in runs:
        run.thread.join(max(0.0, end - monotonic()))
        result = run.result
        found.append(TimeoutError() if run.thread.is_alive() or result is None else result)
    return found
