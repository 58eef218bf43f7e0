"""Sites and the people who work there."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password, make_password
from django.db import models

from clinic.models.constraints import one_of
from clinic.vocabulary import Role


class Site(models.Model):
    """A hospital department: the wall that no record crosses."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, default="Europe/Istanbul")
    language = models.CharField(max_length=5, default="en")
    emergency_department = models.CharField(max_length=200, blank=True)
    phone_list = models.JSONField(
        default=list, help_text="[{name, number}], kept by every tablet for the day nothing works"
    )
    time_scale = models.PositiveSmallIntegerField(
        default=1, help_text="minutes of policies pass this many times faster; demo only"
    )
    content_approved_sha256 = models.CharField(
        max_length=64, blank=True, help_text="content set that the site has approved"
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(time_scale__gte=1), name="site_time_scale_at_least_1")]

    def __str__(self) -> str:
        return self.code

    @property
    def first_phone(self) -> tuple[str, str]:
        """Name and number to ring first, empty where nobody entered one as it should be: a page leaves all the same."""
        for entry in self.phone_list if isinstance(self.phone_list, list) else ():
            if isinstance(entry, dict) and entry.get("number"):
                return str(entry.get("name") or ""), str(entry["number"])
        return "", ""


class Room(models.Model):
    """A theatre of a site."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rooms")
    code = models.SlugField(max_length=20)
    name = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="room_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class UserManager(BaseUserManager["User"]):
    """Make people with a hashed password."""

    def create_user(self, username: str, password: str | None = None, **fields: object) -> User:
        """Create a person; without a password nobody can log in as them."""
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person of the hospital. Rights come from `Membership`, never from flags here."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    username = models.CharField(max_length=150, unique=True)
    full_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=32, blank=True)
    language = models.CharField(max_length=5, default="en")
    theme = models.CharField(max_length=5, default="auto")
    is_active = models.BooleanField(default=True)
    can_decompress = models.BooleanField(default=True, help_text="can open the canal; counts for surgeons only")
    pin_hash = models.CharField(max_length=255, blank=True)
    pin_failures = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["full_name"]

    objects = UserManager()

    class Meta:
        constraints = [one_of("theme", ["light", "dark", "auto"], "user_theme_known")]

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def set_pin(self, pin: str) -> None:
        """Store a six-digit PIN as an Argon2id hash; the caller saves the row."""
        self.pin_hash = make_password(pin)
        self.pin_failures = 0

    def check_pin(self, pin: str) -> bool:
        """Return whether `pin` is this person's; counting failures is the action's business."""
        return bool(self.pin_hash) and check_password(pin, self.pin_hash)


class Membership(models.Model):
    """A role that a person has at a site."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "site", "role"], name="membership_once"),
            one_of("role", Role, "membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.role} at site {self.site_id}"
