"""The clock of the day and its voice: an hour passes in a minute, and every line says when it happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from textwrap import wrap

WIDTH = 96


class Teller:
    """Tells what happens, with the time of the story; several threads may speak."""

    def __init__(self, out: Callable[[str], None], *, scale: int) -> None:
        self.out, self.scale = out, scale
        self.began = time.monotonic()
        self.lock = threading.Lock()

    def minutes(self) -> float:
        """Return the minutes of the story since eight in the morning."""
        return (time.monotonic() - self.began) * self.scale / 60

    def clock(self, *, ahead: float = 0) -> str:
        """Return the time of the story, or that many minutes later."""
        return (datetime(2000, 1, 1, 8, tzinfo=UTC) + timedelta(minutes=self.minutes() + ahead)).strftime("%H:%M")

    def say(self, text: str) -> None:
        """Tell one thing that happened just now."""
        lines = wrap(text, WIDTH - 7) or [""]
        with self.lock:
            self.out("\n".join([f"{self.clock()}  {lines[0]}", *(" " * 7 + line for line in lines[1:])]))

    def head(self, text: str) -> None:
        """Begin a chapter."""
        with self.lock:
            self.out(f"\n{text}\n{'-' * len(text)}")

    def wait(self, minutes: float) -> None:
        """Let that many minutes of the story pass."""
        # An hour of the story takes a minute: the policy's own waits pass at the same speed, and nothing polls here.
        threading.Event().wait(minutes * 60 / self.scale)


def now() -> datetime:
    """Return the time of this machine, as a tablet would."""
    return datetime.now(UTC)


def spoken(seconds: float, scale: int) -> str:
    """Return a duration of the story as a person says it."""
    minutes = round(seconds * scale / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"
