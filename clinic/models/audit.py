"""The audit trail: hash chains per stream that only `audit_append()` may extend."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from django.db.models.functions import Cast

from clinic.models.people import User
from clinic.models.versions import CurrentEpoch, CurrentXid, Xid8Field
from clinic.vocabulary import Via


@dataclass(frozen=True)
class Actor:
    """Who acts, by which way, from which device; kept with every entry."""

    user: User | None
    role: str = ""
    via: str = Via.SESSION.value
    device: str = ""
    request_id: str = ""

    @classmethod
    def system(cls, name: str) -> Actor:
        """Return the service itself under one of its names (engine, sweep, command)."""
        return cls(user=None, role=name, via=Via.SYSTEM.value)

    @property
    def key(self) -> str:
        """The actor as the audit trail names it: `user:<uuid>`, or `system:<name>`."""
        return f"user:{self.user.public_id}" if self.user else f"system:{self.role or self.via}"


class JsonText(models.Func):
    """One text member of a JSON text, as an immutable expression that a generated column may use."""

    function = "jsonb_extract_path_text"
    output_field = models.TextField()

    def __init__(self, column: str, member: str) -> None:
        super().__init__(Cast(column, models.JSONField()), models.Value(member))


class AuditHead(models.Model):
    """The last entry of each stream."""

    read_only = True

    stream = models.TextField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()

    def __str__(self) -> str:
        return self.stream


class AuditEntry(models.Model):
    """One entry. `canonical` is RFC 8785 text; the columns after it are generated from it, so nothing is outside the hash.

    hash = sha256(0x02 ‖ sha256(stream) ‖ u64be(seq) ‖ prev ‖ sha256(canonical)); the first `prev` is 32 zero bytes.
    """

    read_only = True

    stream = models.TextField()
    seq = models.BigIntegerField()
    prev = models.BinaryField()
    hash = models.BinaryField()
    canonical = models.TextField()
    action = models.GeneratedField(
        expression=JsonText("canonical", "action"), output_field=models.TextField(), db_persist=True
    )
    actor = models.GeneratedField(
        expression=JsonText("canonical", "actor"), output_field=models.TextField(), db_persist=True
    )
    subject = models.GeneratedField(
        expression=JsonText("canonical", "subject"), output_field=models.TextField(), db_persist=True
    )
    at = models.GeneratedField(expression=JsonText("canonical", "at"), output_field=models.TextField(), db_persist=True)
    change_epoch = models.IntegerField(db_default=CurrentEpoch(), editable=False)
    change_xid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        indexes = [
            # "what did this person do", "what happened to this record", newest first
            models.Index(fields=["actor", "at"], name="audit_by_actor"),
            models.Index(fields=["subject", "at"], name="audit_by_subject"),
            models.Index(fields=["action", "at"], name="audit_by_action"),
            # the order of an export, and where an increment begins
            models.Index(fields=["change_epoch", "change_xid", "id"], name="audit_order"),
        ]
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="audit_seq_once_per_stream")]

    def __str__(self) -> str:
        return f"{self.stream} {self.seq}"


class AccessEntry(models.Model):
    """One person read one record in one hour; the only table that a GET may write."""

    append_only = True

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=60)
    hour = models.DateTimeField()
    device = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes = [models.Index(fields=["subject", "hour"], name="access_by_subject")]
        constraints = [models.UniqueConstraint(fields=["user", "subject", "hour"], name="access_once_per_hour")]

    def __str__(self) -> str:
        return self.subject
