"""Make sure, on opening a list, that it is the list of the patient who is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from checklists.models import IdentityCheck, Run
from checklists.rules.identity import compare
from clinic.actions.audit import recording
from clinic.lib.problems import Invalid, Refused
from clinic.models import Actor, Tablet
from complications.actions.reporting import draft_complication

MATCHED, MISMATCHED, WAIVED = "matched", "mismatched", "waived"
#: Why a list is opened though nobody could be asked; two staff then confirm on the list itself.
WAIVERS = ("emergency", "cannot_be_asked", "desk")
LEAST = 2
_OLDEST = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Said:
    """What was read off the patient: identifiers to compare, or what a tablet without a network compared already."""

    values: Mapping[str, str | date]
    compared: Mapping[str, bool] | None = None
    reason: str = ""
    other_patient: bool = False
    occurred_at: datetime | None = None


def check_identity(
    *, run: Run, check: UUID, said: Said, by: Actor, tablet: Tablet | None, now: datetime
) -> IdentityCheck:
    """Compare two identifiers with the booked patient and keep what came of it, never what was typed.

    A mismatch is kept like a match; where the person says that it is another patient (`other_patient`), a near miss is
    drafted as well, for the operator to confirm. Raise Invalid where fewer than two were said. A repeat changes nothing;
    another list's id is Refused (`other_content`).
    """
    known = IdentityCheck.objects.filter(public_id=check).first()
    if known is not None:
        return _again(known, run)
    patient = run.procedure.patient
    found = dict(said.compared or ()) or compare(
        said.values,
        family=patient.family_name,
        given=patient.given_name,
        birth_date=patient.birth_date,
        mrn=patient.mrn,
    )
    if said.reason:
        if said.reason not in WAIVERS:
            raise Invalid.field("reason", "unknown_reason", f"Use one of: {', '.join(WAIVERS)}.")
    elif len(found) < LEAST:
        raise Invalid("two_identifiers", "Say two of: name, date of birth, record number.")
    differing: Sequence[str] = sorted(name for name, same in found.items() if not same)
    outcome = WAIVED if said.reason else MISMATCHED if differing else MATCHED
    with recording(by=by, now=now) as trail:
        try:
            with transaction.atomic():
                row = IdentityCheck.objects.create(
                    public_id=check,
                    run=run,
                    outcome=outcome,
                    identifiers=sorted(found),
                    differing=differing,
                    reason=said.reason,
                    on_tablet=said.compared is not None,
                    by=by.user,
                    tablet=tablet,
                    room_id=tablet.room_id if tablet else None,
                    occurred_at=_when(said.occurred_at, now),
                    recorded_at=now,
                )
        except IntegrityError:
            return _again(IdentityCheck.objects.get(public_id=check), run)
        subject = f"run:{run.public_id}"
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action=f"identity.{outcome}",
            subject=subject,
            data={
                "phase": run.phase,
                "identifiers": row.identifiers,
                "differing": list(differing),
                "reason": said.reason,
                "on_tablet": row.on_tablet,
            },
        )
        if outcome == MISMATCHED and said.other_patient:
            draft_complication(
                procedure=run.procedure,
                code="NRM-NEA",
                level="",
                note="This patient's list was opened for another patient; the identifiers differed.",
                source=subject,
                by=by,
                now=now,
            )
    return row


def _again(known: IdentityCheck, run: Run) -> IdentityCheck:
    if known.run_id != run.pk:
        raise Refused("other_content", "Another check was sent under this id. Make a new id for it.")
    return known


def _when(said: datetime | None, now: datetime) -> datetime:
    """Return when somebody looked: the tablet's time where it is believable, never later than now."""
    return min(said, now) if said is not None and said > now - _OLDEST else now
