"""Report a complication, let ticks raise triggers, and keep drafts until somebody confirms or rejects them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import rfc8785
from django.db import IntegrityError, transaction

from clinic.access import Holder
from clinic.actions.audit import Recording, json_value, recording
from clinic.actions.procedures import record_exam
from clinic.lib.problems import FieldError, Invalid, Refused
from clinic.models import Actor, Procedure
from clinic.vocabulary import LEVELS, ExamKind
from complications.actions.assessment import assess, exam_of_neuro, neuro_of_exam
from complications.actions.calling import (
    ReportResult,
    escalate,
    facts_of,
    mapping,
    neuro_of,
    numbers_to_call,
    opens_of,
    readable_treatment,
    troubles_of,
)
from complications.actions.drafts import correct_complication, draft_complication
from complications.actions.opening import Finding, open_or_join
from complications.actions.timers import set_timer
from complications.models import Complication, Escalation, grade_columns
from complications.rules.catalogue import complications
from complications.rules.grading import derive
from complications.rules.report import Report
from complications.rules.triggers import FiredTrigger, Verdict
from complications.vocabulary import ComplicationStatus, Pathway, Setting, Source, Tier

__all__ = ["ReportResult", "correct_complication", "draft_complication", "raise_triggers", "report_complication"]


def report_complication(
    *, report: Report, procedure: Procedure, by: Actor, now: datetime, holder: Holder | None = None
) -> ReportResult:
    """Write a complication with what it triggers, in one transaction; the client made the id.

    `holder` is whom the report's ticket names (None: `by` reports for themselves): theirs is the report, sent by `by`. A
    ticket without a proof never refuses it: then it stands as the sender's, and whom it names is kept as unconfirmed.

    The same report again is the same entry (`created` False); another content under the id is refused (409
    `other_content`). A field that cannot be read is refused (400), unless somebody must be paged: then the report
    stands as it was sent and the trouble comes back as a warning. A missing field never refuses anything.
    """
    digest = _digest(report, procedure)
    with recording(by=by, now=now) as trail:
        known = Complication.objects.filter(public_id=report.public_id).first()
        if known is None:
            try:
                with transaction.atomic():
                    return _report(report, procedure, digest, holder, by, now, trail)
            except IntegrityError:
                known = Complication.objects.filter(public_id=report.public_id).first()
                if known is None:
                    raise
    if known.content_sha256 != digest or known.procedure_id != procedure.pk:
        raise Refused("other_content", "Something else was already reported under this id. Make a new id for it.")
    return ReportResult(known, known.grades, list(known.escalations.all()), numbers_to_call(known), created=False)


def _digest(report: Report, procedure: Procedure) -> str:
    content = {
        "procedure": procedure.public_id,
        "type": report.type,
        "level": report.level,
        "side": report.side,
        "occurred_at": report.occurred_at,
        "symptomatic": report.symptomatic,
        "detected_by": report.detected_by,
        "narrative": report.narrative,
        "fields": report.fields,
        "treatment": report.treatment,
        "neuro": report.raw_neuro,
        "setting": report.setting,
    }
    return hashlib.sha256(rfc8785.dumps(json_value(content))).hexdigest()


def _report(
    report: Report,
    procedure: Procedure,
    digest: str,
    holder: Holder | None,
    by: Actor,
    now: datetime,
    trail: Recording,
) -> ReportResult:
    said_by = replace(by, user=holder.user, role="") if holder and holder.user and holder.user != by.user else by
    unconfirmed = ""
    if holder and holder.user is None:
        unconfirmed = holder.claimed.username if holder.claimed else "unknown"
    neuro, troubles = neuro_of(report)
    said = neuro is not None and not (neuro.is_empty and report.type)
    verdict = (
        assess(procedure, neuro, now=now, is_report=True, by_patient=report.by_patient)
        if neuro is not None and said
        else Verdict()
    )
    if neuro is not None and said and neuro.is_empty:
        reason = "a deficit is reported without details"
        verdict = Verdict((FiredTrigger("NT-13", Tier.T1, reason),), verdict.timers, verdict.chips)
    troubles += [*report.troubles, *troubles_of(report)]
    facts = facts_of(report.type, report.level, report.symptomatic, report.fields, neuro, verdict)
    opens = opens_of(report.type, facts, verdict)
    if troubles and not opens:
        raise Invalid(
            "invalid", "Some fields were not accepted.", [FieldError(t.field, t.code, t.detail) for t in troubles]
        )
    grades = derive(report.type, mapping(report.fields), readable_treatment(report.treatment))
    row = Complication.objects.create(
        public_id=report.public_id,
        site=procedure.site,
        procedure=procedure,
        code=report.type if report.type in complications() else "",
        level=report.level if report.level in LEVELS else "",
        side=report.side[:10],
        site_of_leak=complications()[report.type].site_of_leak if report.type in complications() else "",
        status=ComplicationStatus.REPORTED.value,
        symptomatic=report.symptomatic,
        occurred_at=report.occurred_at or now,
        recorded_at=now,
        reported_by=said_by.user,
        sent_by=by.user,
        unconfirmed_reporter=unconfirmed,
        detected_by=report.detected_by[:40],
        source=report.source.value,
        setting=report.place(procedure.left_hospital_at, now).value,
        narrative=report.narrative,
        fields=dict(mapping(report.fields)),
        treatment=dict(mapping(report.treatment)),
        neuro=json_value(report.raw_neuro) if report.raw_neuro is not None else None,
        changed_by=by.user,
        changed_at=now,
        content_sha256=digest,
        **grade_columns(grades, grades),
    )
    if report.raw_neuro and (exam := exam_of_neuro(report.raw_neuro)):
        _keep_exam(procedure, exam, f"complication:{row.public_id}", report.occurred_at or now, by, now)
    stream = f"procedure:{procedure.public_id}"
    data: dict[str, Any] = {
        "code": row.code,
        "level": row.level,
        "status": row.status,
        "grades": grades.as_json(),
    }
    if holder:
        data |= {"reporter": said_by.key, "unconfirmed_reporter": bool(unconfirmed)}
    trail.add(stream=stream, action="complication.reported", subject=f"complication:{row.public_id}", data=data)
    escalations = escalate(row, procedure, opens, verdict, report, said_by, now, trail)
    _set_timers(procedure, verdict, by, now)
    return ReportResult(row, grades, escalations, numbers_to_call(row), troubles)


def _keep_exam(
    procedure: Procedure, exam: Mapping[str, Any], source: str, occurred_at: datetime, by: Actor, now: datetime
) -> None:
    record_exam(
        procedure=procedure,
        kind=ExamKind.REPORT,
        exam=json_value(exam),
        source=source,
        occurred_at=min(occurred_at, now),
        by=by,
        now=now,
    )


def _set_timers(procedure: Procedure, verdict: Verdict, by: Actor, now: datetime) -> None:
    for wanted in verdict.timers:
        set_timer(
            procedure=procedure,
            key=wanted.key,
            due_at=wanted.due_at,
            trigger=wanted.trigger,
            unless=wanted.unless,
            never_later=True,
            by=by,
            now=now,
        )


def raise_triggers(
    *,
    procedure: Procedure,
    triggers: Sequence[FiredTrigger],
    source: str,
    occurred_at: datetime,
    exam: Mapping[str, Any] | None,
    by: Actor,
    now: datetime,
    reported_at: datetime | None = None,
    setting: Setting | None = None,
    by_person: bool = False,
    attended: bool = False,
) -> Escalation | None:
    """Open or join the escalations that a stored tick, a follow-up answer or a timer calls for; return the worst.

    `source` says where it stands (`run:<id>:<event>`, `follow_up:<id>`, `timer:<key>`); `exam` (flat, as examinations
    are stored) is compared with the baseline as well, so that nothing depends on the list's own arithmetic. The steps
    of the ladder count from `reported_at` (the tick's own time, when it came late from a tablet without network);
    `attended` says that a surgeon found it who decides in the same act.
    """
    found = list(triggers)
    verdict = Verdict()
    kind = source.partition(":")[0]
    gone = procedure.left_hospital_at is not None and procedure.left_hospital_at <= occurred_at
    place = setting or (Source.FOLLOW_UP if kind == "follow_up" or gone else Source.RUN).setting
    if exam:
        verdict = assess(procedure, neuro_of_exam(exam), now=now, is_report=False, by_patient=kind == "follow_up")
        found += verdict.triggers
    with recording(by=by, now=now) as trail:
        _set_timers(procedure, verdict, by, now)
        opened: list[Escalation] = []
        for pathway in Pathway:
            mine = _worst_of_each([one for one in found if one.pathway is pathway])
            if not mine or not pathway.pages:
                continue
            finding = Finding(
                pathway=pathway,
                tier=mine[0].tier,
                triggers=mine,
                setting=place,
                source=source[:120],
                found_at=min(occurred_at, now),
                reported_at=reported_at,
                chips=sorted(verdict.chips),
                by_person=by_person,
                attended=attended,
            )
            opened.append(open_or_join(procedure=procedure, finding=finding, by=by, now=now, trail=trail))
            stream = f"procedure:{procedure.public_id}"
            data = {"triggers": finding.as_json(), "source": source, "escalation": str(opened[-1].public_id)}
            trail.add(stream=stream, action="trigger.raised", subject=stream, data=data)
    return min(opened, key=lambda row: row.tier, default=None)


def _worst_of_each(fired: Sequence[FiredTrigger]) -> list[FiredTrigger]:
    worst_of: dict[str, FiredTrigger] = {}
    for one in fired:
        if one.trigger not in worst_of or one.tier.worse_than(worst_of[one.trigger].tier):
            worst_of[one.trigger] = one
    return sorted(worst_of.values(), key=lambda one: one.tier.rank)
