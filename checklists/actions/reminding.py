"""What waits for somebody and is due: safety debt, ticks in another's name, spoken signatures. Looked for, never remembered."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from checklists.models import Event, Run, Signature
from checklists.queries.debts import outstanding
from checklists.queries.runs import countersigned_id
from checklists.vocabulary import EventOutcome
from clinic.actions.audit import Recording, recording
from clinic.actions.notification import Message, by_every_way, queue_notifications
from clinic.models import Actor, Site, User
from clinic.queries.contacts import ways_of
from clinic.queries.rota import read_rota
from clinic.vocabulary import Channel, Post

log = logging.getLogger("checklists.reminding")

SYSTEM = Actor.system("reminders")
#: How long a person's next way waits for the one before it to leave.
GAP = timedelta(minutes=10)
COUNTERSIGN_AFTER = timedelta(hours=24)
LOOKED_BACK = timedelta(days=14)
#: After each look at a debt that is still open, the next one. Then it stays on the list, and nobody is told again.
DEBT_LOOKS = (timedelta(minutes=60), timedelta(hours=23))
RETRY = timedelta(minutes=1)


def remind_debts(*, now: datetime, limit: int = 50) -> int:
    """Look at the safety debts that are due: settled ones end, open ones are told to who can pay them; return how many.

    First the operator and the nurse in charge, an hour later the head of department and the duty manager as well, and
    once more after a day. A look that fails is tried again and never stops the others.
    """
    looked = 0
    for key in list(
        Run.objects.filter(debt_due_at__lte=now).order_by("debt_due_at").values_list("pk", flat=True)[:limit]
    ):
        try:
            looked += _look(key, now)
        except Exception:
            log.exception("debt_not_looked_at", extra={"run": key})
            Run.objects.filter(pk=key).update(debt_due_at=now + RETRY)
    return looked


def _look(key: int, now: datetime) -> bool:
    with recording(by=SYSTEM, now=now) as trail:
        run = (
            Run.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
            .select_related("procedure__site", "procedure__patient", "procedure__operator", "procedure__room")
            .filter(pk=key, debt_due_at__lte=now)
            .first()
        )
        if run is None:
            return False
        owed = len(outstanding(run, now))
        step = run.debt_step
        scale = max(1, run.procedure.site.time_scale)
        following = now + DEBT_LOOKS[step] / scale if owed and step < len(DEBT_LOOKS) else None
        Run.objects.filter(pk=key).update(debt_due_at=following, debt_step=step + 1, revision=run.revision + 1)
        if owed:
            _tell_of_debt(run, owed, step, now)
        _note(trail, run, "debt.reminded" if owed else "debt.settled", owed, step)
    return True


def _note(trail: Recording, run: Run, action: str, owed: int, step: int) -> None:
    stream = f"procedure:{run.procedure.public_id}"
    trail.add(stream=stream, action=action, subject=f"run:{run.public_id}", data={"open": owed, "step": step})


def _tell_of_debt(run: Run, owed: int, step: int, now: datetime) -> None:
    posts = [Post.NURSE_IN_CHARGE, *([Post.HEAD_OF_DEPARTMENT, Post.DUTY_MANAGER] if step else [])]
    people = [run.procedure.operator, *_on_duty(run.procedure.site, posts, now)]
    kind = "debt_overdue" if step else "debt_due"
    _send(kind, f"debt:{run.public_id}:{step}", people, run, now, count=owed, urgent=bool(step))


def remind_waiting(*, now: datetime) -> int:
    """Remind of ticks in another's name and of spoken signatures that nobody countersigned for a day; return how many.

    The key of each message makes it one, however often this runs and however late.
    """
    since, until = now - COUNTERSIGN_AFTER - LOOKED_BACK, now - COUNTERSIGN_AFTER
    rows = list(
        Event.objects.filter(outcome=EventOutcome.HELD.value, recorded_at__gt=since, recorded_at__lte=until)
        .select_related("run__procedure__site", "actor", "claimed")
        .order_by("pk")
    )
    copies = {countersigned_id(row.public_id): row.public_id for row in rows}
    settled = {copies[one] for one in Event.objects.filter(public_id__in=copies).values_list("public_id", flat=True)}
    waits: dict[tuple[int, int], tuple[Run, User, int]] = {}
    for row in rows:
        if row.public_id in settled:
            continue
        person = row.actor or row.claimed
        for user in [person] if person else _on_duty(row.run.procedure.site, [Post.NURSE_IN_CHARGE], now):
            place = (row.run_id, user.pk)
            waits[place] = (row.run, user, waits[place][2] + 1 if place in waits else 1)
    sent = 0
    for run, user, count in waits.values():
        sent += _send("countersign_ticks", f"held:{run.public_id}", [user], run, now, count=count)
    own = Signature.objects.filter(countersigns=OuterRef("pk"))
    spoken = (
        Signature.objects.filter(~Q(witnessed_by=None), ~Exists(own), signed_at__gt=since, signed_at__lte=until)
        .select_related("run__procedure__site", "user")
        .order_by("pk")
    )
    for one in spoken:
        sent += _send("countersign_signature", f"spoken:{one.public_id}", [one.user], one.run, now, count=1)
    return sent


def _on_duty(site: Site, posts: Sequence[Post], now: datetime) -> list[User]:
    rota = read_rota(site, now)
    return [user for post in posts for user in rota.holders_of(post.value, now)]


def _send(
    kind: str, key: str, people: Iterable[User], run: Run, now: datetime, *, count: int, urgent: bool = False
) -> int:
    """Queue one message for each person, without a word about the patient."""
    site = run.procedure.site
    context = {
        "site": site.name,
        "count": count,
        "path": f"/runs/{run.public_id}/",
        "reference": run.public_id.hex[:6].upper(),
    }
    asked = [user for user in dict.fromkeys(people) if user.is_active]
    ways = ways_of(asked)
    messages = [
        one
        for user in asked
        for one in by_every_way(
            Message(
                dedup_key=f"{key}:user:{user.pk}",
                kind=kind,
                recipient=user,
                channel=Channel.INBOX,
                site=site,
                reference=f"run:{run.public_id}",
                context=context,
                urgent=urgent,
            ),
            ways[user.pk],
            gap=GAP,
            now=now,
        )
    ]
    return queue_notifications(messages, by=SYSTEM, now=now)
