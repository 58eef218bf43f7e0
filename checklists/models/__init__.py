"""The tables of the lists: definitions, runs, events, answers, and what people sign."""

from checklists.models.definitions import Definition
from checklists.models.drafts import DRAFT_ARROWS, Draft, DraftVersion, RunMove, Withdrawal
from checklists.models.events import Answer, Event, Quarantined
from checklists.models.identity import IdentityCheck
from checklists.models.runs import RUN_ARROWS, Run
from checklists.models.signing import Amendment, Override, Pause, Signature

__all__ = [
    "DRAFT_ARROWS",
    "RUN_ARROWS",
    "Amendment",
    "Answer",
    "Definition",
    "Draft",
    "DraftVersion",
    "Event",
    "IdentityCheck",
    "Override",
    "Pause",
    "Quarantined",
    "Run",
    "RunMove",
    "Signature",
    "Withdrawal",
]
