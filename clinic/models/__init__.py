"""The tables of the ground floor."""

from clinic.models.audit import AccessEntry, Actor, AuditEntry, AuditHead
from clinic.models.checkpoints import AuditCheckpoint, AuditCheckpointHead
from clinic.models.contacts import ContactPoint
from clinic.models.devices import ApiToken, Tablet
from clinic.models.exports import EXPORT_ARROWS, Export
from clinic.models.neuro import NeuroExam
from clinic.models.notification import Notification
from clinic.models.patients import Patient, spoken_name
from clinic.models.people import Membership, Room, Site, User
from clinic.models.procedures import Procedure, TeamMember, TreatedLevel
from clinic.models.rota import CalendarFeed, Leave, Shift, ShiftOverride, ShiftSwap
from clinic.models.versions import ChangeTriple, CurrentEpoch, CurrentXid, Xid8Field, versioned

__all__ = [
    "EXPORT_ARROWS",
    "AccessEntry",
    "Actor",
    "ApiToken",
    "AuditCheckpoint",
    "AuditCheckpointHead",
    "AuditEntry",
    "AuditHead",
    "CalendarFeed",
    "ChangeTriple",
    "ContactPoint",
    "CurrentEpoch",
    "CurrentXid",
    "Export",
    "Leave",
    "Membership",
    "NeuroExam",
    "Notification",
    "Patient",
    "Procedure",
    "Room",
    "Shift",
    "ShiftOverride",
    "ShiftSwap",
    "Site",
    "Tablet",
    "TeamMember",
    "TreatedLevel",
    "User",
    "Xid8Field",
    "spoken_name",
    "versioned",
]
