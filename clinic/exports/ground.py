"""The datasets of the ground floor: procedures, treated levels, messages and the audit trail."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from clinic.exports.shape import Column, Dataset, Filter, Kind, Takes
from clinic.vocabulary import (
    LEVELS,
    Anaesthesia,
    Channel,
    Indication,
    LevelStatus,
    NotificationStatus,
    Outcome,
    ProcedureKind,
    ProcedureStatus,
    Scope,
)

WRITTEN_AT = Column("changed_at", "v.pgh_created_at", Kind.TIMESTAMP, source="clock of the database at the change")


PROCEDURES = Dataset(
    name="procedures",
    label="Procedures",
    source="clinic_procedureversion",
    joins=(
        "JOIN clinic_patient patient ON patient.id = v.patient_id JOIN clinic_user operator ON operator.id = "
        "v.operator_id LEFT JOIN clinic_room room ON room.id = v.room_id JOIN clinic_site site ON site.id = v.site_id"
    ),
    site="v.site_id",
    columns=(
        WRITTEN_AT,
        Column("procedure", "v.public_id", Kind.UUID, source="procedure.public_id"),
        Column("patient", "patient.pseudonym", Kind.CODE, source="HMAC-SHA256 of site and record number"),
        Column("site", "site.code", Kind.CODE, source="site.code"),
        Column("kind", "v.kind", Kind.CODE, source="procedure.kind"),
        Column("indication", "v.indication", Kind.CODE, source="procedure.indication"),
        Column("anaesthesia", "v.anaesthesia", Kind.CODE, source="procedure.anaesthesia"),
        Column("status", "v.status", Kind.CODE, source="procedure.status"),
        Column("outcome", "v.outcome", Kind.CODE, source="procedure.outcome"),
        Column("age", "v.age_years", Kind.INTEGER, "a", "whole years at the procedure"),
        Column("sex", "patient.sex", Kind.CODE, source="patient.sex"),
        Column("asa", "v.asa", Kind.CODE, source="procedure.asa"),
        Column("open_surgery", "v.open_surgery", Kind.CODE, source="procedure.open_surgery"),
        Column("imaging_kind", "v.imaging_kind", Kind.CODE, source="procedure.imaging_kind"),
        Column("baseline_nrs_rest", "v.baseline_nrs_rest", Kind.INTEGER, "{0-10}", "NRS at rest before"),
        Column("baseline_nrs_movement", "v.baseline_nrs_movement", Kind.INTEGER, "{0-10}", "NRS moving before"),
        Column("baseline_systolic", "v.baseline_systolic", Kind.INTEGER, "mm[Hg]", "procedure.baseline_systolic"),
        Column("baseline_spo2", "v.baseline_spo2", Kind.INTEGER, "%", "procedure.baseline_spo2"),
        Column("on_antithrombotic", "v.on_antithrombotic", Kind.BOOLEAN, source="procedure.on_antithrombotic"),
        Column("cement", "v.cement_ml", Kind.DECIMAL, "mL", "sum over the levels"),
        Column("room", "room.code", Kind.CODE, source="room.code"),
        Column("operator", "operator.public_id", Kind.UUID, source="key of the operator"),
        Column("scheduled_at", "v.scheduled_at", Kind.TIMESTAMP, source="procedure.scheduled_at"),
        Column("started_at", "v.started_at", Kind.TIMESTAMP, source="procedure.started_at"),
        Column("incision_at", "v.incision_at", Kind.TIMESTAMP, source="procedure.incision_at"),
        Column("ended_at", "v.ended_at", Kind.TIMESTAMP, source="procedure.ended_at"),
        Column("left_hospital_at", "v.left_hospital_at", Kind.TIMESTAMP, source="procedure.left_hospital_at"),
        Column("disposition", "v.disposition", Kind.CODE, source="procedure.disposition"),
        Column("first_walk", "v.first_walk", Kind.CODE, source="procedure.first_walk"),
        Column("first_walk_at", "v.first_walk_at", Kind.TIMESTAMP, source="procedure.first_walk_at"),
        Column("record_number", "patient.mrn", source="patient.mrn", identifying=True),
        Column("family_name", "patient.family_name", source="patient.family_name", identifying=True),
        Column("given_name", "patient.given_name", source="patient.given_name", identifying=True),
        Column("birth_date", "patient.birth_date", Kind.DATE, source="patient.birth_date", identifying=True),
        Column("phone", "patient.phone", source="patient.phone", identifying=True),
        Column("operator_name", "operator.full_name", source="user.full_name", identifying=True),
    ),
    filters=(
        Filter("kind", "v.kind = ANY({})", choices=tuple(ProcedureKind)),
        Filter("indication", "v.indication = ANY({})", choices=tuple(Indication)),
        Filter("anaesthesia", "v.anaesthesia = ANY({})", choices=tuple(Anaesthesia)),
        Filter("status", "v.status = ANY({})", choices=tuple(ProcedureStatus)),
        Filter("outcome", "v.outcome = ANY({})", choices=tuple(Outcome)),
        Filter("operator", "operator.username = ANY({})"),
        Filter("procedure", "v.public_id = {}", Takes.UUID),
        Filter("from", "v.scheduled_at >= {}", Takes.INSTANT),
        Filter("to", "v.scheduled_at < {}", Takes.INSTANT),
    ),
)

#: Joins that give the procedure `p` and its patient to rows that hold the procedure's id.
OF_A_PROCEDURE = (
    "JOIN clinic_procedure p ON p.id = v.procedure_id JOIN clinic_patient patient ON patient.id = p.patient_id"
)
PROCEDURE = Column("procedure", "p.public_id", Kind.UUID, source="procedure.public_id")
PATIENT = Column("patient", "patient.pseudonym", Kind.CODE, source="HMAC-SHA256 of site and record number")
RECORD_NUMBER = Column("record_number", "patient.mrn", source="patient.mrn", identifying=True)

TREATED_LEVELS = Dataset(
    name="treated_levels",
    label="Treated levels",
    source="clinic_treatedlevelversion",
    joins=OF_A_PROCEDURE,
    site="p.site_id",
    columns=(
        WRITTEN_AT,
        PROCEDURE,
        PATIENT,
        Column("level", "v.level", Kind.CODE, source="treated_level.level"),
        Column("status", "v.status", Kind.CODE, source="treated_level.status"),
        Column("planned_kind", "v.planned_kind", Kind.CODE, source="treated_level.planned_kind"),
        Column("approach", "v.approach", Kind.CODE, source="treated_level.approach"),
        Column("sides", "v.sides", Kind.CODE, source="treated_level.sides"),
        Column("cement", "v.cement_ml", Kind.DECIMAL, "mL", "treated_level.cement_ml"),
        Column("cement_left", "v.cement_ml_left", Kind.DECIMAL, "mL", "treated_level.cement_ml_left"),
        Column("cement_right", "v.cement_ml_right", Kind.DECIMAL, "mL", "treated_level.cement_ml_right"),
        Column("cement_lot", "v.cement_lot", source="treated_level.cement_lot"),
        Column("injected_at", "v.injected_at", Kind.TIMESTAMP, source="treated_level.injected_at"),
        Column("leak_sites", "v.leak_sites", Kind.LIST, source="treated_level.leak_sites"),
        RECORD_NUMBER,
    ),
    filters=(
        Filter("level", "v.level = ANY({})", choices=LEVELS),
        Filter("status", "v.status = ANY({})", choices=tuple(LevelStatus)),
        Filter("cement_lot", "v.cement_lot = ANY({})"),
        Filter("procedure", "p.public_id = {}", Takes.UUID),
        Filter("from", "p.scheduled_at >= {}", Takes.INSTANT),
        Filter("to", "p.scheduled_at < {}", Takes.INSTANT),
    ),
)

MESSAGES = Dataset(
    name="messages",
    label="Messages",
    source="clinic_notificationversion",
    joins="LEFT JOIN clinic_user recipient ON recipient.id = v.recipient_id",
    site="v.site_id",
    columns=(
        WRITTEN_AT,
        Column("message", "v.public_id", Kind.UUID, source="notification.public_id"),
        Column("kind", "v.kind", Kind.CODE, source="notification.kind"),
        Column("channel", "v.channel", Kind.CODE, source="notification.channel"),
        Column("reference", "v.reference", Kind.CODE, source="notification.reference"),
        Column("recipient", "recipient.public_id", Kind.UUID, source="key of the recipient"),
        Column("urgent", "v.urgent", Kind.BOOLEAN, source="notification.urgent"),
        Column("status", "v.status", Kind.CODE, source="notification.status"),
        Column("created_at", "v.created_at", Kind.TIMESTAMP, source="notification.created_at"),
        Column("due_at", "v.due_at", Kind.TIMESTAMP, source="notification.due_at"),
        Column("sent_at", "v.sent_at", Kind.TIMESTAMP, source="notification.sent_at"),
        Column("attempts", "v.attempts", Kind.INTEGER, source="notification.attempts"),
        Column("error", "v.error", Kind.CODE, source="notification.error"),
        Column("failure", "v.failure", Kind.CODE, source="notification.failure"),
        Column("delivered_at", "v.delivered_at", Kind.TIMESTAMP, source="notification.delivered_at"),
        Column("drill", "COALESCE((v.context ->> 'drill')::boolean, false)", Kind.BOOLEAN, source="message of a drill"),
        Column("recipient_name", "v.recipient_name", source="notification.recipient_name", identifying=True),
        Column("address", "v.address", source="notification.address", identifying=True),
    ),
    filters=(
        Filter("kind", "v.kind = ANY({})"),
        Filter("channel", "v.channel = ANY({})", choices=tuple(Channel)),
        Filter("status", "v.status = ANY({})", choices=tuple(NotificationStatus)),
        Filter("from", "v.created_at >= {}", Takes.INSTANT),
        Filter("to", "v.created_at < {}", Takes.INSTANT),
    ),
)

#: Streams of the ground floor and how each finds its site: prefix → SELECT of (id, site_id).
AUDIT_STREAMS = {
    "procedure": "SELECT public_id, site_id FROM clinic_procedure",
    "site": "SELECT public_id, id FROM clinic_site",
    "user": (
        "SELECT DISTINCT person.public_id, member.site_id FROM clinic_user person "
        "JOIN clinic_membership member ON member.user_id = person.id"
    ),
}


def streams_of_sites() -> str:
    """Return the SELECT of (stream, site_id) over all packages' streams; a person of two sites has a row for each."""
    kinds: dict[str, str] = dict(AUDIT_STREAMS)
    for place in settings.AUDIT_STREAMS:
        kinds |= import_string(place)
    return " UNION ALL ".join(
        f"SELECT '{kind}:' || record.id, record.site_id FROM ({query}) AS record (id, site_id)"  # noqa: S608 - our own
        for kind, query in kinds.items()
    )


