"""`manage.py watchman`: wakes Celery the moment something is due, and does the work itself when Celery does not."""

from __future__ import annotations

import gc
import logging
import queue
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection

from clinic.celery import app
from clinic.lib.clock import database_now
from complications.actions.clock_jumps import set_back
from complications.actions.heartbeat import beat
from complications.actions.sweeping import advance, deliver_due, remind
from complications.queries.audit_open import OpenAudit, audit_open
from complications.queries.engine import AUDIT, CLEAN_AUDIT, Overdue, look, overdue

log = logging.getLogger("complications.watchman")

TAKE_OVER_AFTER = timedelta(seconds=5)
# How soon is looked again: what was handed over, anything else.
ASK_AGAIN_S = 0.1
LOOK_EVERY_S = 1.0
# How often everything that is overdue is looked for. After this without a look the rounds no longer say that we live.
ROUND_EVERY_S = 1.0
SILENT_AFTER_S = 5.0
# So many cases go to one worker at a time: of many that fall due together each worker gets its share.
MOST_IN_A_BATCH = 25
AUDIT_EVERY_S = 10.0
HEARTBEAT_EVERY_S = 60.0


class Publisher(threading.Thread):
    """Hands due ids to Celery from a thread of its own: a frozen broker hangs this thread and nothing else.

    After a failure the circuit stays open for a while; what is not published is taken over by the watchman itself.
    """

    def __init__(self) -> None:
        super().__init__(name="publisher", daemon=True)
        self.waiting: queue.Queue[list[int]] = queue.Queue(maxsize=10)
        self.open_until = 0.0
        self.pause_s = 2.0

    def offer(self, keys: Sequence[int]) -> bool:
        """Pass a batch on; return False when the circuit is open or the thread still hangs in an earlier publish."""
        if not keys or monotonic() < self.open_until:
            return False
        try:
            self.waiting.put_nowait(list(keys))
        except queue.Full:
            return False
        return True

    def run(self) -> None:
        """Publish until the process ends."""
        while True:
            keys = self.waiting.get()
            try:
                for start in range(0, len(keys), MOST_IN_A_BATCH):
                    self.publish(keys[start : start + MOST_IN_A_BATCH])
                self.pause_s = 2.0
            except Exception as error:
                self.open_until = monotonic() + self.pause_s
                self.pause_s = min(self.pause_s * 2, 30.0)
                log.warning("publish_failed", extra={"error": type(error).__name__, "pause_s": self.pause_s})

    def publish(self, keys: Sequence[int]) -> None:
        """Hand one batch to Celery; raise what the broker's client raises."""
        app.send_task("complications.advance", args=(list(keys),), expires=10, retry=False)


