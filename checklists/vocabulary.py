"""The words of the checklists as enums; the same spelling stands in the database, in JSON and in templates."""

from enum import StrEnum


class Phase(StrEnum):
    """The six lists of a procedure in their order, and the forms of its follow-up."""

    PRE = "pre"
    SIGN_IN = "sign_in"
    TIME_OUT = "time_out"
    INTRA = "intra"
    SIGN_OUT = "sign_out"
    POST = "post"
    FOLLOW_UP = "follow_up"


#: The phases that every procedure has.
PHASES = tuple(phase for phase in Phase if phase != Phase.FOLLOW_UP)


class RunStatus(StrEnum):
    """Whether a list is being worked on or has been signed by everybody whom it names."""

    OPEN = "open"
    SIGNED = "signed"


class EventOutcome(StrEnum):
    """What became of an event; `replayed` and `refused` are answers to the sender and are never stored with an event."""

    APPLIED = "applied"
    REPLAYED = "replayed"
    CONFLICT = "conflict"
    LATE = "late"
    HELD = "held"
    REFUSED = "refused"


#: The outcomes under which an event is kept.
STORED = (EventOutcome.APPLIED, EventOutcome.CONFLICT, EventOutcome.LATE, EventOutcome.HELD)
#: The outcomes under which it changes an answer.
FOLDED = (EventOutcome.APPLIED, EventOutcome.CONFLICT)


class SignatureRole(StrEnum):
    """In which part somebody signs; the catalogue names the parts of each phase."""

    OPERATOR = "operator"
    NURSE = "nurse"
    WATCHER = "watcher"
    WARD_NURSE = "ward_nurse"


class PauseKind(StrEnum):
    """Two rows make a pause, a third the confirmation that a long one asks for."""

    PAUSED = "paused"
    RESUMED = "resumed"
    CONFIRMED = "confirmed"


class DraftStatus(StrEnum):
    """Where a list in the making stands."""

    OPEN = "open"
    PROPOSED = "proposed"
    PUBLISHED = "published"
    DISCARDED = "discarded"
