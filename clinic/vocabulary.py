"""The clinic's words as enums; the same spelling stands in the database, in JSON and in templates."""

from enum import StrEnum


class Role(StrEnum):
    """What a person does at a site; it decides what they may see and do."""

    NURSE = "nurse"
    SURGEON = "surgeon"
    ANAESTHETIST = "anaesthetist"
    FOLLOW_UP_NURSE = "follow_up_nurse"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    PRIVACY_OFFICER = "privacy_officer"


class Post(StrEnum):
    """A place in the rota that a step of the paging policy can name."""

    ON_CALL_SPINE = "on_call_spine"
    NURSE_IN_CHARGE = "nurse_in_charge"
    ANAESTHETIST_ON_CALL = "anaesthetist_on_call"
    HEAD_OF_DEPARTMENT = "head_of_department"
    DUTY_MANAGER = "duty_manager"
    MEDICAL_ON_CALL = "medical_on_call"
    BACKSTOP = "backstop"


class SwapStatus(StrEnum):
    """Where a proposed swap of shifts stands; only an accepted one changes the rota."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Sex(StrEnum):
    """As recorded by the hospital."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class ProcedureKind(StrEnum):
    """What is done to the vertebra."""

    VERTEBROPLASTY = "vertebroplasty"
    KYPHOPLASTY = "kyphoplasty"
    OTHER_MECHANICAL = "other_mechanical"


class Indication(StrEnum):
    """Why the vertebra is augmented."""

    OSTEOPOROTIC_VCF = "osteoporotic_vcf"
    METASTASIS = "metastasis"
    MYELOMA = "myeloma"
    OTHER_MALIGNANT = "other_malignant"
    BENIGN_LESION = "benign_lesion"
    TRAUMATIC_NONUNION = "traumatic_nonunion"
    ACUTE_TRAUMATIC = "acute_traumatic"
    OTHER = "other"


class Anaesthesia(StrEnum):
    """How the patient is kept free of pain."""

    LOCAL = "local"
    LOCAL_MODERATE_SEDATION = "local_moderate_sedation"
    DEEP_SEDATION_MAC = "deep_sedation_mac"
    GENERAL = "general"
    NEURAXIAL = "neuraxial"


class ProcedureStatus(StrEnum):
    """Where a procedure stands on the theatre list."""

    BOOKED = "booked"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How the procedure ended."""

    COMPLETED = "completed"
    PARTLY = "partly"
    ABANDONED = "abandoned"
    CONVERTED_OPEN = "converted_open"
    DIED = "died"


class LevelStatus(StrEnum):
    """Whether a planned vertebra was treated."""

    PLANNED = "planned"
    TREATED = "treated"
    NOT_TREATED = "not_treated"


class TeamRole(StrEnum):
    """What a member of the team does in this procedure."""

    OPERATOR = "operator"
    ASSISTANT = "assistant"
    NURSE = "nurse"
    WATCHER = "watcher"
    WARD_NURSE = "ward_nurse"
    RADIOGRAPHER = "radiographer"


class ExamKind(StrEnum):
    """Which moment a neurological examination belongs to."""

    BASELINE = "baseline"
    THEATRE = "theatre"
    OBSERVATION = "observation"
    REPORT = "report"
    REVIEW = "review"
    FOLLOW_UP = "follow_up"


class Channel(StrEnum):
    """How a message leaves the service."""

    INBOX = "inbox"
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


class Failure(StrEnum):
    """Why a message did not leave, as far as it decides what follows.

    `temporary`: tried again. `throttled`: tried again, not before the provider's own time. `refused`: our credentials
    are not accepted; tried again, since somebody can mend them. `permanent`: this address will never take it.
    `unknown`: the channel says no and not why; tried again.
    """

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class NotificationStatus(StrEnum):
    """Where an outgoing message stands; `leased` is being sent right now by one worker."""

    QUEUED = "queued"
    LEASED = "leased"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExportStatus(StrEnum):
    """Whether an export was delivered whole."""

    RUNNING = "running"
    FINISHED = "finished"
    ABORTED = "aborted"


class Via(StrEnum):
    """By which way an act reached the service."""

    SESSION = "session"
    PIN = "pin"
    TOKEN = "token"  # noqa: S105 - a word of the vocabulary
    LINK = "link"
    SYSTEM = "system"
    COMMAND = "command"


class Scope(StrEnum):
    """What an API token may do."""

    READ = "read"
    RUNS_WRITE = "runs:write"
    PROCEDURES_WRITE = "procedures:write"
    COMPLICATIONS_WRITE = "complications:write"
    ESCALATIONS_WRITE = "escalations:write"
    FOLLOW_UPS_WRITE = "follow_ups:write"
    ROTA_WRITE = "rota:write"
    EXPORTS_READ = "exports:read"
    EXPORTS_IDENTIFIED = "exports:identified"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"


#: From which state of a swap an answer leads where.
SWAP_ARROWS: dict[str, frozenset[str]] = {
    SwapStatus.PROPOSED.value: frozenset(
        (SwapStatus.ACCEPTED.value, SwapStatus.DECLINED.value, SwapStatus.WITHDRAWN.value)
    )
}

#: Who may hold a post, by role at the site; a post without an entry may be held by anybody who works there.
POST_ROLES: dict[Post, tuple[Role, ...]] = {
    Post.ON_CALL_SPINE: (Role.SURGEON,),
    Post.NURSE_IN_CHARGE: (Role.NURSE,),
    Post.ANAESTHETIST_ON_CALL: (Role.ANAESTHETIST,),
}

#: The spine from the top down; T13 and L6 are common variants (Carrino 2011).
LEVELS: tuple[str, ...] = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
    "S1",
    "S2",
)
