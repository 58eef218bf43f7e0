"""Move an open run to another version of its list: shown before, signed by one person, nothing of its history lost."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from django.db.models import F

from checklists.actions.exceptions import lock
from checklists.actions.signing import Credential, may_sign
from checklists.actions.sync import Incoming, apply_batch
from checklists.models import Answer, Definition, Run, RunMove
from checklists.rules.moving import Plan, plan_move
from checklists.rules.nodes import Key
from checklists.vocabulary import RunStatus
from clinic.actions.audit import recording
from clinic.actions.credentials import check_credential
from clinic.lib.problems import Denied, Refused
from clinic.models import Actor, Membership, Tablet, User
from clinic.vocabulary import Role

_CLINICAL = (Role.NURSE, Role.SURGEON, Role.ANAESTHETIST, Role.FOLLOW_UP_NURSE)
# A repeated move of the same run to the same version takes back the same answers by the same events.
_TAKEN_BACK = uuid.UUID("0f6e0a43-92d1-5b1c-9d57-6d2f6f3a5e77")


def target_of(run: Run) -> Definition | None:
    """Return the version that an open run could be moved to: the one in force, where that is another."""
    if run.status != RunStatus.OPEN:
        return None
    own = Definition.objects.only("name").get(pk=run.definition_id)
    newest = Definition.objects.filter(name=own.name).newest().first()
    return newest if newest is not None and newest.pk != run.definition_id else None


def plan_for(run: Run, becomes: Definition) -> Plan:
    """Return what becomes of each answer of a run if it is moved (two queries)."""
    was = Definition.objects.get(pk=run.definition_id)
    rows = Answer.objects.filter(run=run).values_list("item", "part", "level", "side", "instance", "value", "event")
    return plan_move(
        was=was.content,
        was_sha256=was.sha256,
        becomes=becomes.content,
        becomes_sha256=becomes.sha256,
        answers=[(Key(*pieces), value, str(event)) for *pieces, value, event in rows],
    )


def move_run(
    *,
    run: Run,
    becomes: Definition,
    plan_sha256: str,
    user: User,
    credential: Credential,
    by: Actor,
    tablet: Tablet | None,
    now: datetime,
) -> RunMove:
    """Move an open run to the version in force, under the credential of somebody who could sign it.

    `plan_sha256` is the hash of the plan that was shown. Retired and unfit answers are taken back by events of that
    person, so that they count for nothing and stay in the history; earlier signatures were over the old list and count no
    more. Raise Refused `phase_signed`, `not_in_force`, `content_changed`; Denied for the person or the credential.
    """
    if not may_move(run, user, now):
        raise Denied("not_this_role", f"{user.get_full_name()} signs no part of this list.")
    proof = check_credential(user=user, pin=credential.pin, password=credential.password, by=by, now=now)
    with recording(by=by, now=now) as trail:
        # All lists of the case read each other: none takes a tick while one of them changes.
        list(Run.objects.select_for_update(no_key=True).filter(procedure=run.procedure_id).order_by("pk"))
        lock(run)
        if run.status != RunStatus.OPEN:
            raise Refused("phase_signed", "This list is signed: it keeps its version. Corrections are amendments.")
        newest = target_of(run)
        if newest is None or newest.pk != becomes.pk:
            raise Refused("not_in_force", "A list is moved to the version that is in force. Read it again.")
        plan = plan_for(run, becomes)
        if plan.sha256(str(run.public_id)) != plan_sha256:
            raise Refused(
                "content_changed", "The answers changed since they were shown. Read the plan again, then sign."
            )
        _take_back(run, plan, becomes, user=user, by=by, tablet=tablet, now=now)
        row = RunMove.objects.create(
            run=run,
            was_id=run.definition_id,
            becomes=becomes,
            plan=plan.as_json(),
            plan_sha256=plan_sha256,
            last_seq=run.last_seq,
            user=user,
            credential=proof,
            moved_at=now,
        )
        run.definition = becomes
        Run.objects.filter(pk=run.pk).update(definition=becomes)
        around = Run.objects.filter(procedure=run.procedure_id)
        around.update(moves_around=F("moves_around") + 1, revision=F("revision") + 1)
        run.refresh_from_db(fields=["moves_around", "revision"])
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="run.moved",
            subject=f"run:{run.public_id}",
            data={
                "phase": run.phase,
                "user": f"user:{user.public_id}",
                "credential": proof,
                "plan_sha256": plan_sha256,
                **plan.as_json(),
            },
        )
    return row


def may_move(run: Run, user: User, now: datetime) -> bool:
    """Tell whether a person may move a run: whoever may sign one of its parts; a form that nobody signs, any clinical role."""
    content = Definition.objects.only("content").get(pk=run.definition_id).content
    parts = content["conventions"]["signatures"]
    if parts:
        return any(may_sign(run, user, part, now) for part in parts)
    return Membership.objects.filter(
        user=user, site_id=run.procedure.site_id, is_active=True, role__in=[str(role) for role in _CLINICAL]
    ).exists()


def _take_back(
    run: Run, plan: Plan, becomes: Definition, *, user: User, by: Actor, tablet: Tablet | None, now: datetime
) -> None:
    keys = [*(key for key, _ in plan.retired), *(key for key, _, _ in plan.unfit)]
    reason = f"Moved to version {becomes.version}"
    events = [
        Incoming(
            id=str(uuid.uuid5(_TAKEN_BACK, f"{run.public_id}/{run.last_seq}/{becomes.sha256}/{key.text()}")),
            key=key,
            value=None,
            occurred_at=now,
            reason=reason,
        )
        for key in keys
    ]
    if not events:
        return
    roles = Membership.objects.filter(user=user, site_id=run.procedure.site_id, is_active=True)
    own = replace(by, user=user, role=",".join(sorted(roles.values_list("role", flat=True))))
    refused = [one for one in apply_batch(run=run, events=events, by=own, tablet=tablet, now=now) if one.code]
    if refused:
        raise Refused("not_taken_back", f"{refused[0].id}: {refused[0].reason}")
