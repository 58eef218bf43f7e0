"""The theatre list: procedures by day, one procedure, its timeline, the board."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from checklists.models import Answer, Override, Run, Signature
from checklists.queries.state import facts_of, index_of
from checklists.rules.case import case_check
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.gates import WARNING, gate_of, progress_of
from checklists.rules.nodes import Key
from clinic.models import AuditEntry, Procedure, Site
from complications.models import Escalation


def day_bounds(site: Site, day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a day and of the next one in the site's zone."""
    zone = ZoneInfo(site.timezone)
    start = datetime.combine(day, time(), zone)
    return start, datetime.combine(day + timedelta(days=1), time(), zone)


def procedure_body(procedure: Procedure) -> dict[str, Any]:
    """Return a procedure with its patient, levels and team (load it with `for_display`)."""
    patient, room = procedure.patient, procedure.room
    return {
        "id": str(procedure.public_id),
        "case_check": case_check(procedure.public_id),
        "patient": {
            "id": str(patient.public_id),
            "mrn": patient.mrn,
            "family_name": patient.family_name,
            "given_name": patient.given_name,
            "birth_date": patient.birth_date.isoformat(),
            "sex": patient.sex,
            "language": patient.language,
        },
        "kind": procedure.kind,
        "indication": procedure.indication,
        "anaesthesia": procedure.anaesthesia,
        "levels": [
            {
                "level": row.level,
                "status": row.status,
                "planned_kind": row.planned_kind or None,
                "cement_ml": row.cement_ml,
                "cement_lot": row.cement_lot or None,
                "leak_sites": row.leak_sites,
            }
            for row in procedure.levels.all()
        ],
        "scheduled_at": procedure.scheduled_at,
        "room": room.code if room else None,
        "operator": {"user": procedure.operator.username, "name": procedure.operator.get_full_name()},
        "team": [{"user": one.user.username, "role": one.role} for one in procedure.team.all()],
        "status": procedure.status,
        "started_at": procedure.started_at,
        "incision_at": procedure.incision_at,
        "ended_at": procedure.ended_at,
        "left_hospital_at": procedure.left_hospital_at,
        "outcome": procedure.outcome or None,
        "disposition": procedure.disposition or None,
        "cement_ml": procedure.cement_ml,
    }


def timeline(procedure: Procedure, at: datetime | None) -> list[dict[str, Any]]:
    """Return what the audit trail says of a procedure, oldest first, as it stood at an instant (None = now)."""
    entries = AuditEntry.objects.filter(stream=f"procedure:{procedure.public_id}").order_by("seq")
    lines = []
    for canonical in entries.values_list("canonical", flat=True):
        entry = json.loads(canonical)
        if at is not None and datetime.fromisoformat(entry["at"]) > at:
            break
        lines.append({name: entry[name] for name in ("at", "action", "actor_name", "role", "subject", "data")})
    return lines


