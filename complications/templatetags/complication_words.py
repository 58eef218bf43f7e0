"""The words of complications, escalations and follow-ups in the reader's language.

People read Emergency, Urgent, Prompt, Routine; never t1, which would be taken for a vertebra.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django import template
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from clinic.templatetags.look import word
from complications.rules.catalogue import complications
from complications.rules.follow_up import default_plan

register = template.Library()

WORDS: dict[str, dict[str, Any]] = {
    "tier": {
        "t0": pgettext_lazy("tier", "Emergency"),
        "t1": pgettext_lazy("tier", "Urgent"),
        "t2": pgettext_lazy("tier", "Prompt"),
        "t3": pgettext_lazy("tier", "Routine"),
    },
    "pathway": {
        "spine": _("Spine"),
        "medical": _("Medical"),
        "cardiac": _("Cardiac"),
        "stroke": _("Stroke"),
        "operator": _("Operator"),
    },
    "setting": {
        "in_house": _("in the hospital"),
        "at_home": _("at home"),
        "other_hospital": _("in another hospital"),
    },
    "escalation_status": {
        "paging": _("Paging"),
        "acknowledged": _("Answered"),
        "at_bedside": _("At the bedside"),
        "decided": _("Decided"),
        "closed": _("Closed"),
        "raised_in_error": _("Raised in error"),
        "transferred": _("Transferred"),
    },
    "complication_status": {
        "draft": _("Draft"),
        "reported": _("Reported"),
        "under_review": _("Under review"),
        "needs_information": _("Needs information"),
        "closed": _("Closed"),
        "reopened": _("Reopened"),
        "duplicate": _("Duplicate"),
        "not_reportable": _("Not reportable"),
    },
    "group": {
        "leak": _("Cement leak"),
        "embolism": _("Embolism"),
        "neurological": _("Nerves"),
        "cardiovascular": _("Heart and circulation"),
        "chest": _("Chest"),
        "bleeding": _("Bleeding"),
        "dura": _("Dura"),
        "infection": _("Infection"),
        "fracture": _("Fracture"),
        "pain": _("Pain"),
        "device": _("Device"),
        "injury": _("Injury"),
        "anaesthesia": _("Anaesthesia"),
        "allergy": _("Allergy"),
        "radiation": _("Radiation"),
        "medical": _("Medical"),
        "wrong": _("Wrong patient or level"),
        "near_miss": _("Near miss"),
        "death": _("Death"),
    },
    "site_of_leak": {
        "epidural": _("Spinal canal"),
        "foraminal": _("Foramen"),
        "intradiscal": _("Disc"),
        "paravertebral": _("Paravertebral"),
        "venous_epidural": _("Epidural vein"),
        "venous_segmental": _("Segmental vein"),
        "needle_tract": _("Needle tract"),
        "pulmonary": _("Lung"),
    },
    "decision": {
        "decompress": _("Decompress"),
        "decompress_and_stabilise": _("Decompress and stabilise"),
        "evacuate_haematoma": _("Evacuate the haematoma"),
        "drain_abscess": _("Drain the abscess"),
        "image_first": _("Image first"),
        "observe": _("Observe"),
        "transfer": _("Transfer"),
        "no_deficit": _("No deficit"),
        "treated": _("Treated"),
    },
    "milestone": {
        "called_back": _("Called back"),
        "sent_for": _("Patient sent for"),
        "patient_arrived": _("Patient has arrived"),
        "second_examination": _("Second examination"),
        "imaging_requested": _("Imaging requested"),
        "imaging_done": _("Imaging done"),
        "imaging_reported": _("Imaging reported"),
        "theatre_booked": _("Theatre booked"),
        "in_theatre": _("In theatre"),
        "incision": _("Incision"),
        "operation_end": _("End of operation"),
        "transfer_accepted": _("Transfer accepted"),
        "left_for_transfer": _("Left for transfer"),
        "family_told": _("Family told"),
        "call_made": _("Call made"),
    },
    "policy_post": {
        "on_call_rank_1": _("Spine surgeon on call, first"),
        "on_call_rank_2": _("Spine surgeon on call, second"),
        "on_call_rank_3": _("Spine surgeon on call, third"),
        "operator": _("Operator"),
        "nurse_in_charge": _("Nurse in charge"),
        "anaesthetist_on_call": _("Anaesthetist on call"),
        "medical_on_call": _("Physician on call"),
        "head_of_department": _("Head of department"),
        "duty_manager": _("Duty manager"),
        "backstop": _("Last resort"),
    },
    "policy_clock": {
        "ack": _("Answer"),
        "bedside": _("At the bedside"),
        "imaging_requested": _("Imaging requested"),
        "imaging_done": _("Imaging done"),
        "imaging_limit": _("Imaging done, at the latest"),
        "report.min": _("Report after the imaging"),
        "decision": _("Decision"),
        "theatre_target": _("In theatre"),
        "theatre_limit": _("In theatre, at the latest"),
        "arrival_grace_min": _("Grace before the next is paged"),
        "at_home.call_back_min": _("At home: call back"),
        "at_home.patient_arrived_min": _("At home: patient arrives"),
    },
    "policy_contact": {
        "name": _("Name"),
        "email": _("E-mail"),
        "phone": _("Telephone"),
    },
    "clock": {
        "acknowledgement": _("Answer"),
        "call_back": _("Call back"),
        "patient_arrived": _("Patient arrives"),
        "bedside": _("At the bedside"),
        "imaging_requested": _("Imaging requested"),
        "imaging_done": _("Imaging done"),
        "imaging_report": _("Imaging reported"),
        "decision": _("Decision"),
        "theatre": _("In theatre"),
        "reexamination": _("Examine again"),
    },
    "interval": {
        "onset_to_report": _("Onset to report"),
        "report_to_page": _("Report to first page"),
        "page_to_acknowledgement": _("First page to answer"),
        "acknowledgement_to_bedside": _("Answer to bedside"),
        "bedside_to_imaging": _("Bedside to imaging"),
        "imaging_to_decision": _("Imaging to decision"),
        "decision_to_incision": _("Decision to incision"),
        "report_to_acknowledgement": _("Report to answer"),
        "report_to_bedside": _("Report to bedside"),
        "request_to_imaging": _("Imaging requested to done"),
        "report_to_decision": _("Report to decision"),
        "onset_to_incision": _("Onset to incision"),
    },
    "interval_group": {"tier": _("Urgency"), "month": _("Month"), "shift": _("Shift")},
    "shift": {"day": _("Day"), "evening": _("Evening"), "night": _("Night"), "weekend": _("Weekend")},
    "event": {
        "opened": _("Reported; paging began"),
        "step_paged": _("Paged"),
        "step_skipped": _("Nobody reachable, next step at once"),
        "joined": _("Further report joined"),
        "tier_raised": _("Raised"),
        "acknowledged": _("Took responsibility"),
        "unacknowledged": _("Did not arrive: paging goes on"),
        "arrived": _("At the bedside"),
        "handed_over": _("Hand-over asked"),
        "hand_over_accepted": _("Hand-over accepted"),
        "hand_over_unanswered": _("Hand-over not answered: paging goes on"),
        "backstop_answered": _("Backstop answered"),
        "also_answered": _("Could come as well"),
        "declined": _("Cannot come: the next step pages at once"),
        "milestone": _("Recorded"),
        "clock_warned": _("Limit is near"),
        "clock_breached": _("Limit missed"),
        "reexamination_due": _("Examination is due"),
        "decided": _("Decision"),
        "decision_not_in_force": _("Decided elsewhere meanwhile; not in force"),
        "closed": _("Closed"),
        "transferred": _("Transferred"),
        "raised_in_error": _("Raised in error"),
        "engine_failed": _("The service failed here and tried again"),
    },
    "follow_up_status": {
        "planned": _("Planned"),
        "done": _("Done"),
        "missed": _("Missed"),
        "lost_to_follow_up": _("Lost to follow-up"),
        "cancelled": _("Cancelled"),
    },
    "attempt": {
        "reached": _("Reached"),
        "carer_reached": _("Carer reached"),
        "no_answer": _("No answer"),
        "wrong_number": _("Wrong number"),
        "call_back_asked": _("Asked to call back"),
        "refused": _("Does not want to be called"),
    },
    "red_flag": {
        "leg_weakness": _("Are your legs weaker than before?"),
        "saddle_numbness": _("Numbness between the legs or around the back passage?"),
        "bladder_bowel": _("Trouble passing water, or leaking urine or stool?"),
        "severe_back_pain": _("Severe new or rising back pain?"),
        "fever_or_wound": _("Fever, or a red, wet or open wound?"),
        "chest_or_breath": _("Chest pain, or short of breath?"),
        "new_leg_pain": _("New pain shooting into a leg?"),
    },
    "symptom": {
        "leg_weakness": _("Leg weakness"),
        "arm_weakness": _("Arm weakness"),
        "saddle_numbness": _("Saddle numbness"),
        "bladder_bowel": _("Bladder or bowel change"),
        "new_incontinence": _("New incontinence"),
        "leg_numbness": _("Leg numbness"),
        "walks_worse": _("Walks worse"),
        "new_leg_pain": _("New leg pain"),
        "progressive_leg_pain": _("Leg pain that gets worse"),
        "severe_back_pain": _("Severe back pain"),
        "sensory_level": _("Sensory level"),
        "gait_ataxia": _("Unsteady gait"),
        "upper_motor_neurone_signs": _("Upper motor neurone signs"),
        "bilateral_leg_symptoms": _("Both legs affected"),
    },
    "muscle": {
        "hip_flexion": _("Hip flexion"),
        "knee_extension": _("Knee extension"),
        "ankle_dorsiflexion": _("Ankle dorsiflexion"),
        "great_toe_extension": _("Great-toe extension"),
        "plantarflexion": _("Plantarflexion"),
        "elbow_flexion": _("Elbow flexion"),
        "wrist_extension": _("Wrist extension"),
        "elbow_extension": _("Elbow extension"),
        "finger_flexion": _("Finger flexion"),
        "finger_abduction": _("Finger abduction"),
    },
    "sign": {
        "perianal_sensation": _("Perianal sensation"),
        "anal_tone": _("Anal tone"),
        "bladder": _("Bladder"),
        "bowel": _("Bowel"),
        "light_touch_l": _("Light touch, left leg"),
        "light_touch_r": _("Light touch, right leg"),
        "legs_move": _("Legs move on command"),
        "ais": _("AIS grade"),
        "walking": _("Walking"),
    },
    "finding": {
        "normal": _("Normal"),
        "impaired": _("Impaired"),
        "reduced": _("Reduced"),
        "absent": _("Absent"),
        "catheter": _("Catheter"),
        "both": _("Both"),
        "one": _("Only one"),
        "none": _("None"),
        "as_baseline": _("As before"),
        "worse": _("Worse"),
        "better": _("Better"),
        "weaker": _("Weaker"),
        "full": _("Full"),
        "weak": _("Weak"),
        "present": _("Present"),
        "nt": _("Not tested"),
        "a": "A",
        "b": "B",
        "c": "C",
        "d": "D",
        "e": "E",
    },
    "imaging": {
        "cement": _("Cement"),
        "haematoma": _("Haematoma"),
        "bone": _("Bone"),
        "abscess": _("Abscess"),
        "disc": _("Disc"),
        "infarct": _("Infarct of the cord"),
        "none": _("Nothing in the canal"),
    },
    "trigger": {
        "NT-01": _("Weaker than before"),
        "NT-02": _("Much weaker, or both sides"),
        "NT-03": _("New saddle numbness"),
        "NT-04a": _("Bladder or bowel with leg or saddle signs"),
        "NT-04b": _("Retention alone"),
        "NT-05": _("Impairment grade has fallen"),
        "NT-06": _("Cord signs"),
        "NT-07a": _("Rising pain with neurological signs"),
        "NT-07b": _("Rising pain"),
        "NT-08a": _("Leg pain that spreads or rises"),
        "NT-08b": _("New leg pain, no weakness"),
        "NT-09": _("Cannot be examined for over an hour"),
        "NT-10a": _("Something in the canal or foramen, cervical or thoracic"),
        "NT-10b": _("Something in the canal or foramen, lumbar"),
        "NT-11a": _("Signs of infection with neurological signs"),
        "NT-11b": _("Signs of infection with back pain"),
        "NT-12": _("The patient reports it"),
        "NT-13": _("A clinician is worried"),
        "NT-14": _("A leg does not move"),
        "NT-15": _("New numbness in one leg"),
        "NT-16": _("Walks worse than before"),
    },
    "detected_by": {
        "fluoroscopy": _("Fluoroscopy"),
        "ct": _("CT"),
        "mri": _("MRI"),
        "xray": _("X-ray"),
        "examination": _("Examination"),
        "clinical": _("Examination"),
        "patient": _("The patient"),
        "carer": _("A carer"),
        "follow_up": _("Follow-up"),
        "laboratory": _("Laboratory"),
        "monitoring": _("Monitoring"),
        "other": _("Other"),
    },
    "therapy": {
        "none": _("Nothing needed"),
        "observation": _("Observation"),
        "antiemetic": _("Drug against vomiting"),
        "antipyretic": _("Drug against fever"),
        "analgesic": _("Pain relief"),
        "diuretic": _("Diuretic"),
        "electrolytes": _("Electrolytes"),
        "physiotherapy": _("Physiotherapy"),
        "drug": _("Another drug"),
        "antibiotic": _("Antibiotic"),
        "anticoagulant": _("Anticoagulant"),
        "transfusion": _("Transfusion"),
        "parenteral_nutrition": _("Nutrition by vein"),
        "intervention": _("Intervention"),
        "surgery": _("Surgery"),
    },
    "fact": {
        "same_procedure": _("Solved in the same session"),
        "unplanned_overnight": _("Unplanned night in hospital"),
        "icu": _("Intensive care"),
        "arrest": _("Arrest"),
        "shock": _("Shock"),
        "paralysis": _("Paralysis"),
        "disability_at_discharge": _("Disability at discharge"),
        "death": _("Death"),
    },
    "sequelae": {"none": _("None"), "mild": _("Mild"), "severe": _("Severe")},
    "anaesthesia_for": {
        "none": _("none"),
        "local": _("local"),
        "sedation": _("sedation"),
        "general": _("general"),
    },
}

ROMAN = {"i": "I", "ii": "II", "iiia": "IIIa", "iiib": "IIIb", "iva": "IVa", "ivb": "IVb", "v": "V"}


@register.filter
def cword(value: object, kind: str) -> Any:
    """Return the word for an enum value of complications; an unknown value is shown with spaces, never hidden."""
    if value is None or value == "":
        return ""
    return WORDS[kind].get(str(value)) or str(value).replace("_", " ")


@register.filter
def cwords(values: Iterable[object], kind: str) -> str:
    """Return the words for several enum values, divided by commas."""
    return ", ".join(str(cword(value, kind)) for value in values)


@register.filter
def policy_clock(name: str) -> Any:
    """Return the word for a clock of the policy by its path, `tiers.t0.report.min`."""
    return cword(name.split(".", 2)[-1], "policy_clock")


@register.filter
def policy_value(value: Any) -> str:
    """Return a value of the policy as it is read in a comparison: posts in words, nothing as a dash."""
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return cwords(value, "policy_post")
    return str(value)


@register.filter
def clavien(value: str | None) -> str:
    """Return a Clavien-Dindo grade as it is written: IIIb; the suffix d stays."""
    if not value:
        return ""
    lower = value.lower()
    if lower in ROMAN:
        return ROMAN[lower]
    return ROMAN[lower[:-1]] + "d" if lower.endswith("d") and lower[:-1] in ROMAN else value


@register.filter
def own_language(item: Any, attribute: str) -> str:
    """Return `attribute` of a catalogue row, its Turkish form for Turkish readers."""
    turkish = getattr(item, f"{attribute}_tr", "") if (get_language() or "").startswith("tr") else ""
    return str(turkish or getattr(item, attribute))


MOVES: dict[str, Any] = {
    "reported": _("Confirm the draft"),
    "under_review": _("Start the review"),
    "needs_information": _("Ask for information"),
    "closed": _("Close"),
    "reopened": _("Reopen"),
    "duplicate": _("It is a duplicate"),
    "not_reportable": _("Not reportable"),
}


@register.filter
def move_word(status: str) -> Any:
    """Return the verb that leads to a state."""
    return MOVES.get(status, status)


@register.filter
def code_name(code: str) -> str:
    """Return the name of a complication in the reader's language."""
    row = complications().get(code)
    return own_language(row, "name") if row else code


