"""Where a person can be reached, in their own order; and what a site tells machines."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q

from clinic.models.constraints import one_of
from clinic.models.people import Site, User
from clinic.vocabulary import Channel

#: What a person can have, and what a site can have.
PERSONAL = (Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.APPRISE)
OF_SITES = (Channel.WEBHOOK, Channel.APPRISE)


class ContactPointQuerySet(models.QuerySet["ContactPoint"]):
    """Questions about contact points."""

    def kept(self) -> Self:
        """Return those that nobody removed, in their order."""
        return self.filter(removed_at=None).order_by("position", "id")

    def in_use_since(self, since: datetime) -> Self:
        """Return those that are there now, or were when something began that still runs."""
        return self.filter(Q(removed_at=None) | Q(removed_at__gt=since)).order_by("position", "id")


class ContactPoint(models.Model):
    """One address of one person, or one machine of a site.

    A row is never deleted and its address never changes: a case that began before somebody removed an address still
    finds it when nothing else is left. `secrets` holds what the channel needs beside the address (the keys of a push
    subscription, the key of a webhook); it is in no export, no version table and no answer of the API.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="contact_points")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True, related_name="contact_points")
    kind = models.CharField(max_length=10)
    address = models.CharField(max_length=1000, help_text="e-mail, number (E.164), push endpoint or URL")
    label = models.CharField(max_length=80, blank=True)
    secrets = models.JSONField(default=dict)
    position = models.PositiveSmallIntegerField(default=0, help_text="0 is tried first")
    created_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True, blank=True, help_text="a code that went there came back")
    code_issued_at = models.DateTimeField(null=True, blank=True)
    code_tries = models.PositiveSmallIntegerField(default=0)
    tested_at = models.DateTimeField(null=True, blank=True, help_text="the latest test message that left")
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=40, blank=True, help_text="typed, e.g. gone, mailbox_refused")
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = ContactPointQuerySet.as_manager()

    class Meta:
        indexes = [
            # whom a page reaches, and a person's own list
            models.Index(fields=["user", "position"], name="contact_point_of_person"),
            models.Index(fields=["site", "kind"], name="contact_point_of_site", condition=Q(site__isnull=False)),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="address_never_changes", fields=["kind", "address", "user", "site"]),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, site__isnull=True, kind__in=[str(kind) for kind in PERSONAL])
                | Q(user__isnull=True, site__isnull=False, kind__in=[str(kind) for kind in OF_SITES]),
                name="contact_point_has_one_owner",
            ),
            one_of("kind", [*PERSONAL, Channel.WEBHOOK], "contact_point_kind_known"),
            models.UniqueConstraint(
                fields=["user", "kind", "address"],
                condition=Q(removed_at__isnull=True),
                name="contact_point_once_per_person",
            ),
            models.UniqueConstraint(
                fields=["site", "kind", "address"],
                condition=Q(removed_at__isnull=True, site__isnull=False),
                name="contact_point_once_per_site",
            ),
            # One browser has one push endpoint: a page for one person must never light up another's phone.
            models.UniqueConstraint(
                fields=["address"],
                condition=Q(removed_at__isnull=True, kind="push"),
                name="contact_point_one_person_per_phone",
            ),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True) | ~Q(disabled_reason=""),
                name="contact_point_disabled_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    @property
    def shown(self) -> str:
        """What people see of it: the label, or the address; never a push endpoint or a URL that holds a password."""
        if self.kind in (Channel.PUSH.value, Channel.APPRISE.value):
            return self.label or self.address.split(":", 1)[0]
        return self.address
