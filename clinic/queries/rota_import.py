"""What a calendar file would change in the rota: a plan to be read before anything is written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from clinic.lib.calendar_file import Occurrence, read_calendar
from clinic.lib.sentences import Sentence
from clinic.models import Membership, Shift, Site, User
from clinic.rules.rota_import import Colleague, Match, match
from clinic.vocabulary import POST_ROLES, Post

#: How far ahead a calendar is read.
AHEAD = timedelta(days=400)
KINDS = ("add", "change", "same", "remove", "leave_out")


@dataclass(frozen=True)
class Row:
    """One time of the file, or one shift that the file no longer has, with what happens to it."""

    outcome: str
    start: datetime
    end: datetime
    post: str
    rank: int
    person: User | None
    uid: str
    recurrence: str = ""
    line: int = 0
    field: str = ""
    detail: str = ""
    shift: Shift | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Post and rank."""
        return self.post, self.rank


@dataclass(frozen=True)
class ImportPlan:
    """What an import does, row by row; `digest` names exactly this plan."""

    rows: list[Row]
    digest: str

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each kind."""
        found = Counter(row.outcome for row in self.rows)
        return {kind: found[kind] for kind in KINDS}

    def of(self, *kinds: str) -> list[Row]:
        """Return the rows of some kinds."""
        return [row for row in self.rows if row.outcome in kinds]


def plan_import(*, site: Site, text: str, now: datetime, post: str = "", rank: int | None = None) -> ImportPlan:
    """Return what the calendar file `text` would change; raise Invalid naming line and property where it is malformed.

    An entry is known by UID and RECURRENCE-ID, so that the same file again changes nothing. What is over stays as it is;
    of a shift that has begun only the end can change.
    """
    file = read_calendar(text, ZoneInfo(site.timezone), now, now + AHEAD)
    known = {
        (shift.source_uid, shift.source_recurrence): shift
        for shift in Shift.objects.filter(site=site, source_uid__in=file.uids, period__endswith__gt=now)
        .select_related("user")
        .order_by("pk")
    }
    people, roles = _people(site)
    colleagues = [Colleague(user.pk, user.username, user.full_name, user.email) for user in people.values()]
    rows: list[Row] = []
    for one in file.occurrences:
        if one.end <= now:
            continue
        shift = known.pop((one.uid, one.recurrence), None)
        if one.cancelled:
            if shift is not None:
                rows.append(_gone(shift, one))
            continue
        found = match(
            summary=one.summary,
            attendees=one.attendees,
            categories=one.categories,
            people=colleagues,
            post=post,
            rank=rank,
        )
        rows.append(_row(one, found, shift, people, roles, now))
    rows += [_gone(shift, None) for shift in known.values()]
    rows = _without_overlaps(site, rows, now)
    digest = hashlib.sha256()
    for row in rows:
        person = row.person.pk if row.person else 0
        digest.update(repr((row.outcome, row.start, row.end, row.place, person, row.uid, row.recurrence)).encode())
    return ImportPlan(rows, digest.hexdigest())


def _people(site: Site) -> tuple[dict[int, User], dict[int, set[str]]]:
    people: dict[int, User] = {}
    roles: dict[int, set[str]] = {}
    members = Membership.objects.filter(site=site, is_active=True, user__is_active=True).select_related("user")
    for member in members.order_by("user_id"):
        people[member.user_id] = member.user
        roles.setdefault(member.user_id, set()).add(member.role)
    return people, roles


def _row(
    one: Occurrence,
    found: Match,
    shift: Shift | None,
    people: dict[int, User],
    roles: dict[int, set[str]],
    now: datetime,
) -> Row:
    person = people.get(found.person) if found.person is not None else None
    row = Row("add", one.start, one.end, found.post, found.rank, person, one.uid, one.recurrence, one.line, shift=shift)
    if person is None:
        return replace(row, outcome="leave_out", field=found.field, detail=found.detail)
    needed = {str(role) for role in POST_ROLES.get(Post(found.post), ())}
    if needed and not roles[person.pk] & needed:
        detail = Sentence(
            "%(name)s cannot hold this post: it needs the role %(roles)s.",
            name=person.get_full_name(),
            roles=", ".join(sorted(needed)),
        )
        return replace(row, outcome="leave_out", field="ATTENDEE", detail=detail)
    if shift is None:
        return row
    if (shift.user_id, shift.post, shift.rank) == (person.pk, *row.place):
        if (shift.period.lower, shift.period.upper) == (row.start, row.end):
            return replace(row, outcome="same")
        if shift.period.lower <= now and shift.period.lower == row.start:
            return replace(row, outcome="change")
    if shift.period.lower <= now:
        return replace(
            row, outcome="leave_out", field="DTSTART", detail=Sentence("This shift has begun: only its end can change.")
        )
    return replace(row, outcome="change")


def _gone(shift: Shift, one: Occurrence | None) -> Row:
    return Row(
        "remove",
        shift.period.lower,
        shift.period.upper,
        shift.post,
        shift.rank,
        shift.user,
        shift.source_uid,
        shift.source_recurrence,
        one.line if one else 0,
        shift=shift,
    )


def _without_overlaps(site: Site, rows: Sequence[Row], now: datetime) -> list[Row]:
    """Leave out what would put two people at one rank: the database would refuse the whole import."""
    touched = {row.shift.pk for row in rows if row.shift is not None and row.outcome in ("change", "remove")}
    taken: dict[tuple[str, int], list[tuple[datetime, datetime, str]]] = {}
    standing = Shift.objects.filter(site=site, period__endswith__gt=now).exclude(pk__in=touched)
    for shift in standing.select_related("user"):
        span = (shift.period.lower, shift.period.upper, shift.user.get_full_name())
        taken.setdefault((shift.post, shift.rank), []).append(span)
    done: list[Row] = []
    for row in rows:
        if row.outcome not in ("add", "change"):
            done.append(row)
            continue
        spans = taken.setdefault(row.place, [])
        other = next((name for start, end, name in spans if start < row.end and row.start < end), None)
        if other is not None:
            detail = Sentence("%(name)s is planned at this post and rank in that time.", name=other)
            done.append(replace(row, outcome="leave_out", field="DTSTART", detail=detail))
            if row.shift is not None:
                period = row.shift.period
                spans.append((period.lower, period.upper, row.shift.user.get_full_name()))
            continue
        spans.append((row.start, row.end, row.person.get_full_name() if row.person else ""))
        done.append(row)
    return done
