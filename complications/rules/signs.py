"""Triggers that an examination fires: strength, feeling, sphincters, cord signs, walking (NT-01 … 06, 12, 14 … 16)."""

from __future__ import annotations

from datetime import timedelta

from complications.rules.report import AIS, SENSES, TOUCH, Exam
from complications.rules.verdict import LEG_OR_SADDLE, Case, WantedTimer
from complications.vocabulary import ARM_MUSCLES, LEG_MUSCLES, Symptom, Tier

RETENTION_ML = 200  # residual urine above this = retention (pathway citing BASS, V)
RETENTION_HOURS = 6  # K
RETENTION_EXAM_MIN = 30
SIDE_WORDS = {"_l": "left", "_r": "right"}


def _muscle_words(muscle: str) -> str:
    return f"{SIDE_WORDS[muscle[-2:]]} {muscle[:-2].replace('_', ' ')}"


def motor_falls(exam: Exam, baseline: Exam | None) -> dict[str, tuple[int, int]]:
    """Return the muscles that are weaker than at baseline, as muscle → (baseline, now), grades 0-5."""
    falls: dict[str, tuple[int, int]] = {}
    for muscle in (f"{name}_{side}" for name in (*LEG_MUSCLES, *ARM_MUSCLES) for side in ("l", "r")):
        now, was = exam.grade(muscle), baseline.grade(muscle) if baseline else None
        if now is not None and was is not None and now < was:
            falls[muscle] = (was, now)
    return falls


def strength(case: Case) -> None:
    """NT-01 and NT-02: a fall of strength, or without baseline a weak muscle (F8)."""
    falls = motor_falls(case.exam, case.baseline)
    said = {m[-1]: m for m in ("leg_l", "leg_r", "arm_l", "arm_r") if getattr(case.exam, m) == "weaker"}
    weaker = [m for m in ("leg_l", "leg_r", "arm_l", "arm_r") if getattr(case.exam, m) == "weaker"]
    worst = max(falls, key=lambda m: falls[m][0] - falls[m][1], default=None)
    sides = {m[-1] for m in falls} | set(said)
    if worst and falls[worst][0] - falls[worst][1] >= 2:
        case.fire("NT-02", Tier.T0, f"{_muscle_words(worst)} fell from {falls[worst][0]} to {falls[worst][1]}")
    lost = next((m for m, (was, now) in falls.items() if was > 3 >= now), None)
    if lost:
        case.fire("NT-02", Tier.T0, f"{_muscle_words(lost)} is {falls[lost][1]}, was {falls[lost][0]}")
    if sides == {"l", "r"}:
        case.fire("NT-02", Tier.T0, "weaker on both sides")
    elif worst:
        case.fire("NT-01", Tier.T1, f"{_muscle_words(worst)} fell from {falls[worst][0]} to {falls[worst][1]}")
    elif weaker:
        limb = "arm" if weaker[0].startswith("arm") else "leg"
        case.fire("NT-01", Tier.T1, f"{SIDE_WORDS[weaker[0][-2:]]} {limb} weaker than before")
    _strength_without_baseline(case)


def _strength_without_baseline(case: Case) -> None:
    unknown = {
        muscle: grade
        for muscle, grade in case.exam.mrc.items()
        if grade is not None and (case.baseline is None or case.baseline.grade(muscle) is None)
    }
    worst = min(unknown, key=lambda m: unknown[m], default=None)
    if worst is None or unknown[worst] == 5:
        return
    reason = f"{_muscle_words(worst)} is {unknown[worst]}, nothing to compare with"
    if unknown[worst] <= 3:
        case.fire("NT-02", Tier.T0, reason)
    else:
        case.fire("NT-01", Tier.T1, reason)


def _worse(now: str | None, was: str | None, order: tuple[str, ...]) -> bool | None:
    """Return whether `now` is worse than `was` (order best first); None when there is nothing to compare with."""
    if now not in order:
        return False
    if was not in order:
        return None
    return order.index(now) > order.index(was)


