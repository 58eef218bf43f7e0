"""The rota: shifts, overrides and leave. Every change is audited; the database refuses what overlaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from psycopg.types.range import TimestamptzRange

from clinic.actions.audit import recording
from clinic.lib.problems import FieldError, Invalid, Refused
from clinic.models import Actor, Leave, Membership, Shift, ShiftOverride, Site, User
from clinic.vocabulary import POST_ROLES, Post

Span = tuple[datetime, datetime]

LONGEST = timedelta(days=400)
MOST_RANKS = 9


def add_shifts(
    *, site: Site, post: str, rank: int, user: User, spans: Sequence[Span], by: Actor, now: datetime
) -> list[Shift]:
    """Plan a person for one post and rank during each [start, end) and return the shifts.

    Raise Invalid naming the field (who may not hold the post, a time that has passed), Refused where somebody else is
    planned at that rank already: replace them by an override.
    """
    check_place(site=site, post=post, rank=rank, user=user)
    for span in spans:
        check_span(*span, now)
    with recording(by=by, now=now) as trail, _no_overlap(Shift, "shift_one_person_per_rank_at_a_time"):
        rows = Shift.objects.bulk_create(
            Shift(site=site, post=post, rank=rank, user=user, period=TimestamptzRange(*span)) for span in spans
        )
        trail.add(
            stream=f"site:{site.public_id}",
            action="shift.planned",
            subject=f"user:{user.public_id}",
            data={"post": post, "rank": rank, "shifts": len(rows), "from": spans[0][0], "to": spans[-1][1]},
        )
    return rows


def change_shift(
    *,
    shift: Shift,
    by: Actor,
    now: datetime,
    user: User | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Shift:
    """Give a shift another person or other times; what has passed stays as it was.

    Of a shift that has begun only the end can change (an override replaces the person). Raise Invalid, or Refused.
    """
    with recording(by=by, now=now) as trail:
        row = Shift.objects.select_for_update(of=("self",)).select_related("site", "user").get(pk=shift.pk)
        was = _as_data(row)
        begun = row.period.lower <= now
        if row.period.upper <= now:
            raise Refused("past", "This shift is over. What was, is kept as it was.")
        if begun and ((user is not None and user != row.user) or (start is not None and start != row.period.lower)):
            raise Refused("begun", "This shift has begun: only its end can change. Add an override for another person.")
        span = (start or row.period.lower, end or row.period.upper)
        check_span(*span, now)
        if user is not None:
            check_place(site=row.site, post=row.post, rank=row.rank, user=user)
            row.user = user
        row.period = TimestamptzRange(*span)
        with _no_overlap(Shift, "shift_one_person_per_rank_at_a_time"):
            row.save(update_fields=["user", "period"])
        trail.add(
            stream=f"site:{row.site.public_id}",
            action="shift.changed",
            subject=f"shift:{row.public_id}",
            data={"was": was, "is": _as_data(row)},
        )
    return row


def remove_shift(*, shift: Shift, by: Actor, now: datetime) -> None:
    """Take a shift off the rota; one that has begun ends now, one that is over is refused."""
    with recording(by=by, now=now) as trail:
        row = Shift.objects.select_for_update(of=("self",)).select_related("site", "user").get(pk=shift.pk)
        if row.period.upper <= now:
            raise Refused("past", "This shift is over. What was, is kept as it was.")
        data = _as_data(row)
        if row.period.lower < now:
            Shift.objects.filter(pk=row.pk).update(period=TimestamptzRange(row.period.lower, now))
        else:
            Shift.objects.filter(pk=row.pk).delete()
        trail.add(
            stream=f"site:{row.site.public_id}",
            action="shift.removed",
            subject=f"shift:{row.public_id}",
            data=data,
        )


def add_override(
    *,
    site: Site,
    post: str,
    rank: int,
    user: User,
    span: Span,
    reason: str,
    by: Actor,
    now: datetime,
    swap: Any = None,
) -> ShiftOverride:
    """Let another person hold a post and rank for a time, whoever is planned.

    Raise Invalid naming the field; Refused where another override stands in that time: cancel it first.
    """
    check_place(site=site, post=post, rank=rank, user=user)
    check_span(*span, now)
    with recording(by=by, now=now) as trail, _no_overlap(ShiftOverride, "shift_override_one_at_a_time"):
        row = ShiftOverride.objects.create(
            site=site,
            post=post,
            rank=rank,
            user=user,
            period=TimestamptzRange(*span),
            reason=reason,
            swap=swap,
            created_at=now,
            created_by=by.user,
        )
        trail.add(
            stream=f"site:{site.public_id}",
            action="override.begun",
            subject=f"shift_override:{row.public_id}",
            data={**_as_data(row), "reason": reason},
        )
    return row


def cancel_override(*, override: ShiftOverride, by: Actor, now: datetime) -> None:
    """Let the planned rota count again; of an override that has begun only the rest is cancelled."""
    with recording(by=by, now=now) as trail:
        row = ShiftOverride.objects.select_for_update(of=("self",)).select_related("site", "user").get(pk=override.pk)
        if row.cancelled_at is not None or row.period.upper <= now:
            raise Refused("over", "This override is over already.")
        _end(row, by, now)
        trail.add(
            stream=f"site:{row.site.public_id}",
            action="override.cancelled",
            subject=f"shift_override:{row.public_id}",
            data=_as_data(row),
        )


def add_leave(*, site: Site, user: User, span: Span, by: Actor, now: datetime) -> Leave:
    """Record that a person is away: from then on they hold nothing and are not paged. Raise Invalid or Refused."""
    check_span(*span, now)
    with recording(by=by, now=now) as trail, _no_overlap(Leave, "leave_once_at_a_time"):
        row = Leave.objects.create(
            site=site, user=user, period=TimestamptzRange(*span), created_at=now, created_by=by.user
        )
        trail.add(
            stream=f"site:{site.public_id}",
            action="leave.added",
            subject=f"user:{user.public_id}",
            data={"leave": str(row.public_id), "from": span[0], "to": span[1]},
        )
    return row


def cancel_leave(*, leave: Leave, by: Actor, now: datetime) -> None:
    """Let a person be paged again; of leave that has begun only the rest is cancelled."""
    with recording(by=by, now=now) as trail:
        row = Leave.objects.select_for_update(of=("self",)).select_related("site", "user").get(pk=leave.pk)
        if row.cancelled_at is not None or row.period.upper <= now:
            raise Refused("over", "This leave is over already.")
        _end(row, by, now)
        trail.add(
            stream=f"site:{row.site.public_id}",
            action="leave.cancelled",
            subject=f"user:{row.user.public_id}",
            data={"leave": str(row.public_id)},
        )


def _end(row: ShiftOverride | Leave, by: Actor, now: datetime) -> None:
    """Shorten what has begun, cancel what has not: who was paged yesterday stays to be read."""
    if row.period.lower < now:
        row.period = TimestamptzRange(row.period.lower, now)
        row.save(update_fields=["period"])
    else:
        row.cancelled_at, row.cancelled_by = now, by.user
        row.save(update_fields=["cancelled_at", "cancelled_by"])


def check_place(*, site: Site, post: str, rank: int, user: User) -> None:
    """Raise Invalid where there is no such post or rank, or the person may not hold it at this site."""
    if post not in set(Post):
        raise Invalid.field("post", "not_a_choice", f"Accepted: {', '.join(Post)}.")
    if not 1 <= rank <= MOST_RANKS:
        raise Invalid.field("rank", "out_of_range", f"A rank is a whole number from 1 to {MOST_RANKS}.")
    wrong = cannot_hold(site=site, post=Post(post), user=user)
    if wrong:
        raise Invalid.field("user", "cannot_hold", wrong)


def cannot_hold(*, site: Site, post: Post, user: User, roles: Sequence[str] | None = None) -> str:
    """Return why the person may not hold the post at this site, empty where they may.

    `roles` are the person's active roles there, where the caller has read them already.
    """
    if roles is None:
        roles = list(Membership.objects.filter(user=user, site=site, is_active=True).values_list("role", flat=True))
    needed = POST_ROLES.get(post, ())
    if not user.is_active or not roles:
        return f"{user.get_full_name()} does not work at this site."
    if needed and not set(roles) & {str(role) for role in needed}:
        return f"{user.get_full_name()} cannot hold this post: it needs the role {', '.join(needed)}."
    return ""


def check_span(start: datetime, end: datetime, now: datetime) -> None:
    """Raise Invalid where the time is empty, over, far away, or longer than anybody is planned."""
    wrong: list[FieldError] = []
    if not now.year - 10 <= start.year <= now.year + 10:
        wrong.append(FieldError("start", "out_of_range", "That year is not one to plan in."))
    elif end <= start:
        wrong.append(FieldError("end", "before_start", "The end comes after the start."))
    elif end <= now:
        wrong.append(FieldError("end", "past", "That time has passed: what was, is kept as it was."))
    elif end - start > LONGEST:
        wrong.append(FieldError("end", "too_long", f"At most {LONGEST.days} days at once."))
    if wrong:
        raise Invalid("invalid", wrong[0].detail, wrong)


@contextmanager
def _no_overlap(model: type[Shift | ShiftOverride | Leave], constraint: str) -> Iterator[None]:
    """Turn the database's refusal of an overlap into one that a person can act on."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if constraint not in str(error):
            raise
        raise Refused("overlaps", OVERLAPS[model.__name__]) from error


OVERLAPS = {
    "Shift": "Somebody is planned at this post and rank in that time. Add an override, or change their shift.",
    "ShiftOverride": "Another override of this post and rank stands in that time. Cancel it first.",
    "Leave": "This person has leave in that time already.",
}


def _as_data(row: Shift | ShiftOverride) -> dict[str, Any]:
    return {
        "post": row.post,
        "rank": row.rank,
        "user": str(row.user.public_id),
        "from": row.period.lower,
        "to": row.period.upper,
    }
