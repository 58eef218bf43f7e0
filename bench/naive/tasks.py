"""A Celery task that says when it started, and does nothing else."""

import os
import time

import redis
from celery import Celery

app = Celery("bench", broker=os.environ.get("BENCH_BROKER", ""))
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 1


@app.task
def started(socket: str) -> None:
    """Tell when this began."""
    redis.Redis(unix_socket_path=socket, db=7).rpush("started", repr(time.time()))
