"""Lists in the making: drafts in versions, their second approver, the withdrawal of a bad version, the move of an open run."""

from __future__ import annotations

import uuid
from typing import Self

import pgtrigger
from django.db import models

from checklists.models.definitions import Definition
from checklists.models.runs import Run
from checklists.vocabulary import DraftStatus
from clinic.models.constraints import one_of
from clinic.models.people import User

_APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)

#: open ──(proposed)──▶ proposed ──(approved by another person)──▶ published; proposed ──(sent back)──▶ open ──▶ discarded.
DRAFT_ARROWS: dict[str, frozenset[str]] = {
    DraftStatus.OPEN: frozenset({DraftStatus.PROPOSED, DraftStatus.DISCARDED}),
    DraftStatus.PROPOSED: frozenset({DraftStatus.OPEN, DraftStatus.PUBLISHED}),
    DraftStatus.PUBLISHED: frozenset(),
    DraftStatus.DISCARDED: frozenset(),
}

# Whoever wrote any version of the draft is no second pair of eyes; nor may text change under the eyes of the approver.
_APPROVER = """
    IF NEW.status = 'published' AND EXISTS (
        SELECT 1 FROM checklists_draftversion WHERE draft_id = NEW.id AND saved_by_id = NEW.approved_by_id
    ) THEN
        RAISE EXCEPTION 'A draft is approved by somebody who wrote none of it.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
_OPEN_ONLY = """
    IF (SELECT status FROM checklists_draft WHERE id = NEW.draft_id FOR NO KEY UPDATE) <> 'open' THEN
        RAISE EXCEPTION 'Only an open draft takes another version.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class DraftQuerySet(models.QuerySet["Draft"]):
    """Questions about drafts."""

    def in_work(self) -> Self:
        """Return the drafts that are neither published nor discarded."""
        return self.filter(status__in=[DraftStatus.OPEN, DraftStatus.PROPOSED])


class Draft(models.Model):
    """One list in the making; `number` is its newest version. Lists, and so drafts, are the same at every site."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    name = models.CharField(max_length=40)
    base = models.ForeignKey(Definition, on_delete=models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=20, default=DraftStatus.OPEN.value)
    number = models.PositiveIntegerField(default=0)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    definition = models.OneToOneField(Definition, on_delete=models.PROTECT, null=True, related_name="draft")

    objects = DraftQuerySet.as_manager()

    class Meta:
        constraints = [
            one_of("status", DraftStatus, "draft_status_known"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(status__in=[DraftStatus.OPEN.value, DraftStatus.PROPOSED.value]),
                name="draft_one_in_work_per_list",
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by=None)
                | (~models.Q(approved_by=models.F("author")) & ~models.Q(approved_by=models.F("proposed_by"))),
                name="draft_approved_by_another",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status=DraftStatus.PUBLISHED.value,
                    approved_by__isnull=False,
                    definition__isnull=False,
                    closed_at__isnull=False,
                )
                | (~models.Q(status=DraftStatus.PUBLISHED.value) & models.Q(approved_by=None, definition=None)),
                name="draft_published_when_approved",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="second_approver",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                func=_APPROVER,
            ),
            pgtrigger.Protect(
                name="closed_stays_closed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__status__in=["published", "discarded"]),
            ),
            pgtrigger.Protect(name="is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.public_id}"


class DraftVersion(models.Model):
    """What a draft said after one save. It may be unfinished: the checks are asked when it is proposed."""

    append_only = True

    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    sha256 = models.CharField(max_length=64)
    note = models.CharField(max_length=500, blank=True)
    report = models.JSONField(default=list, help_text="what a questionnaire said that could not be represented")
    saved_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["draft", "number"], name="draft_version_once")]
        triggers = [
            _APPEND_ONLY,
            pgtrigger.Trigger(
                name="open_drafts_only", operation=pgtrigger.Insert, when=pgtrigger.Before, func=_OPEN_ONLY
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draft_id} {self.number}"


class Withdrawal(models.Model):
    """A published version that turned out bad: nothing is opened on it any more, what runs on it says so."""

    append_only = True

    definition = models.OneToOneField(Definition, on_delete=models.PROTECT, related_name="withdrawal")
    reason = models.TextField()
    withdrawn_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField()

    class Meta:
        triggers = [_APPEND_ONLY]

    def __str__(self) -> str:
        return str(self.definition_id)


class RunMove(models.Model):
    """One person moved an open run to another version of its list, under their own credential.

    `plan` is what they were shown (`rules.moving`), `plan_sha256` its hash. Events up to `last_seq` were made on the old
    version. The database lets a run change its definition only along such a row.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="moves", db_index=False)
    was = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+")
    becomes = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+")
    plan = models.JSONField()
    plan_sha256 = models.CharField(max_length=64)
    last_seq = models.PositiveIntegerField()
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    credential = models.CharField(max_length=10, help_text="pin or password")
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(was=models.F("becomes")), name="run_move_to_another"),
        ]
        # the last move of a run, asked by its trigger
        indexes = [models.Index(fields=["run", "-id"], name="run_move_by_run")]
        triggers = [_APPEND_ONLY]

    def __str__(self) -> str:
        return str(self.public_id)