def saddle(case: Case) -> None:
    """NT-03: new change of feeling in the saddle."""
    if case.has(Symptom.SADDLE_NUMBNESS):
        case.fire("NT-03", Tier.T0, "numb in the saddle area")
    if case.exam.saddle == "worse":
        case.fire("NT-03", Tier.T0, "saddle feels less than before")
    now = case.exam.perianal_sensation
    worse = _worse(now, case.baseline.perianal_sensation if case.baseline else None, SENSES)
    if worse:
        case.fire("NT-03", Tier.T0, f"perianal feeling is {now}, was better")
    elif worse is None and now == "absent":
        case.fire("NT-03", Tier.T0, "no perianal feeling, nothing to compare with")
    elif worse is None and now == "impaired":
        case.fire("NT-03", Tier.T1, "perianal feeling is impaired, nothing to compare with")


def _retention(case: Case) -> str:
    neuro = case.neuro
    if neuro.pvr_ml is not None and neuro.pvr_ml > RETENTION_ML:
        return f"{neuro.pvr_ml} mL left in the bladder"
    if neuro.hours_since_void is not None and neuro.hours_since_void >= RETENTION_HOURS:
        return f"no urine for {neuro.hours_since_void:g} h"
    was = case.baseline.bladder if case.baseline else None
    if case.exam.bladder == "impaired" and _worse("impaired", was, SENSES) is not False:
        return "bladder works worse"
    if case.has(Symptom.BLADDER_BOWEL) and not case.context.by_patient:
        return "change of bladder or bowel"
    return ""


def sphincters(case: Case) -> None:
    """NT-04a and NT-04b: incontinence, anal tone, retention."""
    exam, baseline = case.exam, case.baseline
    if case.has(Symptom.NEW_INCONTINENCE):
        case.fire("NT-04a", Tier.T0, "new incontinence")
    tone_was = baseline.anal_tone if baseline and baseline.anal_tone else "normal"
    if _worse(exam.anal_tone, tone_was, SENSES):
        case.fire("NT-04a", Tier.T0, f"anal tone is {exam.anal_tone}")
    if _worse(exam.bowel, baseline.bowel if baseline and baseline.bowel else "normal", SENSES):
        case.fire("NT-04a", Tier.T0, f"bowel control is {exam.bowel}")
    if exam.bladder == "absent" and (baseline is None or _worse("absent", baseline.bladder, SENSES) is not False):
        case.fire("NT-04a", Tier.T0, "no bladder control, or retention")
    held = _retention(case)
    if not held:
        return
    if any(fired.trigger in LEG_OR_SADDLE for fired in case.fired):
        case.fire("NT-04a", Tier.T0, f"{held}, with a sign in leg or saddle")
    elif case.neuro.not_examinable or (exam.touched and not exam.tested):
        case.fire("NT-04a", Tier.T0, f"{held}, legs and saddle cannot be examined")
    else:
        case.fire("NT-04b", Tier.T2, held)
        if not (exam.legs_known and exam.saddle_known):
            due = case.context.now + timedelta(minutes=RETENTION_EXAM_MIN)
            case.timers.append(WantedTimer("retention_unexamined", "NT-04a", due, "legs_and_saddle_examined"))


def scale(case: Case) -> None:
    """NT-05: AIS or Frankel grade lower than at baseline; an intact baseline stands for E."""
    for name in ("ais", "frankel"):
        now = getattr(case.exam, name)
        was = getattr(case.baseline, name) if case.baseline else None
        if was is None and case.baseline is not None and _intact(case.baseline):
            was = "e"
        if now is None or now == "e":
            continue
        if was is not None:
            if AIS.index(now) < AIS.index(was):
                case.fire("NT-05", Tier.T0, f"{name.upper()} {now.upper()}, was {was.upper()}")
        elif now == "d":
            case.fire("NT-05", Tier.T1, f"{name.upper()} D, nothing to compare with")
        else:
            case.fire("NT-05", Tier.T0, f"{name.upper()} {now.upper()}, nothing to compare with")


