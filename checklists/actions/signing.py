"""Sign a list: each person named with their own credential, over exactly what was shown; the last signature locks it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checklists.actions.ending import procedure_ended, procedure_left
from checklists.models import RUN_ARROWS, Definition, Run, Signature
from checklists.queries.runs import content_hash, gate_now, look_at, missing_roles, signatures_of
from checklists.rules.gates import WARNING
from checklists.rules.nodes import Key
from checklists.vocabulary import Phase, RunStatus, SignatureRole
from clinic.actions.audit import recording
from clinic.actions.credentials import check_credential
from clinic.lib.problems import Denied, FieldError, Invalid, Refused
from clinic.lib.transitions import move
from clinic.models import Actor, Membership, Tablet, TeamMember, User
from clinic.vocabulary import Role, TeamRole

LEAD = Key("PRE-ANE-01", "lead")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person proves themselves with at the moment of signing: a PIN or a password."""

    pin: str = ""
    password: str = ""


def sign_phase(
    *,
    run: Run,
    user: User,
    role: str,
    credential: Credential,
    content_sha256: str,
    witnessed_by: User | None,
    by: Actor,
    tablet: Tablet | None,
    now: datetime,
) -> Signature:
    """Sign a list in one part, and lock it when nobody is missing any more.

    With `witnessed_by` the credential is the witness's: a scrubbed person said it aloud and signs again within 24 h, which
    is what a later call without a witness does. Raise Denied for a wrong credential or person, Refused with
    `content_changed`, `gate_closed`, `phase_signed` or `already_signed`.
    """
    definition = Definition.objects.get(pk=run.definition_id)
    _check_part(run, definition, user, role, witnessed_by, now)
    proof = check_credential(
        user=witnessed_by or user, pin=credential.pin, password=credential.password, by=by, now=now
    )
    with recording(by=by, now=now) as trail:
        locked = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        run.status, run.revision, run.last_seq = locked.status, locked.revision, locked.last_seq
        run.moves_around = locked.moves_around
        if locked.definition_id != definition.pk:
            raise Refused("content_changed", "The list was moved to another version. Read it again, then sign.")
        countersigns = _witnessed_before(run, user, role) if witnessed_by is None else None
        if run.status != RunStatus.OPEN and countersigns is None:
            raise Refused("phase_signed", "This list is signed already. Read it again; corrections are amendments.")
        language = _language_of(run, definition, content_sha256, countersigns)
        warnings = [] if countersigns else _open_gate(run, now)
        earlier = [one for one in signatures_of(run, definition) if one["current"]]
        if countersigns is None:
            _refuse_twice(earlier, user, role)
        signature = Signature.objects.create(
            run=run,
            user=user,
            role=role,
            content_sha256=content_sha256,
            language=language,
            credential=proof,
            witnessed_by=witnessed_by,
            countersigns=countersigns,
            warnings=warnings,
            tablet=tablet,
            signed_at=now,
        )
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="signature.added",
            subject=f"run:{run.public_id}",
            data={
                "phase": run.phase,
                "user": f"user:{user.public_id}",
                "role": role,
                "content_sha256": content_sha256,
                "language": language,
                "credential": proof,
                "witnessed_by": f"user:{witnessed_by.public_id}" if witnessed_by else None,
                "countersigns": str(countersigns.public_id) if countersigns else None,
                "warnings": warnings,
            },
        )
        run.revision += 1
        Run.objects.filter(pk=run.pk).update(revision=run.revision)
        if run.status == RunStatus.OPEN and not missing_roles(
            definition.content, [*earlier, {"role": role, "current": True}]
        ):
            move(run, to=RunStatus.SIGNED.value, arrows=RUN_ARROWS, noun="list", signed_at=now)
            trail.add(
                stream=f"procedure:{run.procedure.public_id}",
                action="run.signed",
                subject=f"run:{run.public_id}",
                data={"phase": run.phase, "content_sha256": content_sha256, "definition": definition.sha256},
            )
            if run.phase == Phase.SIGN_OUT:
                procedure_ended(procedure=run.procedure, by=by, now=now)
            elif run.phase == Phase.POST:
                procedure_left(procedure=run.procedure, by=by, now=now)
    return signature


def _check_part(
    run: Run, definition: Definition, user: User, role: str, witnessed_by: User | None, now: datetime
) -> None:
    asked = definition.content["conventions"]["signatures"]
    if role not in asked:
        parts = ", ".join(asked) or "nobody"
        raise Invalid.field("role", "role_not_asked", f"This list is signed by: {parts}.")
    if not may_sign(run, user, role, now):
        raise Denied("not_this_part", f"{user.get_full_name()} cannot sign as {role.replace('_', ' ')} here.")
    if witnessed_by is not None and witnessed_by == user:
        raise Invalid.field("witnessed_by", "own_witness", "Somebody else must witness a spoken confirmation.")


def may_sign(run: Run, user: User, role: str, now: datetime) -> bool:
    """Tell whether a person may sign a run in a part.

    The operator is the one named; the watcher is whom PRE-ANE-01.lead names, or an anaesthetist, never the operator;
    nurses are nurses of the site.
    """
    procedure = run.procedure
    roles = set(
        Membership.objects.filter(user=user, site_id=procedure.site_id, is_active=True).values_list("role", flat=True)
    )
    is_operator = (
        user.pk == procedure.operator_id
        or TeamMember.objects.filter(procedure=procedure, user=user, role=TeamRole.OPERATOR.value).exists()
    )
    if role == SignatureRole.OPERATOR:
        return is_operator and bool(roles)
    if role == SignatureRole.WATCHER:
        lead = look_at(run, now).state.answers.get(LEAD)
        return not is_operator and bool(roles) and (lead == user.username or Role.ANAESTHETIST in roles)
    return Role.NURSE in roles


def _witnessed_before(run: Run, user: User, role: str) -> Signature | None:
    """Return the person's witnessed signature that still waits for their own."""
    return (
        Signature.objects.filter(run=run, user=user, role=role, countersignature=None)
        .exclude(witnessed_by=None)
        .order_by("-id")
        .first()
    )


def _language_of(run: Run, definition: Definition, sha256: str, countersigns: Signature | None) -> str:
    """Return the language whose shown content has this hash; raise Refused where none has."""
    if countersigns is not None and countersigns.content_sha256 == sha256:
        return countersigns.language
    for language in definition.content["languages"]:
        if content_hash(run, definition.sha256, language) == sha256:
            return str(language)
    raise Refused("content_changed", "The answers changed since they were shown. Read the list again, then sign.")


def _open_gate(run: Run, now: datetime) -> list[str]:
    """Return the warnings that signing confirms; raise Refused with every blocker where the gate is closed."""
    gate = gate_now(run, look_at(run, now))
    if gate.is_open:
        return [blocker.key.text() for blocker in gate.blockers if blocker.kind == WARNING]
    closed = [blocker for blocker in gate.blockers if blocker.kind != WARNING]
    raise Refused(
        "gate_closed",
        f"{len(closed)} points stand against signing. Answer them, or have them overridden by two people.",
        [FieldError(blocker.key.text(), blocker.kind, blocker.reason) for blocker in closed],
    )


def _refuse_twice(earlier: list[dict[str, Any]], user: User, role: str) -> None:
    for one in earlier:
        if one["role"] == role:
            raise Refused("already_signed", f"{one['name']} has signed this part already.")
        if one["user"] == user.username:
            raise Refused(
                "one_part_each", f"{one['name']} has signed as {one['role']}; another person signs this part."
            )
