"""The datasets of the top floor: events (what was ticked), answers (what that leads to) and signatures."""

from __future__ import annotations

from checklists.rules.catalogue import load
from checklists.rules.nodes import build_index
from checklists.vocabulary import STORED, Phase, SignatureRole
from clinic.exports.ground import PATIENT, PROCEDURE, RECORD_NUMBER, WRITTEN_AT
from clinic.exports.shape import Column, Dataset, Filter, Kind, Takes
from clinic.vocabulary import LEVELS

#: Kinds of answers that no person's own words can stand in.
_CODED = {"choice", "multi_choice", "boolean", "integer", "decimal", "datetime", "date"}
_NODES = ", ".join(
    f"'{node.id}'"
    for node in sorted(build_index(load().values()).nodes.values(), key=lambda node: node.id)
    if node.type in _CODED
)


def value(column: str) -> str:
    """Return SQL of an answer's value without words of a person's own.

    Items of the catalogue that are answered by a choice, a number or a time; of items that a site added, yes, no and
    numbers, which hold no words. Of an answer "does not apply" the reason is left out.
    """
    node = "v.item || CASE WHEN v.part = '' THEN '' ELSE '.' || v.part END"
    return (
        f"CASE WHEN jsonb_typeof({column}) = 'object' AND {column} ? 'not_applicable' "
        f"THEN '{{\"not_applicable\": true}}'::jsonb WHEN {node} = ANY(ARRAY[{_NODES}]) "
        f"OR jsonb_typeof({column}) IN ('boolean', 'number') THEN {column} END"
    )


def of_a_run(before: str) -> str:
    """Return the joins of a row of a run; `before` tells of a move `m` whether the row is older than it.

    A row keeps the version on which it was made: a run that was moved later must not change what was exported.
    """
    return (
        "JOIN checklists_run run ON run.id = v.run_id JOIN checklists_definition definition "  # noqa: S608 - constants
        "ON definition.id = COALESCE("
        f"(SELECT m.was_id FROM checklists_runmove m WHERE m.run_id = v.run_id AND {before} ORDER BY m.id LIMIT 1), "
        "run.definition_id) JOIN clinic_procedure p ON p.id = run.procedure_id "
        "JOIN clinic_patient patient ON patient.id = p.patient_id"
    )


_RUN = (
    PROCEDURE,
    PATIENT,
    Column("run", "run.public_id", Kind.UUID, source="run.public_id"),
    Column("phase", "run.phase", Kind.CODE, source="run.phase"),
    Column("definition", "definition.sha256", Kind.CODE, source="SHA-256 of the definition on which the row was made"),
)
_KEY = (
    Column("item", "v.item", Kind.CODE, source="item of the definition"),
    Column("part", "v.part", Kind.CODE, source="part of the item"),
    Column("level", "v.level", Kind.CODE, source="level"),
    Column("side", "v.side", Kind.CODE, source="side"),
    Column("instance", "v.instance", Kind.CODE, source="member of a series"),
)
_FILTERS = (
    Filter("phase", "run.phase = ANY({})", choices=tuple(Phase)),
    Filter("run", "run.public_id = {}", Takes.UUID),
    Filter("procedure", "p.public_id = {}", Takes.UUID),
)
_KEY_FILTERS = (
    *_FILTERS,
    Filter("item", "v.item = ANY({})"),
    Filter("level", "v.level = ANY({})", choices=LEVELS),
    Filter("from", "v.occurred_at >= {}", Takes.INSTANT),
    Filter("to", "v.occurred_at < {}", Takes.INSTANT),
)