def board(site: Site, now: datetime, room: str = "") -> list[dict[str, Any]]:
    """Return today's procedures with how far each list is, in a constant number of queries."""
    start, end = day_bounds(site, now.astimezone(ZoneInfo(site.timezone)).date())
    today = Procedure.objects.at_site(site).filter(
        Q(scheduled_at__gte=start, scheduled_at__lt=end) | Q(status="in_progress")
    )
    if room:
        today = today.filter(room__code=room)
    procedures = list(today.for_display().order_by("scheduled_at", "id"))
    runs: dict[int, list[Run]] = {}
    for run in Run.objects.filter(procedure__in=procedures).of_phases().in_order():
        runs.setdefault(run.procedure_id, []).append(run)
    every = [run for some in runs.values() for run in some]
    answers, conflicts = _answers(every)
    overrides: dict[int, set[Key]] = {}
    for row in Override.objects.filter(run__in=every):
        overrides.setdefault(row.run_id, set()).add(Key(row.item, row.part, row.level, row.side, row.instance))
    signed: dict[int, set[str]] = {}
    for run_id, role in Signature.objects.filter(run__in=every).values_list("run_id", "role"):
        signed.setdefault(run_id, set()).add(role)
    called = {
        row.procedure_id: {"id": str(row.public_id), "tier": row.tier, "status": row.status}
        for row in Escalation.objects.open().filter(procedure__in=procedures).order_by("-tier", "id")
    }
    lines = []
    for procedure in procedures:
        own = runs.get(procedure.pk, [])
        levels = {row.level: row for row in procedure.levels.all()}
        state = State(
            answers=answers.get(procedure.pk, {}),
            facts=facts_of(procedure, levels, open_escalation=procedure.pk in called),
            now=now,
            level_status={level: row.status for level, row in levels.items()},
            conflicts=frozenset(conflicts.get(procedure.pk, ())),
        )
        lines.append(
            {
                "id": str(procedure.public_id),
                "case_check": case_check(procedure.public_id),
                "patient": {
                    "family_name": procedure.patient.family_name,
                    "given_name": procedure.patient.given_name,
                    "birth_date": procedure.patient.birth_date.isoformat(),
                },
                "kind": procedure.kind,
                "indication": procedure.indication,
                "anaesthesia": procedure.anaesthesia,
                "levels": [row.level for row in levels.values()],
                "scheduled_at": procedure.scheduled_at,
                "room": procedure.room.code if procedure.room else None,
                "operator": procedure.operator.get_full_name(),
                "status": procedure.status,
                "ended_at": procedure.ended_at,
                "escalation": called.get(procedure.pk),
                "runs": _board_runs(own, state, overrides, signed),
            }
        )
    return lines


def _board_runs(
    runs: Sequence[Run], state: State, overrides: dict[int, set[Key]], signed: dict[int, set[str]]
) -> list[dict[str, Any]]:
    if not runs:
        return []
    view = Evaluation(index_of(tuple(run.definition_id for run in runs)), state)
    lines = []
    for run in runs:
        # A signed list is closed: what its gate would say now (a fasting time that passed) no longer matters.
        stops = (
            []
            if run.status == "signed"
            else [
                blocker
                for blocker in gate_of(
                    view, run.phase, emergency=run.is_emergency, overrides=overrides.get(run.pk, set())
                ).blockers
                if blocker.kind != WARNING
            ]
        )
        lines.append(
            {
                "id": str(run.public_id),
                "phase": run.phase,
                "status": run.status,
                "is_emergency": run.is_emergency,
                "paused_at": run.paused_at,
                "progress": progress_of(view, run.phase).as_json(),
                "stops": sum(1 for blocker in stops if blocker.code != "unanswered"),
                "unanswered": sum(1 for blocker in stops if blocker.code == "unanswered"),
                "signed": sorted(signed.get(run.pk, ())),
                "revision": run.revision,
            }
        )
    return lines


def _answers(runs: Sequence[Run]) -> tuple[dict[int, dict[Key, Any]], dict[int, set[Key]]]:
    of = {run.pk: run.procedure_id for run in runs}
    answers: dict[int, dict[Key, Any]] = {}
    conflicts: dict[int, set[Key]] = {}
    rows = Answer.objects.filter(run__in=list(of)).values_list(
        "run_id", "item", "part", "level", "side", "instance", "value", "is_conflict"
    )
    for run_id, *pieces, value, is_conflict in rows:
        key = Key(*pieces)
        answers.setdefault(of[run_id], {})[key] = value
        if is_conflict:
            conflicts.setdefault(of[run_id], set()).add(key)
    return answers, conflicts


def board_tag(site: Site, now: datetime, room: str = "") -> str:
    """Return what changes whenever the board does (two queries)."""
    start, end = day_bounds(site, now.astimezone(ZoneInfo(site.timezone)).date())
    rows = (
        Run.objects.filter(procedure__site=site)
        .filter(
            Q(procedure__scheduled_at__gte=start, procedure__scheduled_at__lt=end) | Q(procedure__status="in_progress")
        )
        .order_by("id")
        .values_list("id", "revision", "status", "procedure__status")
    )
    called = Escalation.objects.open().filter(procedure__site=site).order_by("id").values_list("id", "status", "tier")
    return repr((site.pk, room, start, int(now.timestamp()) // 300, list(rows), list(called)))