@register.filter
def follow_up_word(code: str) -> str:
    """Return the name of a follow-up: "24 hours"; an observation of the ward says so."""
    row = next((one for one in default_plan()["follow_up"] if one["id"] == code), None)
    if row is None:
        return now_("Neurological check")
    return str(row["label_tr"] if (get_language() or "").startswith("tr") else row["label"])


@register.filter
def exam_words(exam: dict[str, Any], baseline: dict[str, Any] | None = None) -> str:
    """Return an examination in words: what is other than the baseline, "5 → 2"; without any difference, that."""
    before = baseline or {}
    found: list[str] = []
    grades, first = exam.get("mrc") or {}, before.get("mrc") or {}
    tested = [grade for grade in grades.values() if isinstance(grade, int)]
    for key, grade in grades.items():
        if not isinstance(grade, int):
            continue
        muscle, _under, side = key.rpartition("_")
        was = first.get(key, 5)
        if grade != was:
            word = cword(muscle, "muscle")
            where = now_("left") if side == "l" else now_("right")
            found.append(f"{word} {where} {was} → {grade}")
    for name in WORDS["sign"]:
        value = exam.get(name)
        if value not in (None, "", "nt", "normal", "both", "e", before.get(name)):
            found.append(f"{cword(name, 'sign')}: {cword(value, 'finding')}")
    if exam.get("pvr_ml"):
        found.append(now_("%(n)s mL left in the bladder") % {"n": exam["pvr_ml"]})
    if exam.get("nrs_back") is not None:
        found.append(now_("back pain %(n)s") % {"n": exam["nrs_back"]})
    if found:
        text = ", ".join(str(one) for one in found)
        return text[:1].upper() + text[1:]
    if baseline is None and tested:
        return now_("every tested muscle 5, nothing impaired")
    return now_("As before") if tested or len(exam) else now_("Not tested")


