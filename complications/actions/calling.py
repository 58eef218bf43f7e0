"""From a report to whom it calls: what cannot be read, the facts of the catalogue's conditions, the pathways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clinic.actions.audit import Recording
from clinic.models import Actor, Procedure
from clinic.vocabulary import LEVELS
from complications.actions.opening import Finding, open_or_join
from complications.models import Complication, Escalation
from complications.rules.catalogue import complications
from complications.rules.grading import Grades, check_treatment, derive
from complications.rules.report import Neuro, Report, Trouble, read_neuro
from complications.rules.triggers import FiredTrigger, Verdict
from complications.vocabulary import Pathway, Setting, Symptom, Tier, spine_region


@dataclass(frozen=True)
class ReportResult:
    """What a report became: the entry, its grades, the escalations it opened or joined, and whom to ring."""

    complication: Complication
    grades: Grades
    escalations: list[Escalation] = field(default_factory=list)
    call: list[str] = field(default_factory=list)
    warnings: list[Trouble] = field(default_factory=list)
    created: bool = True

    @property
    def escalation(self) -> Escalation | None:
        """The worst of the escalations, None where nothing pages."""
        return min(self.escalations, key=lambda row: (row.tier, row.pathway != Pathway.SPINE.value), default=None)


def neuro_of(report: Report) -> tuple[Neuro | None, list[Trouble]]:
    if report.raw_neuro is not None:
        return read_neuro(report.raw_neuro)
    return report.neuro, []


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def troubles_of(report: Report) -> list[Trouble]:
    found: list[Trouble] = []
    row = complications().get(report.type)
    if report.type and row is None:
        found.append(Trouble("type", "unknown_code", "There is no such complication; see the catalogue."))
    if report.level and report.level not in LEVELS:
        found.append(Trouble("level", "unknown_level", f"Accepted: {LEVELS[0]} to {LEVELS[-1]}, as T12."))
    parts: list[tuple[str, Any]] = [("fields", report.fields), ("treatment", report.treatment)]
    for name, value in parts:
        if not isinstance(value, Mapping):
            found.append(Trouble(name, "not_an_object", "Send an object."))
    if row is not None:
        found += [Trouble(f"fields.{key}", *rest) for key, *rest in row.check_fields(mapping(report.fields))]
    found += [Trouble(f"treatment.{key}", *rest) for key, *rest in check_treatment(mapping(report.treatment))]
    if not report.type and report.neuro is None and report.raw_neuro is None:
        found.append(Trouble("type", "missing", "Say what happened: a type, or what the examination shows."))
    return found


def readable_treatment(treatment: Any) -> dict[str, Any]:
    given = mapping(treatment)
    wrong = {key for key, _, _ in check_treatment(given)}
    return {key: value for key, value in given.items() if key not in wrong}


def facts_of(
    code: str,
    level: str,
    symptomatic: bool | None,  # noqa: FBT001
    fields: Any,
    neuro: Neuro | None,
    verdict: Verdict,
    *,
    confirmed: bool = True,
) -> dict[str, Any]:
    """Return what the catalogue's conditions may ask about a complication."""
    given = mapping(fields)
    facts: dict[str, Any] = {f"fields.{key}": value for key, value in given.items()}
    symptoms = neuro.symptoms if neuro else frozenset()
    facts |= {
        "symptomatic": symptomatic,
        "confirmed": confirmed,
        "deficit": verdict.is_deficit,
        "motor": any(one.trigger in ("NT-01", "NT-02", "NT-05", "NT-12", "NT-14") for one in verdict.triggers),
        "progressive": Symptom.PROGRESSIVE_LEG_PAIN in symptoms
        or any(one.trigger == "NT-08a" for one in verdict.triggers),
        "region": spine_region(level) or None,
    }
    if code == "NEU-RAD":
        before, after = given.get("mrc_before"), given.get("mrc_after")
        if isinstance(before, int | float) and isinstance(after, int | float) and after < before:
            facts["motor"] = True
    if code == "CVS-BCI":
        facts["bcis_grade"] = derive(code, given, None).bcis
    return facts


def opens_of(code: str, facts: Mapping[str, Any], verdict: Verdict) -> dict[Pathway, Tier]:
    """Return which pathways are called at which tier: by the code's row, and by the triggers that fired."""
    row = complications().get(code)
    opens = dict(row.opens(facts)) if row else {}
    for fired in verdict.triggers:
        opens[fired.pathway] = Tier.worst(fired.tier, opens.get(fired.pathway, fired.tier))
    return {pathway: tier for pathway, tier in opens.items() if pathway.pages}


def numbers_to_call(row: Complication) -> list[str]:
    """Return the teams to ring for this entry: an arrest or a stroke never pages."""
    known = complications().get(row.code)
    if known is None:
        return []
    neuro, _ = read_neuro(row.neuro) if row.neuro else (None, [])
    return known.numbers_to_call(facts_of(row.code, row.level, row.symptomatic, row.fields, neuro, Verdict()))


def escalate(
    row: Complication,
    procedure: Procedure,
    opens: Mapping[Pathway, Tier],
    verdict: Verdict,
    report: Report,
    by: Actor,
    now: datetime,
    trail: Recording,
) -> list[Escalation]:
    neuro, _ = neuro_of(report)
    found: list[Escalation] = []
    for pathway, tier in sorted(opens.items()):
        triggers = [fired for fired in verdict.triggers if fired.pathway is pathway]
        if row.code and (not triggers or tier.worse_than(triggers[0].tier)):
            triggers = [FiredTrigger(row.code, tier, _name(row), pathway), *triggers]
        finding = Finding(
            pathway=pathway,
            tier=tier,
            triggers=triggers,
            setting=Setting(row.setting),
            source=f"complication:{row.public_id}",
            found_at=row.occurred_at,
            reported_at=report.reported_at,
            onset_at=neuro.onset_at if neuro else None,
            chips=sorted(verdict.chips),
            complication=row,
        )
        found.append(open_or_join(procedure=procedure, finding=finding, by=by, now=now, trail=trail))
    return found


def _name(row: Complication) -> str:
    known = complications()[row.code]
    return f"{known.name}{f', {row.level}' if row.level else ''}"
