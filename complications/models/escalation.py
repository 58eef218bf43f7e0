"""An escalation, its events, and the policies that it is opened by."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q

from clinic.models import CurrentEpoch, CurrentXid, Procedure, Site, User, Xid8Field, versioned
from clinic.models.constraints import one_of
from complications.models.complications import Complication
from complications.rules.escalation import Standing
from complications.rules.policy import Policy
from complications.vocabulary import (
    OPEN_ESCALATIONS,
    Decision,
    EscalationStatus,
    EventKind,
    Milestone,
    Pathway,
    Setting,
    Tier,
)

OPEN = [status.value for status in OPEN_ESCALATIONS]


class EscalationPolicy(models.Model):
    """One version of a site's paging policy; the newest is in force. Open escalations keep the copy they began with."""

    append_only = True

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="escalation_policies")
    version = models.PositiveIntegerField()
    data = models.JSONField()
    reason = models.CharField(max_length=500, blank=True, default="", help_text="why it was set")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "version"], name="escalation_policy_version_once")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"policy {self.version}"


class EscalationQuerySet(models.QuerySet["Escalation"]):
    """Questions about escalations."""

    def at_site(self, site: Site) -> Self:
        """Return the site's escalations."""
        return self.filter(site=site)

    def cases(self) -> Self:
        """Return those of patients: no drill."""
        return self.filter(is_drill=False)

    def open(self) -> Self:
        """Return those that the engine still watches."""
        return self.filter(status__in=OPEN)

    def due(self, now: datetime) -> Self:
        """Return the open ones whose time has come."""
        return self.open().filter(next_due_at__lte=now)

    def for_display(self) -> Self:
        """Join what a row shows, so that a list costs a constant number of queries."""
        return self.select_related(
            "site", "procedure__patient", "procedure__operator", "procedure__room", "responsible", "opened_by"
        )


