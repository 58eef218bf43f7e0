"""The tables of the lists: definitions, runs, events, answers, and what people sign."""

from checklists.models.definitions import Definition
from checklists.models.events import Answer, Event, Quarantined
from checklists.models.identity import IdentityCheck
from checklists.models.runs import RUN_ARROWS, Run
from checklists.models.signing import Amendment, Override, Pause, Signature

__all__ = [
    "RUN_ARROWS",
    "Amendment",
    "Answer",
    "Definition",
    "Event",
    "IdentityCheck",
    "Override",
    "Pause",
    "Quarantined",
    "Run",
    "Signature",
]
