"""The proof that the engine is alive: who finished a sweep, and when."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from complications.models import EngineHeartbeat


def beat(*, name: str, now: datetime, took_over: int = 0, note: str = "") -> None:
    """Note that the engine `name` (`celery`, `watchman`) has just finished a sweep; `took_over` counts what it did late."""
    EngineHeartbeat.objects.bulk_create(
        [EngineHeartbeat(name=name, finished_at=now, took_over=0, note=note)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["finished_at", "note"],
    )
    if took_over:
        EngineHeartbeat.objects.filter(name=name).update(took_over=F("took_over") + took_over)