# Without the text of an entry its hash still verifies: `canonical_sha256` is all that the chain needs.
AUDIT = Dataset(
    name="audit",
    label="Audit trail",
    source="clinic_auditentry",
    joins=lambda: (
        f"JOIN ({streams_of_sites()}) AS owner (stream, site_id) ON owner.stream = v.stream "
        "CROSS JOIN LATERAL (SELECT v.canonical::jsonb AS members OFFSET 0) AS entry"  # read once for all columns
    ),
    site="owner.site_id",
    sequence="v.id",
    record=None,
    scope=Scope.AUDIT_READ,
    columns=(
        Column("stream", "v.stream", Kind.CODE, source="audit.stream"),
        Column("seq", "v.seq", Kind.INTEGER, source="place in the stream, from 1"),
        Column("at", "v.at", Kind.CODE, source="entry.at"),
        Column("action", "v.action", Kind.CODE, source="entry.action"),
        Column("actor", "v.actor", Kind.CODE, source="entry.actor"),
        Column("role", "entry.members ->> 'role'", Kind.CODE, source="entry.role"),
        Column("via", "entry.members ->> 'via'", Kind.CODE, source="entry.via"),
        Column("subject", "v.subject", Kind.CODE, source="entry.subject"),
        Column("request_id", "entry.members ->> 'request_id'", Kind.CODE, source="entry.request_id"),
        Column("prev", "encode(v.prev, 'hex')", Kind.CODE, source="hash of the entry before"),
        Column("hash", "encode(v.hash, 'hex')", Kind.CODE, source="hash of the entry"),
        Column(
            "canonical_sha256",
            "encode(sha256(convert_to(v.canonical, 'UTF8')), 'hex')",
            Kind.CODE,
            source="SHA-256 of the entry's text",
        ),
        Column("canonical", "v.canonical", source="RFC 8785 text of the entry", identifying=True),
    ),
    filters=(
        Filter("action", "v.action = ANY({})"),
        Filter("actor", "v.actor = ANY({})"),
        Filter("subject", "v.subject = ANY({})"),
        Filter("stream", "v.stream = ANY({})"),
        Filter("from", "v.at::timestamptz >= {}", Takes.INSTANT),
        Filter("to", "v.at::timestamptz < {}", Takes.INSTANT),
    ),
)

DATASETS = (PROCEDURES, TREATED_LEVELS, MESSAGES, AUDIT)
