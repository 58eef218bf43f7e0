"""Signed checkpoints of the audit trail: what its heads were, kept outside the database too."""

from __future__ import annotations

from django.db import models


class AuditCheckpoint(models.Model):
    """One checkpoint. `statement` is RFC 8785 text over number, time, Merkle root, leaves and the one before; it is signed."""

    append_only = True

    number = models.PositiveIntegerField(unique=True)
    at = models.DateTimeField()
    statement = models.TextField()
    sha256 = models.CharField(max_length=64, help_text="of the statement; the next checkpoint names it")
    signature = models.CharField(max_length=128, help_text="Ed25519 over the statement's bytes, in hexadecimal")
    public_key = models.CharField(max_length=64, help_text="Ed25519, in hexadecimal")

    def __str__(self) -> str:
        return str(self.number)


class AuditCheckpointHead(models.Model):
    """The head of one stream as a checkpoint saw it: a leaf of its tree. Only streams that grew since are in it."""

    append_only = True

    checkpoint = models.ForeignKey(AuditCheckpoint, on_delete=models.PROTECT, related_name="heads")
    stream = models.TextField()
    seq = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        constraints = [
            # also the question "has this stream grown since the last checkpoint"
            models.UniqueConstraint(fields=["stream", "seq"], name="checkpoint_names_a_head_once"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.seq}"