def _intact(baseline: Exam) -> bool:
    legs = [baseline.grade(f"{muscle}_{side}") for muscle in LEG_MUSCLES for side in ("l", "r")]
    return all(grade == 5 for grade in legs) and baseline.perianal_sensation in (None, "normal")


def cord(case: Case) -> None:
    """NT-06 and NT-15: cord signs, both legs, or feeling less in one leg."""
    words = {
        Symptom.SENSORY_LEVEL: "new sensory level",
        Symptom.GAIT_ATAXIA: "unsteady gait",
        Symptom.BILATERAL_LEG_SYMPTOMS: "symptoms in both legs",
    }
    for symptom, reason in words.items():
        if case.has(symptom):
            case.fire("NT-06", Tier.T0, reason)
    umn_before = case.baseline is not None and case.baseline.umn == "present"
    if (case.has(Symptom.UPPER_MOTOR_NEURONE_SIGNS) or case.exam.umn == "present") and not umn_before:
        case.fire("NT-06", Tier.T0, "upper motor neurone signs")
    less: list[str] = []
    compared = True
    for side in ("l", "r"):
        now = getattr(case.exam, f"light_touch_{side}")
        was = getattr(case.baseline, f"light_touch_{side}") if case.baseline else None
        worse = True if now == "worse" else _worse(now, was, TOUCH)
        if worse is None and now != "normal":
            less.append(side)
            compared = False
        elif worse:
            less.append(side)
    if len(less) == 2 and compared:
        case.fire("NT-06", Tier.T0, "light touch is less in both legs")
    elif less:
        side = SIDE_WORDS[f"_{less[0]}"] + " leg" if len(less) == 1 else "both legs, nothing to compare with"
        case.fire("NT-15", Tier.T1, f"light touch is less: {side}")
    if case.has(Symptom.LEG_NUMBNESS):
        case.fire("NT-15", Tier.T1, "new numbness in a leg")


def said(case: Case) -> None:
    """NT-12 (what patient or carer reports) and NT-16 (walks worse)."""
    patient = case.context.by_patient
    if case.has(Symptom.LEG_WEAKNESS) and (patient or not case.exam.legs_known):
        case.fire("NT-12", Tier.T0, "weakness of a leg is reported")
    elif case.has(Symptom.LEG_WEAKNESS):
        case.fire("NT-01", Tier.T1, "weakness of a leg is reported, strength as recorded")
    arms = [case.exam.grade(f"{muscle}_{side}") for muscle in ARM_MUSCLES for side in ("l", "r")]
    if case.has(Symptom.ARM_WEAKNESS) and (patient or None in arms):
        case.fire("NT-12", Tier.T0, "weakness of an arm is reported")
    if patient and case.has(Symptom.SADDLE_NUMBNESS):
        case.fire("NT-12", Tier.T0, "numbness in the saddle area is reported")
    if patient and case.has(Symptom.BLADDER_BOWEL, Symptom.NEW_INCONTINENCE):
        case.fire("NT-12", Tier.T0, "a change of bladder or bowel is reported")
    now, was = case.exam.walking, case.baseline.walking if case.baseline else None
    lower = now is not None and was is not None and now.isdigit() and was.isdigit() and int(now) < int(was)
    if case.has(Symptom.WALKS_WORSE) or now == "worse" or lower:
        case.fire("NT-16", Tier.T1, "walks worse than before the procedure")


def command(case: Case) -> None:
    """NT-14: a leg does not move on command, and did before."""
    moving = {"both": 2, "one": 1, "none": 0}
    now = case.exam.legs_move
    if now is None:
        return
    before = 2
    if case.baseline is not None and case.baseline.legs_move:
        before = moving[case.baseline.legs_move]
    elif case.baseline is not None:
        grades = {s: [case.baseline.grade(f"{m}_{s}") for m in LEG_MUSCLES] for s in ("l", "r")}
        before = sum(any(g is None or g >= 2 for g in side) for side in grades.values())
    if moving[now] < before:
        legs = "a leg does" if now == "one" else "the legs do"
        case.fire("NT-14", Tier.T0, f"{legs} not move on command")
