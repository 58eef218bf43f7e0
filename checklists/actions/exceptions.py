"""What a team does outside the plain course: let a stop pass, amend a signed list, leave a level, declare an emergency."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from checklists.actions.signing import Credential, may_sign
from checklists.models import Amendment, Answer, Definition, Override, Run
from checklists.queries.runs import gate_now, look_at
from checklists.queries.state import definitions_around, index_of
from checklists.rules.gates import OVERRIDABLE
from checklists.rules.nodes import Key
from checklists.rules.values import key_fault, value_fault
from checklists.vocabulary import RunStatus, SignatureRole
from clinic.actions.audit import recording
from clinic.actions.credentials import check_credential
from clinic.actions.procedures import update_facts
from clinic.lib.problems import Denied, Invalid, Refused
from clinic.models import Actor, Membership, TreatedLevel, User
from clinic.vocabulary import LevelStatus, Role

TEXT_LEAST = 10
DEBT_AFTER = timedelta(minutes=60)
_ROLES = {
    "nurse": Role.NURSE,
    "ward_nurse": Role.NURSE,
    "surgeon": Role.SURGEON,
    "anaesthetist": Role.ANAESTHETIST,
}


def override_stop(
    *,
    run: Run,
    key: Key,
    reason: str,
    text: str,
    people: tuple[tuple[User, str, Credential], tuple[User, str, Credential]],
    by: Actor,
    now: datetime,
) -> Override:
    """Let one overridable stop pass, by two people in two roles of whom one is operator or anaesthetist.

    Raise Refused `not_overridable` for a hard stop or where nothing stands at the key, Invalid or Denied for people or
    words that do not do.
    """
    definition = Definition.objects.get(pk=run.definition_id)
    reasons = [one["value"] for one in definition.content["conventions"]["reasons"]["override"]]
    if reason not in reasons:
        raise Invalid.field("reason", "unknown_reason", f"Use one of: {', '.join(reasons)}.")
    if len(text.strip()) < TEXT_LEAST:
        raise Invalid.field("text", "too_short", f"Say why in at least {TEXT_LEAST} characters.")
    (first, first_role, first_proof), (second, second_role, second_proof) = people
    if first == second or first_role == second_role:
        raise Invalid.field("people", "two_people_two_roles", "An override needs two people in two roles.")
    if not {first_role, second_role} & {"operator", "anaesthetist"}:
        raise Invalid.field("people", "operator_or_anaesthetist", "One of the two is the operator or an anaesthetist.")
    for user, role in ((first, first_role), (second, second_role)):
        if not _is_in_role(run, user, role, now):
            raise Denied("not_this_role", f"{user.get_full_name()} is not {role.replace('_', ' ')} here.")
    check_credential(user=first, pin=first_proof.pin, password=first_proof.password, by=by, now=now)
    check_credential(user=second, pin=second_proof.pin, password=second_proof.password, by=by, now=now)
    with recording(by=by, now=now) as trail:
        lock(run)
        if run.status != RunStatus.OPEN:
            raise Refused("phase_signed", "This list is signed already.")
        blocker = next((one for one in gate_now(run, look_at(run, now)).blockers if one.key == key), None)
        if blocker is None or blocker.kind != OVERRIDABLE:
            raise Refused("not_overridable", blocker.reason if blocker else "Nothing stands against signing there.")
        row = Override.objects.create(
            run=run,
            **key._asdict(),
            reason=reason,
            text=text.strip(),
            blocker=blocker.as_json(),
            first=first,
            first_role=first_role,
            second=second,
            second_role=second_role,
            overridden_at=now,
        )
        bump(run)
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="override.added",
            subject=f"run:{run.public_id}",
            data={
                "phase": run.phase,
                "key": key.text(),
                "reason": reason,
                "text": text.strip(),
                "blocker": blocker.as_json(),
                "by": [[f"user:{user.public_id}", role] for user, role, _ in people],
            },
        )
    return row


def _is_in_role(run: Run, user: User, role: str, now: datetime) -> bool:
    if role == "operator":
        return may_sign(run, user, SignatureRole.OPERATOR.value, now)
    return (
        role in _ROLES
        and Membership.objects.filter(
            user=user, site_id=run.procedure.site_id, is_active=True, role=_ROLES[role].value
        ).exists()
    )


def declare_emergency(*, run: Run, by: Actor, now: datetime) -> None:
    """Put a list into emergency mode: the short list now, the rest as safety debt, due in an hour. It is never taken back."""
    with recording(by=by, now=now) as trail:
        lock(run)
        if run.status != RunStatus.OPEN:
            raise Refused("phase_signed", "This list is signed already.")
        if run.is_emergency:
            return
        run.is_emergency = True
        run.debt_due_at = now + DEBT_AFTER / max(1, run.procedure.site.time_scale)
        Run.objects.filter(pk=run.pk).update(is_emergency=True, debt_due_at=run.debt_due_at)
        bump(run)
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="emergency.declared",
            subject=f"run:{run.public_id}",
            data={"phase": run.phase, "debt_due_at": run.debt_due_at},
        )


def decide_level(*, run: Run, level: str, treat: bool, reason: str, by: Actor, now: datetime) -> None:
    """Decide that a planned level is not treated, or is after all; its questions follow. Raise Invalid, Refused.

    What was ticked at the level is kept and counts for nothing while it is not treated.
    """
    if len(reason.strip()) < 3:
        raise Invalid.field("reason", "too_short", "Say why in a few words.")
    with recording(by=by, now=now) as trail:
        lock(run)
        if run.status != RunStatus.OPEN:
            raise Refused("phase_signed", "This list is signed already: amend it.")
        row = TreatedLevel.objects.filter(procedure=run.procedure, level=level).first()
        if row is None:
            raise Invalid.field("level", "unknown_level", "This level is not planned here.")
        status = (LevelStatus.PLANNED if treat else LevelStatus.NOT_TREATED).value
        if row.status == status:
            return
        update_facts(procedure=run.procedure, facts={}, level_facts={level: {"status": status}}, by=by, now=now)
        bump(run)
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="level.decided",
            subject=f"run:{run.public_id}",
            data={"level": level, "status": status, "was": row.status, "reason": reason.strip()},
        )


def amend_run(
    *,
    run: Run,
    amendment: UUID,
    key: Key,
    value: Any,
    reason: str,
    event: UUID | None,
    user: User,
    credential: Credential,
    by: Actor,
    now: datetime,
) -> Amendment:
    """Add a correction beside a signed list, under the credential of the person who makes it; nothing is changed.

    Raise Refused `not_signed` while ticks still do, Invalid where the value would not be accepted.
    """
    index = index_of(definitions_around(run))
    fault = key_fault(index, key) or value_fault(index.nodes[key.node_id], value)
    if fault is not None:
        raise Invalid.field("value", fault.code, fault.detail)
    if len(reason.strip()) < TEXT_LEAST:
        raise Invalid.field("reason", "too_short", f"Say why in at least {TEXT_LEAST} characters.")
    check_credential(user=user, pin=credential.pin, password=credential.password, by=by, now=now)
    with recording(by=by, now=now) as trail:
        lock(run)
        if run.status != RunStatus.SIGNED:
            raise Refused("not_signed", "This list is still open: tick the item instead.")
        known = Amendment.objects.filter(public_id=amendment).first()
        if known is not None:
            if known.run_id != run.pk or known.after != value:
                raise Refused("other_content", "Another amendment was sent under this id. Use a new one.")
            return known
        before = Answer.objects.filter(run=run, **key._asdict()).first()
        row = Amendment.objects.create(
            public_id=amendment,
            run=run,
            **key._asdict(),
            before=before.value if before else None,
            after=value,
            reason=reason.strip(),
            event=event,
            by=user,
            amended_at=now,
        )
        bump(run)
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="run.amended",
            subject=f"run:{run.public_id}",
            data={
                "phase": run.phase,
                "key": key.text(),
                "before": row.before,
                "after": value,
                "reason": row.reason,
                "user": f"user:{user.public_id}",
                "event": str(event) if event else None,
            },
        )
    return row


def lock(run: Run) -> None:
    """Lock the run as a batch of ticks does, and bring what changes with it up to date."""
    locked = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    run.status, run.revision, run.paused_at = locked.status, locked.revision, locked.paused_at
    run.ask_again_since = locked.ask_again_since
    run.definition_id, run.moves_around = locked.definition_id, locked.moves_around


def bump(run: Run) -> None:
    """Let every reader see that the run has changed."""
    run.revision += 1
    Run.objects.filter(pk=run.pk).update(revision=run.revision)
