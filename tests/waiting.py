"""Wait for something that another process does, without guessing how long it takes."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def eventually(question: Callable[[], Answer], *, seconds: float = 20.0, what: str = "") -> Answer:
    """Ask again every few milliseconds until the answer is true, and return it; fail after `seconds`."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what or question}")
        pause.wait(0.02)
    return answer
