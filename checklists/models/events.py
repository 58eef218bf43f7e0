"""What was ticked, and what that leads to: events are history, answers their projection."""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import models

from checklists.models.runs import Run
from checklists.vocabulary import STORED
from clinic.models.constraints import one_of
from clinic.models.devices import Tablet
from clinic.models.people import User
from clinic.models.versions import CurrentEpoch, CurrentXid, Xid8Field, versioned


class KeyFields(models.Model):
    """The address of an answer: item, part, level, side, instance; empty where the item has none."""

    item = models.CharField(max_length=20)
    part = models.CharField(max_length=60, blank=True, default="")
    level = models.CharField(max_length=3, blank=True, default="")
    side = models.CharField(max_length=8, blank=True, default="")
    instance = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        abstract = True


class Event(KeyFields):
    """One thing that a person did to one item. Only ever added; its id was made on the tablet.

    `actor` did it, `sender` sent it (another person when the tablet changed hands: then it is held). Without an `actor`
    nobody has proven that they did it; `claimed` is whom its ticket names. `occurred_at` is the tablet's time,
    `recorded_at` the server's; `seq` is the order in which the run took them.
    """

    append_only = True

    # Nobody asks for events by person or tablet, and a run's are found by `event_seq_once_per_run`: an index for each of
    # these keys would only cost every tick.
    public_id = models.UUIDField(unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    value = models.JSONField(null=True)
    parent = models.UUIDField(null=True, blank=True)
    has_parent = models.BooleanField(help_text="false = the sender asked for no conflict check")
    mode = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=10)
    code = models.CharField(max_length=40, blank=True)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    role = models.CharField(max_length=100, blank=True)
    sender = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    claimed = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="whom an unproven ticket names",
    )
    tablet = models.ForeignKey(Tablet, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    clock = models.JSONField(null=True, help_text="the tablet's wall clock, monotonic clock and measured skew")
    clock_flag = models.CharField(max_length=20, blank=True, help_text="why the time is not believed; never refused")
    content_sha256 = models.CharField(max_length=64, help_text="by which a repeated event is told from another one")
    change_epoch = models.IntegerField(db_default=CurrentEpoch(), editable=False)
    change_xid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "seq"], name="event_seq_once_per_run"),
            one_of("outcome", STORED, "event_outcome_known"),
        ]
        indexes = [
            # the order of an export, and where an increment begins
            models.Index(fields=["change_epoch", "change_xid", "id"], name="event_order"),
            # the reminder of ticks in another's name
            models.Index(fields=["recorded_at"], condition=models.Q(outcome="held"), name="event_held"),
            # what waits for a countersignature or an amendment
            models.Index(fields=["run"], condition=models.Q(outcome__in=["late", "held"]), name="event_waiting"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return str(self.public_id)


def _locked(rows: str) -> str:
    """Return the body of a trigger that refuses a statement which touches answers of a run that is not open."""
    return f"""
    IF EXISTS (SELECT FROM ({rows}) AS touched JOIN checklists_run r ON r.id = touched.run_id WHERE r.status <> 'open') THEN
        RAISE EXCEPTION 'The run is signed: its answers are locked.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """


_OLD, _NEW = "SELECT DISTINCT run_id FROM old_values", "SELECT DISTINCT run_id FROM new_values"
_referencing: Any = pgtrigger.Referencing


# Once for a statement, not for each row: a batch of ticks is one statement.
@versioned("AnswerVersion", level=pgtrigger.Statement)
class Answer(KeyFields):
    """The current state of one item, rebuilt from the events by `rules.fold`.

    `heads` lists the standing events as [event id, value], the newest last; more than one is a conflict.
    """

    # `answer_once_per_key` begins with the run.
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="answers", db_index=False)
    value = models.JSONField(null=True)
    event = models.UUIDField()
    heads = models.JSONField()
    is_conflict = models.BooleanField(default=False)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "item", "part", "level", "side", "instance"], name="answer_once_per_key"
            ),
        ]
        # Once for a statement; with ON CONFLICT both the insert and the update are asked.
        triggers = [
            pgtrigger.Trigger(
                name=f"locked_when_signed_{name}",
                operation=operation,
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                referencing=referencing,
                func=_locked(rows),
            )
            for name, operation, referencing, rows in (
                ("insert", pgtrigger.Insert, _referencing(new="new_values"), _NEW),
                (
                    "update",
                    pgtrigger.Update,
                    _referencing(old="old_values", new="new_values"),
                    f"{_OLD} UNION {_NEW}",
                ),
                ("delete", pgtrigger.Delete, _referencing(old="old_values"), _OLD),
            )
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.part}".strip()


class Quarantined(models.Model):
    """A payload that could not be taken: kept here too, so that a wiped tablet loses nothing that was typed."""

    append_only = True

    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="quarantined")
    event = models.CharField(max_length=60, blank=True)
    payload = models.TextField()
    code = models.CharField(max_length=40)
    detail = models.TextField()
    sender = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    tablet = models.ForeignKey(Tablet, on_delete=models.PROTECT, null=True, related_name="+")
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["run", "received_at"], name="quarantined_by_run")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.code} {self.event}"
