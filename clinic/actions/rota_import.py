"""Carry out the import of a calendar: all of its plan in one transaction, or nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import IntegrityError, transaction
from psycopg.types.range import TimestamptzRange

from clinic.actions.audit import recording
from clinic.lib.problems import Refused
from clinic.lib.sentences import Sentence
from clinic.models import Actor, Shift, Site
from clinic.queries.rota_import import ImportPlan, Row, plan_import


def import_rota(
    *,
    site: Site,
    text: str,
    digest: str,
    leave_out: bool,
    by: Actor,
    now: datetime,
    post: str = "",
    rank: int | None = None,
) -> ImportPlan:
    """Do what the plan of `plan_import` says and return it; the same file a second time changes nothing.

    `digest` names the plan that was read: Refused `changed` where rota or people changed since. Refused `left_out` where
    rows could not be matched and `leave_out` does not say to go on without them.
    """
    with recording(by=by, now=now) as trail:
        Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        plan = plan_import(site=site, text=text, now=now, post=post, rank=rank)
        if plan.digest != digest:
            raise Refused("changed", Sentence("The rota has changed since this was shown. Read what would happen now."))
        if plan.of("leave_out") and not leave_out:
            raise Refused(
                "left_out", Sentence("Some entries could not be matched. Mend the file, or go on without them.")
            )
        try:
            with transaction.atomic():
                _carry_out(site, plan, now)
        except IntegrityError as error:
            raise Refused(
                "overlaps", Sentence("Somebody changed the rota meanwhile. Read what would happen now.")
            ) from error
        counts = plan.counts
        if counts["add"] or counts["change"] or counts["remove"]:
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            trail.add(
                stream=f"site:{site.public_id}",
                action="rota.imported",
                subject=f"site:{site.public_id}",
                data={
                    **counts,
                    "sha256": sha256,
                    "rows": [_as_data(row) for row in plan.of("add", "change", "remove")],
                },
            )
    return plan


def _carry_out(site: Site, plan: ImportPlan, now: datetime) -> None:
    """Take off first, then put on: two people who change places never stand in each other's way."""
    again: list[Shift] = []
    for row in plan.of("remove", "change"):
        shift = row.shift
        if shift is None:
            continue
        begun = shift.period.lower < now
        if begun:
            end = row.end if row.outcome == "change" else now
            Shift.objects.filter(pk=shift.pk).update(period=TimestamptzRange(shift.period.lower, end))
        else:
            Shift.objects.filter(pk=shift.pk).delete()
            if row.outcome == "change":
                again.append(_shift(site, row, public_id=shift.public_id))
    Shift.objects.bulk_create([*again, *(_shift(site, row) for row in plan.of("add"))])


def _shift(site: Site, row: Row, **fields: object) -> Shift:
    return Shift(
        site=site,
        post=row.post,
        rank=row.rank,
        user=row.person,
        period=TimestamptzRange(row.start, row.end),
        source_uid=row.uid,
        source_recurrence=row.recurrence,
        **fields,
    )


def _as_data(row: Row) -> dict[str, object]:
    return {
        "what": row.outcome,
        "post": row.post,
        "rank": row.rank,
        "user": str(row.person.public_id) if row.person else "",
        "from": row.start,
        "to": row.end,
    }
