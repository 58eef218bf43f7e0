"""The datasets of the middle floor: complications, escalations and follow-ups.

What people typed in their own words (`narrative`, texts inside `fields`, `treatment` and `neuro`, reasons) is identifying:
it may name somebody. The pseudonymised columns take from those JSON values only what a list of words or numbers allows.
"""

from __future__ import annotations

import hashlib

from clinic.exports.ground import OF_A_PROCEDURE, PATIENT, PROCEDURE, RECORD_NUMBER, WRITTEN_AT
from clinic.exports.shape import Column, Dataset, Filter, Kind, Takes
from clinic.vocabulary import LEVELS, Indication, ProcedureKind
from complications.rules.catalogue import FOLDER, complications
from complications.rules.grading import ANAESTHESIA, CLAVIEN_ORDER, FLAGS, SEQUELAE
from complications.vocabulary import (
    MUSCLES,
    ComplicationStatus,
    Decision,
    EscalationStatus,
    FollowUpStatus,
    Pathway,
    RedFlag,
    Setting,
    Source,
    Symptom,
    Tier,
)


def catalogue() -> dict[str, str]:
    """Return the hash of the taxonomy that the codes come from."""
    text = (FOLDER / "complications.toml").read_bytes()
    return {"complications.toml": hashlib.sha256(text).hexdigest()}


def words(names: tuple[str, ...] | list[str]) -> str:
    """Return an SQL array of our own words."""
    return "ARRAY[" + ", ".join(f"'{name}'" for name in names) + "]::text[]"


def members(value: str, names: tuple[str, ...] | list[str], texts: tuple[str, ...] = ()) -> str:
    """Return SQL of a JSON object's members: known names only, with a number, a flag, or one of the known `texts`."""
    an_object = f"CASE WHEN jsonb_typeof({value}) = 'object' THEN {value} END"
    harmless = f"jsonb_typeof(one.value) IN ('number', 'boolean') OR one.value #>> '{{}}' = ANY({words(texts)})"
    return (
        f"(SELECT jsonb_object_agg(one.key, one.value) FROM jsonb_each({an_object}) AS one "  # noqa: S608 - our words
        f"WHERE one.key = ANY({words(names)}) AND ({harmless}))"
    )


def number(value: str, name: str) -> str:
    """Return SQL of a JSON member as a number, NULL where it is anything else."""
    return f"CASE WHEN jsonb_typeof({value} -> '{name}') = 'number' THEN ({value} ->> '{name}')::numeric END"


def word(value: str, name: str, known: tuple[str, ...]) -> str:
    """Return SQL of a JSON member that is one of the known words, NULL where it is anything else."""
    return f"CASE WHEN {value} ->> '{name}' = ANY({words(known)}) THEN {value} ->> '{name}' END"


def known_words(value: str, known: tuple[str, ...]) -> str:
    """Return SQL of the known words in a JSON list."""
    return (
        f"(SELECT array_agg(one) FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof({value}) = 'array' "  # noqa: S608
        f"THEN {value} ELSE '[]' END) AS one WHERE one = ANY({words(known)}))"
    )


#: Fields of the catalogue that are never asked as free text, whatever the code.
_TEXTS = {field.key for row in complications().values() for field in row.fields if field.type == "text"}
_FIELDS = sorted({field.key for row in complications().values() for field in row.fields} - _TEXTS)
_OPTIONS = tuple(
    sorted({option.value for row in complications().values() for field in row.fields for option in field.options})
)
_LEAKS = tuple(sorted({row.site_of_leak for row in complications().values()} - {""}))
_EXAM = "(v.neuro -> 'exam')"
_OF_THE_OPERATOR = f"{OF_A_PROCEDURE} JOIN clinic_user operator ON operator.id = p.operator_id"

