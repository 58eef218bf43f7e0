"""What people put their name to: signatures, overrides, pauses, amendments. Only ever added."""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models

from checklists.models.events import KeyFields
from checklists.models.runs import Run
from checklists.vocabulary import PauseKind, SignatureRole
from clinic.models.constraints import one_of
from clinic.models.devices import Tablet
from clinic.models.people import User
from clinic.models.versions import CurrentEpoch, CurrentXid, Xid8Field

_APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class Signature(models.Model):
    """One person's signature in one part over exactly what was shown (`content_sha256`).

    Witnessed: a scrubbed person said it aloud and `witnessed_by` gave their own credential; the person signs again
    later (`countersigns`). `warnings` are the keys of the warnings that were on the screen.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="signatures")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20)
    content_sha256 = models.CharField(max_length=64)
    language = models.CharField(max_length=5)
    credential = models.CharField(max_length=10, help_text="pin or password")
    witnessed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    countersigns = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="countersignature")
    warnings = models.JSONField(default=list)
    tablet = models.ForeignKey(Tablet, on_delete=models.PROTECT, null=True, related_name="+")
    signed_at = models.DateTimeField()
    change_epoch = models.IntegerField(db_default=CurrentEpoch(), editable=False)
    change_xid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        constraints = [one_of("role", SignatureRole, "signature_role_known")]
        indexes = [
            models.Index(fields=["run", "role"], name="signature_by_run"),
            # the reminder of spoken signatures
            models.Index(
                fields=["signed_at"], condition=models.Q(witnessed_by__isnull=False), name="signature_witnessed"
            ),
            models.Index(fields=["change_epoch", "change_xid", "id"], name="signature_order"),
        ]
        triggers = [_APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.role} {self.public_id}"


class Override(KeyFields):
    """Two people of two roles let one stop pass, with a coded reason and their words; shown on every later screen."""

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="overrides")
    reason = models.CharField(max_length=40)
    text = models.TextField()
    blocker = models.JSONField(help_text="what was overridden, as the gate showed it")
    first = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    first_role = models.CharField(max_length=20)
    second = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    second_role = models.CharField(max_length=20)
    overridden_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(first=models.F("second")), name="override_by_two_people"),
            models.CheckConstraint(
                condition=~models.Q(first_role=models.F("second_role")), name="override_in_two_roles"
            ),
        ]
        triggers = [_APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.item} {self.reason}"


class Pause(models.Model):
    """The team stopped, went on, or said again who lies there and where the needles go."""

    append_only = True

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="pauses")
    kind = models.CharField(max_length=10)
    reason = models.CharField(max_length=40, blank=True)
    text = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [one_of("kind", PauseKind, "pause_kind_known")]
        triggers = [_APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.kind} {self.reason}"


class Amendment(KeyFields):
    """A correction of a signed list, shown beside the original; it changes no answer."""

    append_only = True

    public_id = models.UUIDField(unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="amendments")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField()
    event = models.UUIDField(null=True, help_text="the late event that it takes up, if any")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    amended_at = models.DateTimeField()

    class Meta:
        triggers = [_APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.item} {self.public_id}"
