"""Triggers from pain, imaging, fever and worry, and for the patient who cannot be examined (NT-07 … 11, 13)."""

from __future__ import annotations

from datetime import timedelta

from complications.rules.verdict import Case, WantedTimer
from complications.vocabulary import Finding, Symptom, Tier, spine_region

SEVERE_NRS, NRS_RISE, EXTREME_NRS = 7, 3, 9
LEG_PAIN_NRS, LEG_PAIN_RISE = 3, 2
FEVER_C, FEVER_AFTER_HOURS = 38.0, 48
CRP_MG_L, CRP_AFTER_DAYS = 50, 5
CANAL_PERCENT = 25
NOT_EXAMINABLE_MIN = 60


def leg_pain(case: Case) -> None:
    """NT-08a and NT-08b: new pain down a leg, progressive or stable."""
    now, before = case.neuro.nrs_leg, case.context.lowest_nrs_leg_last_hour
    rising = now is not None and before is not None and now >= LEG_PAIN_NRS and now - before >= LEG_PAIN_RISE
    if rising:
        case.fire("NT-08a", Tier.T1, f"leg pain rose from {before} to {now} within an hour")
    elif case.has(Symptom.PROGRESSIVE_LEG_PAIN):
        case.fire("NT-08a", Tier.T1, "leg pain is spreading or rising")
    elif case.has(Symptom.NEW_LEG_PAIN):
        case.fire("NT-08b", Tier.T2, "new leg pain, stable")


def examinable(case: Case) -> None:
    """NT-09: cannot be examined for more than an hour; until then a timer."""
    blocked = case.neuro.not_examinable
    if blocked is None and case.exam.touched and not case.exam.tested:
        due = case.context.now + timedelta(minutes=NOT_EXAMINABLE_MIN)
        case.timers.append(WantedTimer("not_examinable", "NT-09", due, "legs_examined"))
    if blocked is None:
        return
    due = (blocked.since or case.context.now) + timedelta(minutes=NOT_EXAMINABLE_MIN)
    if due < case.context.now:
        minutes = int((case.context.now - due).total_seconds() // 60) + NOT_EXAMINABLE_MIN
        case.fire("NT-09", Tier.T1, f"cannot be examined for {minutes} min")
    else:
        case.timers.append(WantedTimer("not_examinable", "NT-09", due, "legs_examined"))


def back_pain(case: Case) -> None:
    """NT-07a and NT-07b: severe pain over the lowest value since the procedure (F3)."""
    now, lowest = case.neuro.nrs_back, case.context.lowest_nrs_back
    reason = ""
    if now is not None and now >= SEVERE_NRS and lowest is not None and now - lowest >= NRS_RISE:
        reason = f"back pain {now} of 10, was {lowest}"
    elif now is not None and now >= EXTREME_NRS and (case.context.nrs_back_high_minutes or 0) >= 30:
        reason = f"back pain {now} of 10, not relieved within 30 min"
    elif case.has(Symptom.SEVERE_BACK_PAIN):
        reason = "new severe or rising back pain"
    elif now is not None and now >= SEVERE_NRS and lowest is None and case.context.is_report:
        reason = f"back pain {now} of 10, no earlier value"
    if not reason:
        return
    context = case.context
    early = context.hours_since_end is not None and 0 <= context.hours_since_end <= 24
    if case.signs:
        case.fire("NT-07a", Tier.T0, f"{reason}, with a neurological sign")
    elif early or context.on_antithrombotic or context.known_canal_leak:
        why = "within 24 h" if early else "on an antithrombotic" if context.on_antithrombotic else "after a canal leak"
        case.fire("NT-07b", Tier.T1, f"{reason}, {why}")
    else:
        case.fire("NT-07b", Tier.T2, reason)


def imaging(case: Case) -> None:
    """NT-10a and NT-10b: something in the canal or a foramen."""
    image = case.neuro.imaging
    if image is None or image.finding is Finding.NONE:
        return
    regions = {spine_region(level) for level in ([image.level] if image.level else case.context.levels)}
    share = f", {image.canal_percent:g} % of the canal" if image.canal_percent is not None else ""
    reason = f"{image.finding.value} in canal or foramen{f' at {image.level}' if image.level else ''}{share}"
    low = bool(regions) and regions <= {"l", "s"}
    trigger = "NT-10b" if low else "NT-10a"
    if case.signs:
        case.fire(trigger, Tier.T0, f"{reason}, with a neurological sign")
    elif image.finding in (Finding.ABSCESS, Finding.INFARCT):
        case.fire(trigger, Tier.T0, reason)
    elif not low or (image.canal_percent is not None and image.canal_percent >= CANAL_PERCENT):
        case.fire(trigger, Tier.T1, reason)
    else:
        case.fire(trigger, Tier.T2, reason)


def infection(case: Case) -> None:
    """NT-11a and NT-11b: fever later than 48 h or twice, or CRP doubled after day 5, with back pain (F18)."""
    neuro, context = case.neuro, case.context
    hours = context.hours_since_end
    reason = ""
    counts = context.earlier_fever or hours is None or hours > FEVER_AFTER_HOURS
    if neuro.temperature_c is not None and neuro.temperature_c >= FEVER_C and counts:
        reason = f"fever {neuro.temperature_c:.1f} °C"
    late = hours is None or hours > CRP_AFTER_DAYS * 24
    if not reason and neuro.crp_mg_l is not None and neuro.crp_mg_l >= CRP_MG_L and late:
        before = context.lowest_crp
        if before is None and context.is_report:
            reason = f"CRP {neuro.crp_mg_l:g} mg/L"
        elif before is not None and neuro.crp_mg_l >= 2 * before:
            reason = f"CRP rose from {before:g} to {neuro.crp_mg_l:g} mg/L"
    if not reason or neuro.nrs_back == 0:
        return
    if case.signs:
        case.fire("NT-11a", Tier.T0, f"{reason}, with a neurological sign")
    else:
        case.fire("NT-11b", Tier.T2, f"{reason}, with back pain")


def concern(case: Case) -> None:
    """NT-13: somebody who knows the patient is worried; they may raise it, never lower it."""
    concern = case.neuro.concern
    if concern is None:
        return
    tier = Tier.worst(Tier.T1, concern.tier or Tier.T1)
    case.fire("NT-13", tier, f"concern: {concern.text.strip() or 'no words given'}")
