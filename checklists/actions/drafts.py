"""Write lists: drafts in versions, proposed by one person, approved and so published by another; a bad version withdrawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from checklists.actions.definitions import sha256_of
from checklists.models import DRAFT_ARROWS, Definition, Draft, DraftVersion, Run, Withdrawal
from checklists.queries.definitions import faults_of, in_force, newest_version
from checklists.rules.check import BrokenDefinition
from checklists.rules.derived import settled
from checklists.rules.differences import differences
from checklists.rules.shape import NAME, VERSION, shape_faults
from checklists.rules.written import storable_fault
from checklists.vocabulary import DraftStatus, RunStatus
from clinic.actions.audit import recording
from clinic.lib.prepared import fetch
from clinic.lib.problems import Denied, FieldError, Invalid, Refused
from clinic.lib.transitions import move
from clinic.models import Actor, User

REASON_LEAST = 10


def refused_by(faults: Sequence[BrokenDefinition], detail: str) -> Invalid:
    """Return the refusal that names every fault: `ITEM.field`, what is wrong and what to do."""
    return Invalid(
        "broken_definition",
        detail,
        [FieldError(" ".join(part for part in (one.item, one.field) if part), "broken", one.remedy) for one in faults],
    )


def open_draft(
    *,
    name: str,
    content: Mapping[str, Any],
    base: Definition | None,
    note: str,
    by: Actor,
    now: datetime,
    report: Sequence[Mapping[str, str]] = (),
) -> Draft:
    """Begin a draft of a list with its first version. Raise Refused `draft_in_work` where one is being worked on."""
    if not NAME.match(name):
        raise Invalid.field("list", "unknown_list", "The id of a list is up to 40 small letters, digits or _.")
    with recording(by=by, now=now) as trail:
        try:
            with transaction.atomic():
                draft = Draft.objects.create(name=name, base=base, author=_person(by), opened_at=now)
        except IntegrityError:
            raise Refused(
                "draft_in_work", f"Another draft of {name} is being worked on. Publish or discard it first."
            ) from None
        trail.add(
            stream=f"definition:{name}",
            action="draft.opened",
            subject=f"draft:{draft.public_id}",
            data={"name": name, "base": base.sha256 if base else None},
        )
        save_draft(draft=draft, content=content, number=0, note=note, by=by, now=now, report=report)
    return draft


def save_draft(
    *,
    draft: Draft,
    content: Mapping[str, Any],
    number: int,
    note: str,
    by: Actor,
    now: datetime,
    report: Sequence[Mapping[str, str]] = (),
) -> DraftVersion:
    """Keep what a draft says now as a version of its own; unfinished content is kept too.

    `number` is the version that was edited. Raise Refused `draft_changed` where somebody saved meanwhile, `draft_not_open`
    where it is proposed or closed, Invalid where the content cannot be stored or names another list.
    """
    fault = storable_fault(content)
    if fault:
        raise Invalid.field("content", "unreadable", fault)
    if content.get("id") != draft.name:
        raise Invalid.field("id", "other_list", f"This is a draft of {draft.name}. Leave its id as it was.")
    kept = dict(content) if any(shape_faults(draft.name, content)) else settled(content)
    with recording(by=by, now=now) as trail:
        _lock(draft)
        if draft.status != DraftStatus.OPEN:
            raise Refused("draft_not_open", f"This draft is {draft.status}. Take it back before you change it.")
        if draft.number != number:
            raise Refused(
                "draft_changed", "Somebody saved this draft since you read it. Compare, then save again over theirs."
            )
        row = DraftVersion.objects.create(
            draft=draft,
            number=number + 1,
            content=kept,
            sha256=sha256_of(kept),
            note=note[:500],
            report=list(report),
            saved_by=_person(by),
            saved_at=now,
        )
        draft.number = row.number
        Draft.objects.filter(pk=draft.pk).update(number=row.number)
        trail.add(
            stream=f"definition:{draft.name}",
            action="draft.saved",
            subject=f"draft:{draft.public_id}",
            data={"number": row.number, "sha256": row.sha256, "note": row.note},
        )
    return row


def propose_draft(*, draft: Draft, number: int, by: Actor, now: datetime) -> None:
    """Ask for approval of a version. Raise Invalid `broken_definition` with every fault, Refused where it changed."""
    with recording(by=by, now=now) as trail:
        _lock(draft)
        content = _settled_version(draft, number)
        move(
            draft,
            to=DraftStatus.PROPOSED.value,
            arrows=DRAFT_ARROWS,
            noun="draft",
            proposed_by=_person(by),
            proposed_at=now,
        )
        trail.add(
            stream=f"definition:{draft.name}",
            action="draft.proposed",
            subject=f"draft:{draft.public_id}",
            data={"number": number, "sha256": sha256_of(content)},
        )


def return_draft(*, draft: Draft, reason: str, by: Actor, now: datetime) -> None:
    """Send a proposed draft back to be worked on, with the reason."""
    if not reason.strip():
        raise Invalid.field("reason", "missing", "Say what should change.")
    with recording(by=by, now=now) as trail:
        _lock(draft)
        move(draft, to=DraftStatus.OPEN.value, arrows=DRAFT_ARROWS, noun="draft", proposed_by=None, proposed_at=None)
        trail.add(
            stream=f"definition:{draft.name}",
            action="draft.returned",
            subject=f"draft:{draft.public_id}",
            data={"number": draft.number, "reason": reason.strip()[:500]},
        )


def discard_draft(*, draft: Draft, by: Actor, now: datetime) -> None:
    """Give a draft up; its versions stay in the database."""
    with recording(by=by, now=now) as trail:
        _lock(draft)
        move(draft, to=DraftStatus.DISCARDED.value, arrows=DRAFT_ARROWS, noun="draft", closed_at=now)
        trail.add(
            stream=f"definition:{draft.name}",
            action="draft.discarded",
            subject=f"draft:{draft.public_id}",
            data={"number": draft.number},
        )


def approve_draft(*, draft: Draft, number: int, by: Actor, now: datetime) -> Definition:
    """Publish a proposed draft as a second person, who wrote none of it and did not propose it.

    The content is checked again beside the lists that are in force now. Raise Denied `own_draft`, Invalid, or Refused
    `same_content`, `version_published`, `draft_changed`.
    """
    person = _person(by)
    with recording(by=by, now=now) as trail:
        _lock(draft)
        if person in (draft.author, draft.proposed_by) or draft.versions.filter(saved_by=person).exists():
            raise Denied("own_draft", "You wrote or proposed this draft. Another administrator must approve it.")
        if draft.status != DraftStatus.PROPOSED:
            raise Refused("not_proposed", f"This draft is {draft.status}; only a proposed one can be approved.")
        content = _settled_version(draft, number)
        row = Definition.objects.create(
            name=draft.name,
            version=content["version"],
            kind=content["kind"],
            phase=content["phase"],
            code=content.get("code", ""),
            sha256=sha256_of(content),
            content=content,
            published_at=now,
            published_by=person,
            authored_by=draft.author,
        )
        move(
            draft,
            to=DraftStatus.PUBLISHED.value,
            arrows=DRAFT_ARROWS,
            noun="draft",
            approved_by=person,
            definition=row,
            closed_at=now,
        )
        trail.add(
            stream=f"definition:{draft.name}",
            action="definition.published",
            subject=f"definition:{row.pk}",
            data={
                "name": row.name,
                "version": row.version,
                "sha256": row.sha256,
                "draft": str(draft.public_id),
                "author": f"user:{draft.author.public_id}",
            },
        )
    return row


def withdraw_definition(*, definition: Definition, reason: str, by: Actor, now: datetime) -> Withdrawal:
    """Open nothing more on a version. Runs on it keep it and say so; they can be moved one by one.

    Raise Refused `nothing_left` where no other version could be opened in its place, `already_withdrawn`.
    """
    if len(reason.strip()) < REASON_LEAST:
        raise Invalid.field("reason", "too_short", f"Say why in at least {REASON_LEAST} characters.")
    with recording(by=by, now=now) as trail:
        # Two withdrawals at once would each leave the other's version behind.
        fetch("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"definition:{definition.name}"])
        versions = list(Definition.objects.filter(name=definition.name).only("pk"))
        gone = set(Withdrawal.objects.filter(definition__in=versions).values_list("definition", flat=True))
        if definition.pk in gone:
            raise Refused("already_withdrawn", "This version has been withdrawn already.")
        if not [row for row in versions if row.pk != definition.pk and row.pk not in gone]:
            raise Refused(
                "nothing_left", f"No other version of {definition.name} could be opened. Publish a mended one first."
            )
        row = Withdrawal.objects.create(
            definition=definition, reason=reason.strip(), withdrawn_by=_person(by), withdrawn_at=now
        )
        # Whoever works on such a list sees it with the next look.
        Run.objects.filter(definition=definition, status=RunStatus.OPEN.value).update(revision=F("revision") + 1)
        trail.add(
            stream=f"definition:{definition.name}",
            action="definition.withdrawn",
            subject=f"definition:{definition.pk}",
            data={"version": definition.version, "sha256": definition.sha256, "reason": row.reason},
        )
    return row


def next_version(name: str) -> str:
    """Return a version that no published one of the list has: the newest with its middle number raised."""
    published = Definition.objects.filter(name=name).values_list("version", flat=True)
    taken = [[int(part) for part in one.split(".")] for one in published if VERSION.match(one)]
    if not taken:
        return "1.0.0"
    major, minor, *_ = max(taken)
    return f"{major}.{minor + 1}.0"


def _settled_version(draft: Draft, number: int) -> dict[str, Any]:
    """Return the checked content of the newest version; `number` is the one that was read."""
    if draft.number != number:
        raise Refused("draft_changed", "Somebody saved this draft since you read it. Read it again.")
    content: dict[str, Any] = newest_version(draft).content
    faults = faults_of(content)
    if faults:
        raise refused_by(faults, f"{len(faults)} points stand against publishing this draft.")
    sha256 = sha256_of(content)
    now_used = in_force(draft.name)
    if Definition.objects.filter(sha256=sha256).exists() or (
        now_used is not None and not [one for one in differences(now_used.content, content) if one.field != "version"]
    ):
        raise Refused("same_content", "This content is published already. Change something, or discard the draft.")
    if Definition.objects.filter(name=draft.name, version=content["version"]).exists():
        raise Refused(
            "version_published", f"{draft.name} {content['version']} was published already. Raise the version."
        )
    return content


def _lock(draft: Draft) -> None:
    locked = Draft.objects.select_for_update(no_key=True, of=("self",)).get(pk=draft.pk)
    draft.status, draft.number, draft.proposed_by = locked.status, locked.number, locked.proposed_by


def _person(by: Actor) -> User:
    if by.user is None:
        raise Denied("no_person", "Lists are written and approved by persons.")
    return by.user
