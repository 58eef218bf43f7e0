"""Swaps: one person proposes, the other accepts; until then the rota is as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.types.range import TimestamptzRange

from clinic.actions.audit import Recording, recording
from clinic.actions.rota import Span, add_override, check_place, check_span
from clinic.lib.problems import Denied, Invalid, NotFound, Refused
from clinic.lib.transitions import move
from clinic.models import Actor, ShiftOverride, ShiftSwap, Site, User
from clinic.queries.rota import read_rota
from clinic.vocabulary import SWAP_ARROWS, SwapStatus


@dataclass(frozen=True)
class Part:
    """A post and rank for a time."""

    post: str
    rank: int
    span: Span


def propose_swap(
    *, site: Site, giver: User, asked: User, part: Part, back: Part | None, by: Actor, now: datetime
) -> ShiftSwap:
    """Ask a colleague to take `part` of one's own rota, perhaps in exchange for `back`, a part of theirs.

    Nothing changes until they accept. Raise Invalid naming the field, Refused where one does not hold what one gives.
    """
    if giver == asked:
        raise Invalid.field("asked", "yourself", "Choose somebody else: you hold this already.")
    check_span(*part.span, now)
    check_place(site=site, post=part.post, rank=part.rank, user=asked)
    _must_hold(site, giver, part)
    if back is not None:
        check_span(*back.span, now)
        check_place(site=site, post=back.post, rank=back.rank, user=giver)
        _must_hold(site, asked, back)
    with recording(by=by, now=now) as trail:
        row = ShiftSwap.objects.create(
            site=site,
            proposed_by=giver,
            asked=asked,
            post=part.post,
            rank=part.rank,
            period=TimestamptzRange(*part.span),
            back_post=back.post if back else "",
            back_rank=back.rank if back else None,
            back_period=TimestamptzRange(*back.span) if back else None,
            proposed_at=now,
        )
        _note(trail, row, "proposed")
    return row


def answer_swap(*, swap: ShiftSwap, accept: bool, by: Actor, now: datetime) -> ShiftSwap:
    """Accept or decline a swap; only the person who was asked can.

    Accepted, it becomes one override for each of the two times. Raise Denied for anybody else; Refused where the time
    has begun, where it was answered before, or where the rota changed so that one of the two does not hold it any more.
    """
    with recording(by=by, now=now) as trail:
        row = _locked(swap)
        if by.user != row.asked:
            raise Denied("not_asked", "Only the person who was asked can answer this swap.")
        status = SwapStatus.ACCEPTED if accept else SwapStatus.DECLINED
        move(row, to=status.value, arrows=SWAP_ARROWS, noun="swap", answered_at=now)
        if accept:
            _carry_out(row, by, now)
        _note(trail, row, status.value)
    return row


def withdraw_swap(*, swap: ShiftSwap, by: Actor, now: datetime) -> ShiftSwap:
    """Take back what one proposed and nobody has answered. Raise Denied for anybody else, Refused once it is answered."""
    with recording(by=by, now=now) as trail:
        row = _locked(swap)
        if by.user != row.proposed_by:
            raise Denied("not_yours", "Only the person who proposed this swap can withdraw it.")
        move(row, to=SwapStatus.WITHDRAWN.value, arrows=SWAP_ARROWS, noun="swap", answered_at=now)
        _note(trail, row, "withdrawn")
    return row


def _locked(swap: ShiftSwap) -> ShiftSwap:
    row = (
        ShiftSwap.objects.select_for_update(of=("self",))
        .select_related("site", "proposed_by", "asked")
        .filter(pk=swap.pk)
        .first()
    )
    if row is None:
        raise NotFound
    return row


def parts_of(row: ShiftSwap) -> tuple[Part, Part | None]:
    """Return what is given and what is taken in exchange."""
    part = Part(row.post, row.rank, (row.period.lower, row.period.upper))
    if row.back_period is None or row.back_rank is None:
        return part, None
    return part, Part(row.back_post, row.back_rank, (row.back_period.lower, row.back_period.upper))


def _carry_out(row: ShiftSwap, by: Actor, now: datetime) -> None:
    part, back = parts_of(row)
    if part.span[0] <= now or (back is not None and back.span[0] <= now):
        raise Refused("begun", "This time has begun. Ask an administrator for an override.")
    _must_hold(row.site, row.proposed_by, part)
    if back is not None:
        _must_hold(row.site, row.asked, back)
    for one, user in ((part, row.asked), (back, row.proposed_by)):
        if one is not None:
            _make_room(row.site, one, by, now)
            add_override(
                site=row.site,
                post=one.post,
                rank=one.rank,
                user=user,
                span=one.span,
                reason="",
                swap=row,
                by=by,
                now=now,
            )


def _make_room(site: Site, part: Part, by: Actor, now: datetime) -> None:
    """Cut the part out of overrides that stand there: whoever holds a place by one may pass a piece of it on."""
    start, end = part.span
    standing = ShiftOverride.objects.filter(
        site=site, post=part.post, rank=part.rank, period__overlap=TimestamptzRange(start, end)
    ).standing()
    for row in standing.select_for_update():
        lower, upper = row.period.lower, row.period.upper
        if lower < start:
            row.period = TimestamptzRange(lower, start)
            row.save(update_fields=["period"])
        else:
            row.cancelled_at, row.cancelled_by = now, by.user
            row.save(update_fields=["cancelled_at", "cancelled_by"])
        if upper > end:
            ShiftOverride.objects.create(
                site=site,
                post=row.post,
                rank=row.rank,
                user_id=row.user_id,
                period=TimestamptzRange(end, upper),
                reason=row.reason,
                swap_id=row.swap_id,
                created_at=now,
                created_by=by.user,
            )


def _must_hold(site: Site, user: User, part: Part) -> None:
    """Raise Refused where the person does not hold the place during the whole time."""
    start, end = part.span
    rota = read_rota(site, start, end)
    place = (part.post, part.rank)
    segments = rota.plan.segments(start, end, [place])[place]
    if any(one.person != user.pk for one in segments):
        raise Refused("not_held", f"{user.get_full_name()} does not hold this post and rank during the whole time.")


def _note(trail: Recording, row: ShiftSwap, what: str) -> None:
    part, back = parts_of(row)
    data = {"from": part.span[0], "to": part.span[1], "post": part.post, "rank": part.rank}
    data |= {"by": str(row.proposed_by.public_id), "asked": str(row.asked.public_id)}
    if back is not None:
        data["back"] = {"post": back.post, "rank": back.rank, "from": back.span[0], "to": back.span[1]}
    trail.add(
        stream=f"site:{row.site.public_id}",
        action=f"swap.{what}",
        subject=f"swap:{row.public_id}",
        data=data,
    )
