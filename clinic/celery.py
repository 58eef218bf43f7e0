"""The Celery application: it carries wake-ups only, every deadline is a row in PostgreSQL."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

app = Celery("clinic")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


#: Seconds that a worker keeps a connection: a page should not be what finds it too old.
KEPT_S = 3600


@worker_process_init.connect
def settle(**_: Any) -> None:
    """Take what was imported out of the collector's sight: looking through all of it would hold up a page."""
    from django.db import connections

    gc.freeze()
    connections["default"].settings_dict["CONN_MAX_AGE"] = KEPT_S


@task_prerun.connect
@task_postrun.connect
def keep_connections(**_: Any) -> None:
    """Let a task go on with the connection of the task before it, unless that one was lost, has aged or saw an error.

    Celery's own integration closes it around each task (settings.CELERY_DB_REUSE_MAX keeps it from that), and a page
    would wait for a new process of the server and for plans that had been made already.
    """
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            # A task that was called, not sent: the connection is its caller's.
            continue
        if connection.errors_occurred:
            connection.close()
        else:
            connection.close_if_unusable_or_obsolete()
