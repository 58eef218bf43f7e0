"""Drafts that somebody confirms or rejects, and corrections, each a version of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from clinic.actions.audit import recording
from clinic.lib.problems import FieldError, Invalid
from clinic.lib.transitions import move
from clinic.models import Actor, Procedure
from complications.actions.calling import (
    ReportResult,
    escalate,
    facts_of,
    mapping,
    numbers_to_call,
    opens_of,
    readable_treatment,
    troubles_of,
)
from complications.models import Complication, Escalation, grade_columns
from complications.rules.catalogue import complications
from complications.rules.grading import Grades, derive, worst
from complications.rules.report import Report
from complications.rules.triggers import Verdict
from complications.vocabulary import COMPLICATION_ARROWS, ComplicationStatus, Pathway, Setting, Source, Tier


def draft_complication(
    *,
    procedure: Procedure,
    code: str,
    level: str = "",
    note: str = "",
    source: str = "",
    by: Actor,
    now: datetime,
    fields: Mapping[str, Any] | None = None,
) -> Complication:
    """Draft a complication for somebody to confirm or reject; a second leak of the same kind adds to the open draft."""
    known = complications()[code]
    with recording(by=by, now=now) as trail:
        draft = Complication(
            public_id=uuid4(),
            site=procedure.site,
            procedure=procedure,
            code=code,
            level=level,
            site_of_leak=known.site_of_leak,
            status=ComplicationStatus.DRAFT.value,
            occurred_at=now,
            recorded_at=now,
            reported_by=by.user,
            source=Source.RUN.value,
            source_ref=source[:120],
            setting=Setting.IN_HOUSE.value,
            narrative=note,
            fields=dict(fields or {}),
            changed_by=by.user,
            changed_at=now,
            **grade_columns(Grades(), Grades()),
        )
        made = Complication.objects.bulk_create([draft], ignore_conflicts=True)
        row = Complication.objects.open_draft(procedure, level, code).select_for_update(no_key=True).get()
        subject = f"complication:{row.public_id}"
        stream = f"procedure:{procedure.public_id}"
        data = {"code": code, "level": level, "note": note, "source": source}
        if row.public_id == made[0].public_id:
            trail.add(stream=stream, action="complication.drafted", subject=subject, data=data)
        elif (note and note not in row.narrative) or fields:
            narrative = row.narrative if note in row.narrative else f"{row.narrative}\n{note}".strip()
            merged = {**row.fields, **(fields or {})}
            if (narrative, merged) != (row.narrative, row.fields):
                Complication.objects.filter(pk=row.pk).update(
                    narrative=narrative, fields=merged, version=row.version + 1, changed_at=now, changed_by=by.user
                )
                row.refresh_from_db()
                trail.add(stream=stream, action="complication.draft_added_to", subject=subject, data=data)
    return row


#: What a correction may change.
CORRECTABLE = ("type", "level", "side", "occurred_at", "symptomatic", "detected_by", "narrative", "fields", "treatment")


def correct_complication(
    *,
    complication: Complication,
    changes: Mapping[str, Any],
    status: ComplicationStatus | None,
    reason: str,
    by: Actor,
    now: datetime,
) -> ReportResult:
    """Add a version: what was stays in the version table, with who changed it, when and why.

    `status` moves the entry along its arrows: `reported` confirms a draft (and pages what it calls for),
    `not_reportable` rejects one. Grades are derived again; the worst ever is kept.
    """
    if len(reason.strip()) < 3:
        raise Invalid.field("reason", "missing", "Say why this is changed.")
    with recording(by=by, now=now) as trail:
        row = (
            Complication.objects.select_for_update(of=("self",), no_key=True)
            .select_related("procedure__site", "procedure__operator")
            .get(pk=complication.pk)
        )
        report = _as_report(row, changes)
        if troubles := troubles_of(report):
            errors = [FieldError(t.field, t.code, t.detail) for t in troubles]
            raise Invalid("invalid", "Some fields were not accepted.", errors)
        grades = derive(report.type, mapping(report.fields), readable_treatment(report.treatment))
        columns = {
            "code": report.type,
            "level": report.level,
            "side": report.side[:10],
            "site_of_leak": complications()[report.type].site_of_leak if report.type else "",
            "occurred_at": report.occurred_at or row.occurred_at,
            "symptomatic": report.symptomatic,
            "detected_by": report.detected_by[:40],
            "narrative": report.narrative,
            "fields": dict(report.fields),
            "treatment": dict(report.treatment),
            **grade_columns(grades, worst(row.worst_grades, grades)),
            "version": row.version + 1,
            "changed_by": by.user,
            "changed_at": now,
            "change_reason": reason.strip()[:1000],
        }
        was = row.status
        called = _called_for(row) if was == ComplicationStatus.REPORTED.value else {}
        if status is not None and status.value != row.status:
            move(row, to=status.value, arrows=COMPLICATION_ARROWS, noun="complication", **columns)
        else:
            Complication.objects.filter(pk=row.pk).update(**columns)
        row.refresh_from_db()
        data = {"changes": changes, "reason": reason, "status": [was, row.status], "version": row.version}
        stream = f"procedure:{row.procedure.public_id}"
        subject = f"complication:{row.public_id}"
        trail.add(stream=stream, action="complication.corrected", subject=subject, data=data)
        escalations: list[Escalation] = []
        if row.status == ComplicationStatus.REPORTED.value:
            # Only what the correction makes worse pages: an edited text must not wake anybody for a case long closed.
            opens = {
                pathway: tier
                for pathway, tier in _called_for(row).items()
                if pathway not in called or tier.worse_than(called[pathway])
            }
            escalations = escalate(row, row.procedure, opens, Verdict(), report, by, now, trail)
    return ReportResult(row, grades, escalations, numbers_to_call(row))


def _called_for(row: Complication) -> dict[Pathway, Tier]:
    """Return whom the entry calls by its code and fields."""
    facts = facts_of(row.code, row.level, row.symptomatic, row.fields, None, Verdict())
    return opens_of(row.code, facts, Verdict())


def _as_report(row: Complication, changes: Mapping[str, Any]) -> Report:
    if unknown := set(changes) - set(CORRECTABLE):
        wrong = [
            FieldError(f"changes.{name}", "unknown_field", "This cannot be corrected.") for name in sorted(unknown)
        ]
        raise Invalid("invalid", "Some fields were not accepted.", wrong)
    values: dict[str, Any] = {
        "type": row.code,
        "level": row.level,
        "side": row.side,
        "occurred_at": row.occurred_at,
        "symptomatic": row.symptomatic,
        "detected_by": row.detected_by,
        "narrative": row.narrative,
        "fields": row.fields,
        "treatment": row.treatment,
        **changes,
    }
    return Report(
        public_id=UUID(str(row.public_id)),
        source=Source(row.source),
        setting=Setting(row.setting),
        raw_neuro=row.neuro,
        **values,
    )