COMPLICATIONS = Dataset(
    name="complications",
    label="Complications",
    source="complications_complicationversion",
    joins=_OF_THE_OPERATOR,
    site="v.site_id",
    definitions=catalogue,
    columns=(
        WRITTEN_AT,
        Column("complication", "v.public_id", Kind.UUID, source="complication.public_id"),
        PROCEDURE,
        PATIENT,
        Column("version", "v.version", Kind.INTEGER, source="complication.version"),
        Column("type", "v.code", Kind.CODE, source="complications.toml"),
        Column("level", "v.level", Kind.CODE, source="complication.level"),
        Column("side", "v.side", Kind.CODE, source="complication.side"),
        Column("site_of_leak", "v.site_of_leak", Kind.CODE, source="complication.site_of_leak"),
        Column("status", "v.status", Kind.CODE, source="complication.status"),
        Column("symptomatic", "v.symptomatic", Kind.BOOLEAN, source="complication.symptomatic"),
        Column("occurred_at", "v.occurred_at", Kind.TIMESTAMP, source="bedside time"),
        Column("recorded_at", "v.recorded_at", Kind.TIMESTAMP, source="complication.recorded_at"),
        Column("detected_by", "v.detected_by", source="complication.detected_by", identifying=True),
        Column("source", "v.source", Kind.CODE, source="complication.source"),
        Column("setting", "v.setting", Kind.CODE, source="complication.setting"),
        Column("clavien", "v.clavien", Kind.CODE, source="Clavien-Dindo, now"),
        Column("clavien_d", "v.clavien_d", Kind.BOOLEAN, source="Clavien-Dindo suffix d"),
        Column("sir", "v.sir", Kind.INTEGER, source="SIR 1-5, now"),
        Column("cirse", "v.cirse", Kind.INTEGER, source="CIRSE 1-6, now"),
        Column("bcis", "v.bcis", Kind.INTEGER, source="Donaldson 0-3"),
        Column("worst_clavien", "v.worst_clavien", Kind.CODE, source="Clavien-Dindo, worst"),
        Column("worst_sir", "v.worst_sir", Kind.INTEGER, source="SIR, worst"),
        Column("worst_cirse", "v.worst_cirse", Kind.INTEGER, source="CIRSE, worst"),
        Column("facts", members("v.fields", _FIELDS, _OPTIONS), Kind.JSON, source="coded fields"),
        Column(
            "treatment",
            members("v.treatment", [*FLAGS, "organ_failures", "extra_stay_hours"]),
            Kind.JSON,
            source="facts of the treatment",
        ),
        Column("anaesthesia", word("v.treatment", "anaesthesia", ANAESTHESIA), Kind.CODE, source="of the treatment"),
        Column("sequelae", word("v.treatment", "sequelae", SEQUELAE), Kind.CODE, source="treatment.sequelae"),
        Column("mrc", members(f"({_EXAM} -> 'mrc')", MUSCLES, ("nt",)), Kind.JSON, "{0-5}", "exam.mrc"),
        Column("ais", word(_EXAM, "ais", ("a", "b", "c", "d", "e")), Kind.CODE, source="exam.ais"),
        Column("symptoms", known_words("v.neuro -> 'symptoms'", tuple(Symptom)), Kind.LIST, source="neuro.symptoms"),
        Column("pvr", number("v.neuro", "pvr_ml"), Kind.DECIMAL, "mL", "neuro.pvr_ml"),
        Column("nrs_back", number("v.neuro", "nrs_back"), Kind.DECIMAL, "{0-10}", "neuro.nrs_back"),
        Column("nrs_leg", number("v.neuro", "nrs_leg"), Kind.DECIMAL, "{0-10}", "neuro.nrs_leg"),
        Column("operator", "operator.public_id", Kind.UUID, source="key of the operator"),
        Column("narrative", "v.narrative", source="complication.narrative", identifying=True),
        Column("fields", "v.fields", Kind.JSON, source="complication.fields", identifying=True),
        Column("treatment_all", "v.treatment", Kind.JSON, source="complication.treatment", identifying=True),
        Column("neuro", "v.neuro", Kind.JSON, source="complication.neuro", identifying=True),
        Column("change_reason", "v.change_reason", source="complication.change_reason", identifying=True),
        RECORD_NUMBER,
    ),
    filters=(
        Filter("type", "v.code = ANY({})", choices=tuple(complications())),
        Filter("site_of_leak", "v.site_of_leak = ANY({})", choices=_LEAKS),
        Filter("clavien", "v.clavien = ANY({})", choices=tuple(CLAVIEN_ORDER)),
        Filter("sir", "v.sir::text = ANY({})", choices=tuple("12345")),
        Filter("cirse", "v.cirse::text = ANY({})", choices=tuple("123456")),
        Filter("level", "v.level = ANY({})", choices=LEVELS),
        Filter("status", "v.status = ANY({})", choices=tuple(ComplicationStatus)),
        Filter("source", "v.source = ANY({})", choices=tuple(Source)),
        Filter("symptomatic", "v.symptomatic = {}", Takes.FLAG),
        Filter("kind", "p.kind = ANY({})", choices=tuple(ProcedureKind)),
        Filter("indication", "p.indication = ANY({})", choices=tuple(Indication)),
        Filter("operator", "operator.username = ANY({})"),
        Filter("procedure", "p.public_id = {}", Takes.UUID),
        Filter("from", "v.occurred_at >= {}", Takes.INSTANT),
        Filter("to", "v.occurred_at < {}", Takes.INSTANT),
    ),
)