@versioned("EscalationVersion", exclude=["policy", "recipients", "next_due_at", "failures", "last_failure"])
class Escalation(models.Model):
    """A deficit that a surgeon has to answer.

        paging ──► acknowledged ──► at_bedside ──► decided ──► closed | transferred
           ▲            │ no arrival, or a worse tier            │ worse while observed
           └────────────┴────────────────────────────────────────┘
        any open state ──► raised_in_error

    `origin` is what the clocks count from, (`round`, `step`) the next step of the ladder and `page_due_at` its time;
    `next_due_at` is when the engine looks again, and an open escalation always has one.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="escalations")
    procedure = models.ForeignKey(
        Procedure, on_delete=models.PROTECT, related_name="escalations", null=True, help_text="none for a drill"
    )
    is_drill = models.BooleanField(default=False, help_text="synthetic: the real ladder for nobody's patient")
    complications = models.ManyToManyField(Complication, related_name="escalations")
    pathway = models.CharField(max_length=10)
    tier = models.CharField(max_length=2)
    status = models.CharField(max_length=20, default=EscalationStatus.PAGING.value)
    setting = models.CharField(max_length=20)
    source = models.CharField(max_length=120)
    triggers = models.JSONField(default=list, help_text="[{trigger, tier, reason}], worst first")
    chips = models.JSONField(default=list)
    policy = models.JSONField(help_text="the site's policy as it was when this began")
    policy_version = models.PositiveIntegerField()
    recipients = models.JSONField(default=dict, help_text="post → user ids on duty when this began")
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    opened_at = models.DateTimeField()
    found_at = models.DateTimeField(help_text="bedside time of the finding")
    onset_at = models.DateTimeField(null=True, blank=True)
    origin = models.DateTimeField()
    round = models.PositiveIntegerField(default=0)
    step = models.PositiveSmallIntegerField(default=0)
    page_due_at = models.DateTimeField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)
    responsible = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    first_acknowledged_at = models.DateTimeField(null=True, blank=True)
    eta_at = models.DateTimeField(null=True, blank=True)
    cannot_operate = models.BooleanField(default=False)
    hand_over_to = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    hand_over_due_at = models.DateTimeField(null=True, blank=True)
    arrived_at = models.DateTimeField(null=True, blank=True)
    first_arrived_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=30, blank=True)
    decision_data = models.JSONField(default=dict)
    decided_at = models.DateTimeField(null=True, blank=True)
    reexamine_at = models.DateTimeField(null=True, blank=True)
    milestones = models.JSONField(default=dict, help_text="kind → time")
    told = models.JSONField(default=list, help_text="clock warnings and breaches already told")
    closed_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    last_failure = models.CharField(max_length=200, blank=True)

    #: The number of the latest event, for a row that was read under its lock; kept in no column.
    last_seq: int | None = None

    objects = EscalationQuerySet.as_manager()

    class Meta:
        indexes = [
            # the engine's question: what is due
            models.Index(fields=["next_due_at"], name="escalation_due", condition=Q(status__in=OPEN)),
            # the list of a site, newest first
            models.Index(fields=["site", "-opened_at", "-id"], name="escalation_keyset"),
        ]
        constraints = [
            one_of("status", EscalationStatus, "escalation_status_known"),
            one_of("pathway", Pathway, "escalation_pathway_known"),
            one_of("tier", Tier, "escalation_tier_known"),
            one_of("setting", Setting, "escalation_setting_known"),
            one_of("decision", ["", *Decision], "escalation_decision_known"),
            models.UniqueConstraint(
                fields=["procedure", "pathway"], condition=Q(status__in=OPEN), name="escalation_one_open_per_pathway"
            ),
            # A drill has no procedure and so no patient, and no case is one: they can never be mixed.
            models.CheckConstraint(
                condition=Q(is_drill=True, procedure__isnull=True) | Q(is_drill=False, procedure__isnull=False),
                name="escalation_drill_has_no_procedure",
            ),
            models.UniqueConstraint(
                fields=["site"], condition=Q(is_drill=True, status__in=OPEN), name="escalation_one_open_drill"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=OPEN) | Q(next_due_at__isnull=False), name="escalation_open_is_watched"
            ),
            models.CheckConstraint(
                condition=Q(status__in=OPEN) | Q(closed_at__isnull=False), name="escalation_closed_has_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["acknowledged", "at_bedside"]) | Q(responsible__isnull=False),
                name="escalation_answered_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status="decided") | ~Q(decision=""), name="escalation_decided_has_a_decision"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tier} {self.public_id}"

    @property
    def case(self) -> Procedure:
        """The procedure of a case; raise ValueError for a drill, which has none."""
        if self.procedure is None:
            raise ValueError("A drill has no procedure.")
        return self.procedure

    @property
    def reference(self) -> str:
        """How the outbox names it."""
        return f"escalation:{self.public_id}"

    @property
    def short(self) -> str:
        """The opaque reference that people read in a message."""
        return self.public_id.hex[:6].upper()

    def standing(self) -> Standing:
        """Return the row as plain data for the rules."""
        return Standing(
            status=EscalationStatus(self.status),
            tier=Tier(self.tier),
            pathway=Pathway(self.pathway),
            setting=Setting(self.setting),
            policy=Policy(self.policy),
            origin=self.origin,
            round=self.round,
            step=self.step,
            page_due_at=self.page_due_at,
            acknowledged_at=self.acknowledged_at,
            first_acknowledged_at=self.first_acknowledged_at,
            eta_at=self.eta_at,
            cannot_operate=self.cannot_operate,
            hand_over_due_at=self.hand_over_due_at,
            arrived_at=self.arrived_at,
            first_arrived_at=self.first_arrived_at,
            decided_at=self.decided_at,
            decision=Decision(self.decision) if self.decision else None,
            reexamine_at=self.reexamine_at,
            milestones={Milestone(kind): datetime.fromisoformat(at) for kind, at in self.milestones.items()},
            told=frozenset(self.told),
        )


class EscalationEvent(models.Model):
    """What happened, in order; the state can be rebuilt from these rows alone (`data.state`)."""

    append_only = True

    escalation = models.ForeignKey(Escalation, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=30)
    at = models.DateTimeField()
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    actor_name = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    change_epoch = models.IntegerField(db_default=CurrentEpoch(), editable=False)
    change_xid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        ordering = ["escalation", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["escalation", "seq"], name="escalation_event_seq_once"),
            one_of("kind", EventKind, "escalation_event_kind_known"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq}"


class AcknowledgeLink(models.Model):
    """A link in a message by which one person may answer one escalation, once."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    escalation = models.ForeignKey(Escalation, on_delete=models.PROTECT, related_name="links")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["escalation", "user", "created_at"], name="acknowledge_link_once")
        ]

    def __str__(self) -> str:
        return str(self.public_id)
