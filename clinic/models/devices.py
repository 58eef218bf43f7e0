"""What is not a person: shared tablets and the tokens of outside programs."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from clinic.models.people import Room, Site, User


class Tablet(models.Model):
    """A shared device enrolled to one site by an administrator."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="tablets")
    room = models.ForeignKey(Room, on_delete=models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=100)
    public_key = models.JSONField(
        null=True, blank=True, help_text="P-256 key as JWK; the private half never leaves the tablet"
    )
    enrolled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    enrolled_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class ApiToken(models.Model):
    """A key for an outside program: shown once, stored as a SHA-256 of 256 random bits, limited and expiring."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    sha256 = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100, blank=True)
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")), name="token_expires_after_it_is_made"
            )
        ]

    def __str__(self) -> str:
        return self.name or str(self.public_id)