class Beside(threading.Thread):
    """Does one thing again and again beside the looks, on a connection of its own: no page waits for it."""

    def __init__(self, name: str, work: Callable[[], object], *, every_s: float, stopped: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.work, self.every_s, self.stopped = work, every_s, stopped

    def run(self) -> None:
        """Work until the process ends; survive a lost database, and any fault of the work."""
        pause_s = 0.0
        while not self.stopped.wait(pause_s):
            pause_s = self.every_s
            try:
                self.work()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                log.error("database_lost", extra={"error": type(error).__name__, "in": self.name})
                connection.close()
            except Exception as error:
                # Whatever it is, nobody else goes round.
                log.exception("round_failed", extra={"error": type(error).__name__, "in": self.name})
                connection.close()
        connection.close()


class Watchman:
    """One look after another until it is told to stop; beside them what is late is taken over, and all is audited."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.publisher = Publisher()
        self.published: dict[int, datetime] = {}
        self.took_over = 0
        self.looked = monotonic()
        self.went_round = threading.Event()
        self.next_heartbeat = 0.0
        self.found = ""
        self.listener: psycopg.Connection[Any] | None = None

    def run(self) -> None:
        """Look, sleep until something is due or a report commits, look again; survive a lost database."""
        self.publisher.start()
        Beside("round", self.round, every_s=ROUND_EVERY_S, stopped=self.stopped).start()
        Beside("audit", self.audit_after_a_round, every_s=AUDIT_EVERY_S, stopped=self.stopped).start()
        while not self.stopped.is_set():
            try:
                self.sleep(self.look())
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                log.error("database_lost", extra={"error": type(error).__name__})
                self.hang_up()
                connection.close()
                self.stopped.wait(0.5)
        self.hang_up()

    def look(self) -> float:
        """Publish what is due; return how long nothing will be."""
        seen = look()
        # Counted from the answer: counted from the question it would wake up a little early, and look twice.
        self.looked = monotonic()
        self.publish(seen.due)
        longest = ASK_AGAIN_S if seen.due else LOOK_EVERY_S
        return longest if seen.idle_s is None else min(longest, max(0.0, self.looked + seen.idle_s - monotonic()))

    def round(self) -> None:
        """Take over what is overdue, and say that we live: both this thread and the one that looks."""
        now = database_now()
        set_back(now=now)
        late = overdue(now - TAKE_OVER_AFTER)
        done = self.take_over(late, now) if late.any else 0
        if monotonic() - self.looked < SILENT_AFTER_S:
            beat(name="watchman", now=database_now(), took_over=done)
        self.went_round.set()

    def publish(self, due: dict[int, datetime]) -> None:
        """Hand to Celery what has not been handed over yet for the same due time."""
        fresh = [key for key, at in due.items() if self.published.get(key) != at]
        if fresh and self.publisher.offer(fresh):
            self.published |= {key: due[key] for key in fresh}
        self.published = {key: at for key, at in self.published.items() if key in due}

    def take_over(self, late: Overdue, now: datetime) -> int:
        """Do what Celery should have done more than five seconds ago, and say so loudly."""
        done = advance(now=now) if late.engine else 0
        done += deliver_due(now=database_now()) if late.messages else 0
        done += remind(now=database_now()) if late.follow_ups else 0
        if done:
            self.took_over += done
            log.error("watchman_took_over", extra={"done": done, "oldest_s": round(late.oldest_s, 1)})
        return done

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`, or until a report's transaction commits."""
        if self.listener is None or self.listener.closed:
            self.listener = listen()
        for _ in self.listener.notifies(timeout=seconds, stop_after=1):
            break

    def hang_up(self) -> None:
        """Close the listening connection."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def audit_after_a_round(self) -> None:
        """Audit, the first time once a round has said that we live: nobody has heard of us before."""
        if self.went_round.wait(AUDIT_EVERY_S):
            self.audit()

    def audit(self) -> OpenAudit:
        """Look at all that is open, keep what was found, and tell the outside world only when all of it is well."""
        now = database_now()
        found = audit_open(now)
        beat(name=AUDIT, now=now, note=found.note())
        if found.clean:
            beat(name=CLEAN_AUDIT, now=now)
        if found.note() != self.found:
            # Said once for each thing that is found, not every ten seconds.
            self.found = found.note()
            if found.clean:
                log.info("audit_clean_again", extra={"open": found.open})
            else:
                log.error("audit_not_clean", extra={"open": found.open, **found.breaches})
        self.fetch_heartbeat(found)
        return found

    def fetch_heartbeat(self, found: OpenAudit) -> None:
        """Fetch the external heartbeat address once a minute after a clean audit; say why not after any other."""
        if not settings.HEARTBEAT_URL or monotonic() < self.next_heartbeat:
            return
        self.next_heartbeat = monotonic() + HEARTBEAT_EVERY_S
        if not found.clean:
            log.error("heartbeat_withheld", extra=found.breaches)
            return
        threading.Thread(target=fetch, args=(settings.HEARTBEAT_URL,), daemon=True).start()


def fetch(url: str) -> None:
    """Fetch the dead man's switch; a failure is only logged, its absence is the alarm."""
    if not url.startswith("https://") and not (settings.ALLOW_PRIVATE_ADDRESSES and url.startswith("http://")):
        log.error("heartbeat_not_https")
        return
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - from the settings, and checked above
            pass
    except OSError as error:
        log.warning("heartbeat_failed", extra={"error": type(error).__name__})


def listen() -> psycopg.Connection[Any]:
    """Return a direct connection that hears the reports (LISTEN does not work through a transaction pooler)."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold", "server_side_binding"):
        parameters.pop(name, None)
    link: psycopg.Connection[Any] = psycopg.connect(**parameters, autocommit=True)
    link.execute("LISTEN engine")
    return link


class Command(BaseCommand):
    """Run the watchman until SIGTERM or Ctrl-C."""

    help = "Watch what is due: wake Celery at once, and take over whatever is more than five seconds late."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        # What was imported needs no collecting, and looking through all of it would hold up a page.
        gc.freeze()
        # Whoever looks does not wait for long behind whoever goes round.
        sys.setswitchinterval(0.001)
        watchman = Watchman()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watchman.stopped.set())
        self.stdout.write("watchman: watching")
        watchman.run()
