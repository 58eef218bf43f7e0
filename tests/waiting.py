"""Wait for something that another process does, without guessing how long it takes."""

import threading
import time
from collections.abc import Callable


def eventually(question: Callable[[], object], *, seconds: float = 20.0, what: str = "") -> None:
    """Ask again every few milliseconds until the answer is true; fail after `seconds`."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what or question}")
        pause.wait(0.02)