FILTERS: dict[str, Any] = {
    "type": _("Type"),
    "group": _("Group"),
    "site_of_leak": _("Site of leak"),
    "clavien": "Clavien",
    "sir": "SIR",
    "cirse": "CIRSE",
    "level": _("Level"),
    "status": _("State"),
    "kind": _("Procedure"),
    "indication": _("Indication"),
    "anaesthesia": _("Anaesthesia"),
    "operator": _("Operator"),
    "symptomatic": _("Symptoms"),
    "period": _("Period"),
    "q": _("Text"),
}


@register.filter
def filter_word(name: str) -> Any:
    """Return the name of a filter."""
    return FILTERS.get(name, name)


@register.filter
def filter_value(value: str, name: str) -> str:
    """Return the values of a filter in words."""
    if name == "symptomatic":
        return now_("Yes") if value == "true" else now_("No")
    words: Callable[[str], object] | None = {
        "type": code_name,
        "clavien": clavien,
        "group": lambda one: cword(one, "group"),
        "site_of_leak": lambda one: cword(one, "site_of_leak"),
        "status": lambda one: cword(one, "complication_status"),
        "kind": lambda one: word(one, "kind"),
        "indication": lambda one: word(one, "indication"),
        "anaesthesia": lambda one: word(one, "anaesthesia"),
    }.get(name)
    if words is None:
        return value.replace(",", ", ")
    return (
        ", ".join(str(words(one)) for one in value.split(",") if one)
        if name != "type" or value in complications()
        else value
    )


@register.simple_tag
def word_tables(*kinds: str) -> dict[str, dict[str, str]]:
    """Return whole tables of words for a script that draws by itself: kind → value → word, in the reader's language."""
    return {kind: {value: str(text) for value, text in WORDS[kind].items()} for kind in kinds}