ESCALATIONS = Dataset(
    name="escalations",
    label="Escalations",
    source="complications_escalationversion",
    joins=f"{OF_A_PROCEDURE} LEFT JOIN clinic_user responsible ON responsible.id = v.responsible_id",
    site="v.site_id",
    columns=(
        WRITTEN_AT,
        Column("escalation", "v.public_id", Kind.UUID, source="escalation.public_id"),
        PROCEDURE,
        PATIENT,
        Column("pathway", "v.pathway", Kind.CODE, source="escalation.pathway"),
        Column("tier", "v.tier", Kind.CODE, source="escalation.tier"),
        Column("status", "v.status", Kind.CODE, source="escalation.status"),
        Column("setting", "v.setting", Kind.CODE, source="escalation.setting"),
        Column(
            "triggers",
            "ARRAY(SELECT one ->> 'trigger' FROM jsonb_array_elements(v.triggers) AS one)",
            Kind.LIST,
            source="codes of the triggers, worst first",
        ),
        Column("policy_version", "v.policy_version", Kind.INTEGER, source="escalation.policy_version"),
        Column("found_at", "v.found_at", Kind.TIMESTAMP, source="bedside time of the finding"),
        Column("onset_at", "v.onset_at", Kind.TIMESTAMP, source="escalation.onset_at"),
        Column("opened_at", "v.opened_at", Kind.TIMESTAMP, source="escalation.opened_at"),
        Column("origin", "v.origin", Kind.TIMESTAMP, source="what the clocks count from"),
        Column("round", "v.round", Kind.INTEGER, source="escalation.round"),
        Column("step", "v.step", Kind.INTEGER, source="escalation.step"),
        Column("acknowledged_at", "v.acknowledged_at", Kind.TIMESTAMP, source="escalation.acknowledged_at"),
        Column("first_acknowledged_at", "v.first_acknowledged_at", Kind.TIMESTAMP, source="the first answer"),
        Column("eta_at", "v.eta_at", Kind.TIMESTAMP, source="escalation.eta_at"),
        Column("cannot_operate", "v.cannot_operate", Kind.BOOLEAN, source="escalation.cannot_operate"),
        Column("arrived_at", "v.arrived_at", Kind.TIMESTAMP, source="escalation.arrived_at"),
        Column("first_arrived_at", "v.first_arrived_at", Kind.TIMESTAMP, source="the first arrival"),
        Column("decision", "v.decision", Kind.CODE, source="escalation.decision"),
        Column("decided_at", "v.decided_at", Kind.TIMESTAMP, source="escalation.decided_at"),
        Column("reexamine_at", "v.reexamine_at", Kind.TIMESTAMP, source="escalation.reexamine_at"),
        Column("milestones", "v.milestones", Kind.JSON, source="kind → time"),
        Column("closed_at", "v.closed_at", Kind.TIMESTAMP, source="escalation.closed_at"),
        Column("responsible", "responsible.public_id", Kind.UUID, source="key of the responsible person"),
        Column("reasons", "v.triggers", Kind.JSON, source="escalation.triggers", identifying=True),
        Column("decision_data", "v.decision_data", Kind.JSON, source="escalation.decision_data", identifying=True),
        Column("responsible_name", "responsible.full_name", source="user.full_name", identifying=True),
        RECORD_NUMBER,
    ),
    filters=(
        Filter("status", "v.status = ANY({})", choices=tuple(EscalationStatus)),
        Filter("tier", "v.tier = ANY({})", choices=tuple(Tier)),
        Filter("pathway", "v.pathway = ANY({})", choices=tuple(Pathway)),
        Filter("setting", "v.setting = ANY({})", choices=tuple(Setting)),
        Filter("decision", "v.decision = ANY({})", choices=tuple(Decision)),
        Filter("procedure", "p.public_id = {}", Takes.UUID),
        Filter("from", "v.opened_at >= {}", Takes.INSTANT),
        Filter("to", "v.opened_at < {}", Takes.INSTANT),
    ),
)

