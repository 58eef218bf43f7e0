"""The tables of the middle floor."""

from complications.models.bedside import BedsideEntry
from complications.models.complications import Complication, grade_columns
from complications.models.drill import Drill, DrillPlan
from complications.models.engine import EngineHeartbeat, Timer
from complications.models.escalation import AcknowledgeLink, Escalation, EscalationEvent, EscalationPolicy
from complications.models.follow_up import ContactAttempt, FollowUp

__all__ = [
    "AcknowledgeLink",
    "BedsideEntry",
    "Complication",
    "ContactAttempt",
    "Drill",
    "DrillPlan",
    "EngineHeartbeat",
    "Escalation",
    "EscalationEvent",
    "EscalationPolicy",
    "FollowUp",
    "Timer",
    "grade_columns",
]
