"""The words of complications, escalation and follow-up as enums: one spelling for database, JSON and templates."""

from enum import StrEnum


class Tier(StrEnum):
    """How fast a surgeon must come; `t0` is the worst. People see only the word of `label`."""

    T0 = "t0"
    T1 = "t1"
    T2 = "t2"
    T3 = "t3"

    @property
    def label(self) -> str:
        """The word people read: a code such as T1 would be taken for a vertebra."""
        return {"t0": "Emergency", "t1": "Urgent", "t2": "Prompt", "t3": "Routine"}[self.value]

    @property
    def rank(self) -> int:
        """0 for the worst tier."""
        return int(self.value[1])

    def worse_than(self, other: "Tier") -> bool:
        """Return whether this tier is more urgent than `other`."""
        return self.rank < other.rank

    @classmethod
    def worst(cls, *tiers: "Tier") -> "Tier":
        """Return the most urgent of `tiers` (at least one)."""
        return min(tiers, key=lambda tier: tier.rank)


class Pathway(StrEnum):
    """Who is paged: an escalation of one pathway never joins that of another."""

    SPINE = "spine"
    MEDICAL = "medical"
    CARDIAC = "cardiac"
    STROKE = "stroke"
    OPERATOR = "operator"

    @property
    def pages(self) -> bool:
        """Stroke never pages: the screen shows the number to call, and the call is recorded."""
        return self is not Pathway.STROKE


class Setting(StrEnum):
    """Where the patient is when the deficit is found."""

    IN_HOUSE = "in_house"
    AT_HOME = "at_home"
    OTHER_HOSPITAL = "other_hospital"


class Source(StrEnum):
    """By which way a finding reached us; it decides the setting when nobody gave it."""

    FORM = "form"
    API = "api"
    RUN = "run"
    FOLLOW_UP = "follow_up"
    PATIENT = "patient"
    TIMER = "timer"

    @property
    def setting(self) -> Setting:
        """The setting that is assumed when the report names none."""
        return Setting.AT_HOME if self in (Source.FOLLOW_UP, Source.PATIENT) else Setting.IN_HOUSE


class ComplicationStatus(StrEnum):
    """Where an entry of the log stands."""

    DRAFT = "draft"
    REPORTED = "reported"
    UNDER_REVIEW = "under_review"
    NEEDS_INFORMATION = "needs_information"
    CLOSED = "closed"
    REOPENED = "reopened"
    DUPLICATE = "duplicate"
    NOT_REPORTABLE = "not_reportable"


#: draft → reported → under_review ⇄ needs_information → closed → reopened; a draft is confirmed or rejected.
COMPLICATION_ARROWS: dict[str, frozenset[str]] = {
    "draft": frozenset({"reported", "not_reportable", "duplicate"}),
    "reported": frozenset({"under_review", "needs_information", "closed", "duplicate", "not_reportable"}),
    "under_review": frozenset({"needs_information", "closed", "duplicate", "not_reportable"}),
    "needs_information": frozenset({"under_review", "closed", "duplicate", "not_reportable"}),
    "closed": frozenset({"reopened"}),
    "reopened": frozenset({"under_review", "needs_information", "closed", "duplicate", "not_reportable"}),
    "duplicate": frozenset({"reopened"}),
    "not_reportable": frozenset({"reopened"}),
}


class EscalationStatus(StrEnum):
    """Where an escalation stands."""

    PAGING = "paging"
    ACKNOWLEDGED = "acknowledged"
    AT_BEDSIDE = "at_bedside"
    DECIDED = "decided"
    CLOSED = "closed"
    RAISED_IN_ERROR = "raised_in_error"
    TRANSFERRED = "transferred"

    @property
    def is_open(self) -> bool:
        """Return whether the engine still watches it."""
        return self in OPEN_ESCALATIONS


OPEN_ESCALATIONS = (
    EscalationStatus.PAGING,
    EscalationStatus.ACKNOWLEDGED,
    EscalationStatus.AT_BEDSIDE,
    EscalationStatus.DECIDED,
)

#: paging → acknowledged → at_bedside → decided → closed; no arrival or a worse report leads back to paging.
ESCALATION_ARROWS: dict[str, frozenset[str]] = {
    # Only a drill closes without an answer.
    "paging": frozenset({"acknowledged", "at_bedside", "raised_in_error", "closed"}),
    "acknowledged": frozenset({"acknowledged", "paging", "at_bedside", "decided", "closed", "raised_in_error"}),
    "at_bedside": frozenset({"acknowledged", "decided", "closed", "raised_in_error"}),
    "decided": frozenset({"paging", "acknowledged", "decided", "closed", "transferred", "raised_in_error"}),
    "closed": frozenset(),
    "raised_in_error": frozenset(),
    "transferred": frozenset(),
}


class Decision(StrEnum):
    """What the surgeon decides; `treated` is for the pathways that have no spine to operate on."""

    DECOMPRESS = "decompress"
    DECOMPRESS_AND_STABILISE = "decompress_and_stabilise"
    EVACUATE_HAEMATOMA = "evacuate_haematoma"
    DRAIN_ABSCESS = "drain_abscess"
    IMAGE_FIRST = "image_first"
    OBSERVE = "observe"
    TRANSFER = "transfer"
    NO_DEFICIT = "no_deficit"
    TREATED = "treated"

    @property
    def is_operative(self) -> bool:
        """Return whether it leads to theatre: the escalation then closes when the start of theatre is recorded."""
        return self in OPERATIVE


OPERATIVE = (
    Decision.DECOMPRESS,
    Decision.DECOMPRESS_AND_STABILISE,
    Decision.EVACUATE_HAEMATOMA,
    Decision.DRAIN_ABSCESS,
)


