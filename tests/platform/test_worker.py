"""The worker that tests start is a real one: another process, the real broker, the same database."""

from pathlib import Path

from clinic.celery import app
from tests.waiting import eventually


def test_a_worker_takes_what_is_published(celery_worker: Path) -> None:
    app.send_task("celery.backend_cleanup", expires=30)
    eventually(lambda: "celery.backend_cleanup" in celery_worker.read_text().partition("ready.")[2])