EVENTS = Dataset(
    name="events",
    label="Events",
    source="checklists_event",
    joins=f"{of_a_run('v.seq <= m.last_seq')} LEFT JOIN clinic_user actor ON actor.id = v.actor_id",
    site="p.site_id",
    sequence="v.id",
    record=None,
    columns=(
        Column("event", "v.public_id", Kind.UUID, source="event.public_id"),
        *_RUN,
        Column("seq", "v.seq", Kind.INTEGER, source="order within the run"),
        *_KEY,
        Column("value", value("v.value"), Kind.JSON, source="event.value, coded answers only"),
        Column("parent", "v.parent", Kind.UUID, source="the event that it replaces"),
        Column("mode", "v.mode", Kind.CODE, source="event.mode"),
        Column("outcome", "v.outcome", Kind.CODE, source="event.outcome"),
        Column("code", "v.code", Kind.CODE, source="why not applied"),
        Column("actor", "actor.public_id", Kind.UUID, source="key of who did it"),
        Column("role", "v.role", Kind.CODE, source="in which role"),
        Column("occurred_at", "v.occurred_at", Kind.TIMESTAMP, source="the tablet's time"),
        Column("recorded_at", "v.recorded_at", Kind.TIMESTAMP, source="the server's time"),
        Column("clock_flag", "v.clock_flag", Kind.CODE, source="why the tablet's time is not believed"),
        Column("value_all", "v.value", Kind.JSON, source="event.value", identifying=True),
        Column("reason", "v.reason", source="event.reason", identifying=True),
        Column("actor_name", "actor.full_name", source="user.full_name", identifying=True),
        RECORD_NUMBER,
    ),
    filters=(*_KEY_FILTERS, Filter("outcome", "v.outcome = ANY({})", choices=tuple(STORED))),
)

ANSWERS = Dataset(
    name="answers",
    label="Answers",
    source="checklists_answerversion",
    joins=of_a_run("v.recorded_at <= m.moved_at"),
    site="p.site_id",
    columns=(
        WRITTEN_AT,
        *_RUN,
        *_KEY,
        Column("value", value("v.value"), Kind.JSON, source="answer.value, coded answers only"),
        Column("event", "v.event", Kind.UUID, source="the event that counts"),
        Column("is_conflict", "v.is_conflict", Kind.BOOLEAN, source="answer.is_conflict"),
        Column("occurred_at", "v.occurred_at", Kind.TIMESTAMP, source="answer.occurred_at"),
        Column("recorded_at", "v.recorded_at", Kind.TIMESTAMP, source="answer.recorded_at"),
        Column("value_all", "v.value", Kind.JSON, source="answer.value", identifying=True),
        RECORD_NUMBER,
    ),
    filters=_KEY_FILTERS,
)

SIGNATURES = Dataset(
    name="signatures",
    label="Signatures",
    source="checklists_signature",
    joins=f"{of_a_run('v.signed_at <= m.moved_at')} JOIN clinic_user signer ON signer.id = v.user_id "
    "LEFT JOIN clinic_user witness ON witness.id = v.witnessed_by_id "
    "LEFT JOIN checklists_signature first ON first.id = v.countersigns_id",
    site="p.site_id",
    sequence="v.id",
    record=None,
    columns=(
        Column("signature", "v.public_id", Kind.UUID, source="signature.public_id"),
        *_RUN,
        Column("signer", "signer.public_id", Kind.UUID, source="key of who signed"),
        Column("role", "v.role", Kind.CODE, source="signature.role"),
        Column("content_sha256", "v.content_sha256", Kind.CODE, source="hash of what was shown"),
        Column("language", "v.language", Kind.CODE, source="signature.language"),
        Column("credential", "v.credential", Kind.CODE, source="signature.credential"),
        Column("witness", "witness.public_id", Kind.UUID, source="key of the witness"),
        Column("countersigns", "first.public_id", Kind.UUID, source="the witnessed signature"),
        Column("signed_at", "v.signed_at", Kind.TIMESTAMP, source="signature.signed_at"),
        Column("signer_name", "signer.full_name", source="user.full_name", identifying=True),
        RECORD_NUMBER,
    ),
    filters=(
        *_FILTERS,
        Filter("role", "v.role = ANY({})", choices=tuple(SignatureRole)),
        Filter("from", "v.signed_at >= {}", Takes.INSTANT),
        Filter("to", "v.signed_at < {}", Takes.INSTANT),
    ),
)

DATASETS = (ANSWERS, EVENTS, SIGNATURES)

#: Lists are the same at every site, so their stream (drafts, approvals, withdrawals) is part of each site's trail.
AUDIT_STREAMS = {
    "definition": (
        "SELECT DISTINCT definition.name, site.id FROM checklists_definition definition CROSS JOIN clinic_site site"
    )
}