class Milestone(StrEnum):
    """Times on the way, in any order; none of them is a state."""

    CALLED_BACK = "called_back"
    SENT_FOR = "sent_for"
    PATIENT_ARRIVED = "patient_arrived"
    SECOND_EXAMINATION = "second_examination"
    IMAGING_REQUESTED = "imaging_requested"
    IMAGING_DONE = "imaging_done"
    IMAGING_REPORTED = "imaging_reported"
    THEATRE_BOOKED = "theatre_booked"
    IN_THEATRE = "in_theatre"
    INCISION = "incision"
    OPERATION_END = "operation_end"
    TRANSFER_ACCEPTED = "transfer_accepted"
    LEFT_FOR_TRANSFER = "left_for_transfer"
    FAMILY_TOLD = "family_told"
    CALL_MADE = "call_made"


class EventKind(StrEnum):
    """What an escalation event records."""

    OPENED = "opened"
    STEP_PAGED = "step_paged"
    STEP_SKIPPED = "step_skipped"
    JOINED = "joined"
    TIER_RAISED = "tier_raised"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ARRIVED = "arrived"
    HANDED_OVER = "handed_over"
    HAND_OVER_ACCEPTED = "hand_over_accepted"
    HAND_OVER_UNANSWERED = "hand_over_unanswered"
    BACKSTOP_ANSWERED = "backstop_answered"
    ALSO_ANSWERED = "also_answered"
    DECLINED = "declined"
    MILESTONE = "milestone"
    CLOCK_WARNED = "clock_warned"
    CLOCK_BREACHED = "clock_breached"
    REEXAMINATION_DUE = "reexamination_due"
    DECIDED = "decided"
    DECISION_NOT_IN_FORCE = "decision_not_in_force"
    CLOSED = "closed"
    TRANSFERRED = "transferred"
    RAISED_IN_ERROR = "raised_in_error"
    ENGINE_FAILED = "engine_failed"


class DrillEvery(StrEnum):
    """How often a planned drill runs; a quarter's is in January, April, July and October."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class DrillMiss(StrEnum):
    """Why a planned drill did not begin in its window."""

    NO_ENGINE = "no_engine"
    CASE_OPEN = "case_open"
    DRILL_RUNNING = "drill_running"
    FAILED = "failed"


class FollowUpStatus(StrEnum):
    """Where a planned follow-up stands."""

    PLANNED = "planned"
    DONE = "done"
    MISSED = "missed"
    LOST = "lost_to_follow_up"
    CANCELLED = "cancelled"


#: A missed visit may still be done late; a lost patient may turn up again.
FOLLOW_UP_ARROWS: dict[str, frozenset[str]] = {
    "planned": frozenset({"done", "missed", "cancelled", "lost_to_follow_up"}),
    "missed": frozenset({"done", "lost_to_follow_up", "cancelled"}),
    "lost_to_follow_up": frozenset({"done"}),
    "done": frozenset(),
    "cancelled": frozenset(),
}


class AttemptOutcome(StrEnum):
    """How an attempt to reach the patient ended."""

    REACHED = "reached"
    CARER_REACHED = "carer_reached"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"
    CALL_BACK_ASKED = "call_back_asked"
    REFUSED = "refused"


class RedFlag(StrEnum):
    """The seven questions asked at every contact; any yes acts."""

    LEG_WEAKNESS = "leg_weakness"
    SADDLE_NUMBNESS = "saddle_numbness"
    BLADDER_BOWEL = "bladder_bowel"
    SEVERE_BACK_PAIN = "severe_back_pain"
    FEVER_OR_WOUND = "fever_or_wound"
    CHEST_OR_BREATH = "chest_or_breath"
    NEW_LEG_PAIN = "new_leg_pain"


class Symptom(StrEnum):
    """What a person says or an examiner finds, in the words of the API."""

    LEG_WEAKNESS = "leg_weakness"
    ARM_WEAKNESS = "arm_weakness"
    SADDLE_NUMBNESS = "saddle_numbness"
    BLADDER_BOWEL = "bladder_bowel"
    NEW_INCONTINENCE = "new_incontinence"
    LEG_NUMBNESS = "leg_numbness"
    WALKS_WORSE = "walks_worse"
    NEW_LEG_PAIN = "new_leg_pain"
    PROGRESSIVE_LEG_PAIN = "progressive_leg_pain"
    SEVERE_BACK_PAIN = "severe_back_pain"
    SENSORY_LEVEL = "sensory_level"
    GAIT_ATAXIA = "gait_ataxia"
    UPPER_MOTOR_NEURONE_SIGNS = "upper_motor_neurone_signs"
    BILATERAL_LEG_SYMPTOMS = "bilateral_leg_symptoms"


class Finding(StrEnum):
    """What imaging shows."""

    CEMENT = "cement"
    HAEMATOMA = "haematoma"
    BONE = "bone"
    ABSCESS = "abscess"
    DISC = "disc"
    INFARCT = "infarct"
    NONE = "none"


LEG_MUSCLES = ("hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion")
ARM_MUSCLES = ("elbow_flexion", "wrist_extension", "elbow_extension", "finger_flexion", "finger_abduction")
MUSCLES = tuple(f"{muscle}_{side}" for muscle in (*LEG_MUSCLES, *ARM_MUSCLES) for side in ("l", "r"))


def spine_region(level: str) -> str:
    """Return `c`, `t`, `l` or `s` for a level such as `T12`; empty when it is not known."""
    return level[:1].lower() if level[:1] in "CTLS" and level[1:].isdigit() else ""