FOLLOW_UPS = Dataset(
    name="follow_ups",
    label="Follow-ups",
    source="complications_followupversion",
    joins=OF_A_PROCEDURE,
    site="v.site_id",
    columns=(
        WRITTEN_AT,
        Column("follow_up", "v.public_id", Kind.UUID, source="follow_up.public_id"),
        PROCEDURE,
        PATIENT,
        Column("kind", "v.kind", Kind.CODE, source="follow_up.kind"),
        Column("code", "v.code", Kind.CODE, source="follow_up.toml"),
        Column("part", "v.part", Kind.CODE, source="follow_up.part"),
        Column("channel", "v.channel", Kind.CODE, source="follow_up.channel"),
        Column("opens_at", "v.opens_at", Kind.TIMESTAMP, source="follow_up.opens_at"),
        Column("target_at", "v.target_at", Kind.TIMESTAMP, source="follow_up.target_at"),
        Column("closes_at", "v.closes_at", Kind.TIMESTAMP, source="follow_up.closes_at"),
        Column("status", "v.status", Kind.CODE, source="follow_up.status"),
        Column("late", "v.late", Kind.BOOLEAN, source="follow_up.late"),
        Column("done_at", "v.done_at", Kind.TIMESTAMP, source="follow_up.done_at"),
        Column("run", "v.run_public_id", Kind.UUID, source="the run with its answers"),
        Column("red_flags", "v.red_flags", Kind.LIST, source="follow_up.red_flags"),
        Column("planned_at", "v.planned_at", Kind.TIMESTAMP, source="follow_up.planned_at"),
        Column("reason", "v.reason", source="follow_up.reason", identifying=True),
        RECORD_NUMBER,
    ),
    filters=(
        Filter("status", "v.status = ANY({})", choices=tuple(FollowUpStatus)),
        Filter("kind", "v.kind = ANY({})", choices=("visit", "observation")),
        Filter("code", "v.code = ANY({})"),
        Filter("red_flag", "v.red_flags && {}::varchar[]", choices=tuple(RedFlag)),
        Filter("procedure", "p.public_id = {}", Takes.UUID),
        Filter("from", "v.target_at >= {}", Takes.INSTANT),
        Filter("to", "v.target_at < {}", Takes.INSTANT),
    ),
)

DATASETS = (COMPLICATIONS, ESCALATIONS, FOLLOW_UPS)
AUDIT_STREAMS = {"escalation": "SELECT public_id, site_id FROM complications_escalation"}
