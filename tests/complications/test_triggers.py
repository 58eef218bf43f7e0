"""Every row of the neurological triggers: it fires, it does not, and it stands on its boundary."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from complications.rules.report import Exam, better_of, read_exam, read_neuro
from complications.rules.triggers import RULES, Context, Verdict, evaluate
from complications.rules.verdict import Case
from complications.vocabulary import LEG_MUSCLES, Tier

NOW = datetime(2026, 11, 24, 3, 6, tzinfo=UTC)
FULL = {f"{muscle}_{side}": 5 for muscle in LEG_MUSCLES for side in "lr"}
BASELINE = {
    "mrc": FULL,
    "ais": "e",
    "perianal_sensation": "normal",
    "bladder": "normal",
    "bowel": "normal",
    "light_touch_l": "normal",
    "light_touch_r": "normal",
    "umn": "none",
    "walking": "3",
}


def judge(neuro: dict[str, Any], baseline: dict[str, Any] | None = BASELINE, **context: Any) -> Verdict:
    read, troubles = read_neuro(neuro)
    assert troubles == []
    told = {"now": NOW, "is_report": False, **context}
    return evaluate(read, read_exam(baseline) if baseline is not None else None, Context(**told))


def fired(verdict: Verdict) -> dict[str, str]:
    return {one.trigger: one.tier.value for one in verdict.triggers}


def exam(**parts: Any) -> dict[str, Any]:
    return {"exam": parts}


def legs(**grades: int | str) -> dict[str, Any]:
    return exam(mrc={**FULL, **grades}, perianal_sensation="normal")


ROWS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    # NT-01 and NT-02: strength
    ("nothing is worse", legs(), {}, {}),
    ("one grade down", legs(ankle_dorsiflexion_l=4), {}, {"NT-01": "t1"}),
    (
        "one grade down, an arm",
        exam(mrc={"elbow_flexion_r": 4}),
        {"baseline": {"mrc": {"elbow_flexion_r": 5}}},
        {"NT-01": "t1"},
    ),
    ("two grades down", legs(ankle_dorsiflexion_l=3), {}, {"NT-02": "t0"}),
    (
        "two grades down but above three is two grades down",
        exam(mrc={"hip_flexion_l": 0}),
        {"baseline": {"mrc": {"hip_flexion_l": 2}}},
        {"NT-02": "t0"},
    ),
    (
        "one grade down to three that was above three",
        exam(mrc={"hip_flexion_l": 3}),
        {"baseline": {"mrc": {"hip_flexion_l": 4}}},
        {"NT-02": "t0"},
    ),
    (
        "one grade down that was three already",
        exam(mrc={"hip_flexion_l": 2}),
        {"baseline": {"mrc": {"hip_flexion_l": 3}}},
        {"NT-01": "t1"},
    ),
    ("one grade down on both sides", legs(ankle_dorsiflexion_l=4, plantarflexion_r=4), {}, {"NT-02": "t0"}),
    ("stronger than before", exam(mrc={"hip_flexion_l": 5}), {"baseline": {"mrc": {"hip_flexion_l": 2}}}, {}),
    ("not tested is not weaker", legs(ankle_dorsiflexion_l="nt"), {}, {}),
    ("weaker, no grades", exam(leg_l="weaker"), {}, {"NT-01": "t1"}),
    ("weaker on both sides, no grades", exam(leg_l="weaker", leg_r="weaker"), {}, {"NT-02": "t0"}),
    ("as before", exam(leg_l="as_baseline", leg_r="better"), {}, {}),
    ("an arm weaker, no grades", exam(arm_r="weaker"), {}, {"NT-01": "t1"}),
    ("baseline said all five full", exam(mrc={"hip_flexion_l": 4}), {"baseline": {"leg_l": "full"}}, {"NT-01": "t1"}),
    # NT-03: saddle
    ("saddle numb", {"symptoms": ["saddle_numbness"]}, {}, {"NT-03": "t0"}),
    ("saddle less than before", exam(saddle="worse"), {}, {"NT-03": "t0"}),
    ("saddle as before", exam(saddle="as_baseline"), {}, {}),
    ("perianal worse", exam(perianal_sensation="impaired"), {}, {"NT-03": "t0"}),
    ("perianal as before", exam(perianal_sensation="impaired"), {"baseline": {"perianal_sensation": "impaired"}}, {}),
    # NT-04: sphincters
    ("new incontinence", {"symptoms": ["new_incontinence"]}, {}, {"NT-04a": "t0"}),
    ("less anal tone", exam(anal_tone="impaired"), {}, {"NT-04a": "t0"}),
    ("anal tone normal", exam(anal_tone="normal"), {}, {}),
    ("bowel control lost", exam(bowel="absent"), {}, {"NT-04a": "t0"}),
    ("bladder control lost", exam(bladder="absent"), {}, {"NT-04a": "t0"}),
    ("bladder lost before", exam(bladder="absent"), {"baseline": {"bladder": "absent"}}, {}),
    ("catheter", exam(bladder="catheter"), {}, {}),
    ("200 mL is not retention", {"pvr_ml": 200}, {}, {}),
    ("201 mL alone", {"pvr_ml": 201, **legs()}, {}, {"NT-04b": "t2"}),
    ("six hours without urine", {"hours_since_void": 6, **legs()}, {}, {"NT-04b": "t2"}),
    ("under six hours", {"hours_since_void": 5.9, **legs()}, {}, {}),
    ("bladder works worse", exam(bladder="impaired", leg_l="as_baseline", leg_r="as_baseline"), {}, {"NT-04b": "t2"}),
    (
        "retention with a weak leg",
        {"pvr_ml": 300, **legs(hip_flexion_l=4)},
        {},
        {"NT-01": "t1", "NT-04a": "t0"},
    ),
    (
        "retention with stable leg pain",
        {"pvr_ml": 300, "symptoms": ["new_leg_pain"], **legs()},
        {},
        {"NT-08b": "t2", "NT-04a": "t0"},
    ),
    ("retention, not examinable", {"pvr_ml": 300, "not_examinable": {"why": "sedation"}}, {}, {"NT-04a": "t0"}),
    ("retention, nothing could be tested", {"pvr_ml": 300, **exam(mrc={"hip_flexion_l": "nt"})}, {}, {"NT-04a": "t0"}),
    # NT-05: AIS and Frankel
    ("AIS one grade down", exam(ais="d"), {}, {"NT-05": "t0"}),
    ("AIS as before", exam(ais="c"), {"baseline": {"ais": "c"}}, {}),
    ("Frankel down", exam(frankel="c"), {"baseline": {"frankel": "d"}}, {"NT-05": "t0"}),
    ("AIS of a patient who was intact", exam(ais="d"), {"baseline": {"mrc": FULL}}, {"NT-05": "t0"}),
    ("AIS E", exam(ais="e"), {}, {}),
    # NT-06: cord
    ("sensory level", {"symptoms": ["sensory_level"]}, {}, {"NT-06": "t0"}),
    ("ataxia", {"symptoms": ["gait_ataxia"]}, {}, {"NT-06": "t0"}),
    ("both legs", {"symptoms": ["bilateral_leg_symptoms"]}, {}, {"NT-06": "t0"}),
    ("upper motor neurone signs", {"symptoms": ["upper_motor_neurone_signs"]}, {}, {"NT-06": "t0"}),
    (
        "upper motor neurone signs that were there",
        exam(umn="present"),
        {"baseline": {"umn": "present", "ais": "d"}},
        {},
    ),
    ("touch less in both legs", exam(light_touch_l="reduced", light_touch_r="absent"), {}, {"NT-06": "t0"}),
    # NT-07: back pain over the lowest since the procedure
    ("7, up 3", {"nrs_back": 7}, {"lowest_nrs_back": 4}, {"NT-07b": "t2"}),
    ("7, up 2", {"nrs_back": 7}, {"lowest_nrs_back": 5}, {}),
    ("6, up 4", {"nrs_back": 6}, {"lowest_nrs_back": 2}, {}),
    ("9 for half an hour", {"nrs_back": 9}, {"lowest_nrs_back": 9, "nrs_back_high_minutes": 30}, {"NT-07b": "t2"}),
    ("9 for 29 minutes", {"nrs_back": 9}, {"lowest_nrs_back": 9, "nrs_back_high_minutes": 29}, {}),
    ("8 for an hour", {"nrs_back": 8}, {"lowest_nrs_back": 8, "nrs_back_high_minutes": 60}, {}),
    ("severe, within a day", {"nrs_back": 8}, {"lowest_nrs_back": 2, "hours_since_end": 24.0}, {"NT-07b": "t1"}),
    ("severe, after a day", {"nrs_back": 8}, {"lowest_nrs_back": 2, "hours_since_end": 24.1}, {"NT-07b": "t2"}),
    (
        "severe, on an antithrombotic",
        {"nrs_back": 8},
        {"lowest_nrs_back": 2, "on_antithrombotic": True},
        {"NT-07b": "t1"},
    ),
    ("severe, after a canal leak", {"nrs_back": 8}, {"lowest_nrs_back": 2, "known_canal_leak": True}, {"NT-07b": "t1"}),
    (
        "severe with numbness",
        {"nrs_back": 8, "symptoms": ["leg_numbness"]},
        {"lowest_nrs_back": 2},
        {"NT-15": "t1", "NT-07a": "t0"},
    ),
    ("said to be severe", {"symptoms": ["severe_back_pain"]}, {}, {"NT-07b": "t2"}),
    # NT-08: leg pain
    ("progressive", {"symptoms": ["progressive_leg_pain"]}, {}, {"NT-08a": "t1"}),
    ("up two within an hour", {"nrs_leg": 3}, {"lowest_nrs_leg_last_hour": 1}, {"NT-08a": "t1"}),
    ("up two but slight", {"nrs_leg": 2}, {"lowest_nrs_leg_last_hour": 0}, {}),
    ("up one", {"nrs_leg": 5}, {"lowest_nrs_leg_last_hour": 4}, {}),
    ("new and stable", {"symptoms": ["new_leg_pain"]}, {}, {"NT-08b": "t2"}),
    # NT-09: cannot be examined
    (
        "61 min",
        {"not_examinable": {"since": (NOW - timedelta(minutes=61)).isoformat(), "why": "GA"}},
        {},
        {"NT-09": "t1"},
    ),
    ("60 min", {"not_examinable": {"since": (NOW - timedelta(minutes=60)).isoformat(), "why": "GA"}}, {}, {}),
    # NT-10: imaging
    ("cement in a thoracic canal", {"imaging": {"finding": "cement", "level": "T10"}}, {}, {"NT-10a": "t1"}),
    ("haematoma, cervical", {"imaging": {"finding": "haematoma", "level": "C5"}}, {}, {"NT-10a": "t1"}),
    ("bone, lumbar", {"imaging": {"finding": "bone", "level": "L2"}}, {}, {"NT-10b": "t2"}),
    ("lumbar, 24 %", {"imaging": {"finding": "cement", "level": "L2", "canal_percent": 24}}, {}, {"NT-10b": "t2"}),
    ("lumbar, 25 %", {"imaging": {"finding": "cement", "level": "L2", "canal_percent": 25}}, {}, {"NT-10b": "t1"}),
    ("level unknown", {"imaging": {"finding": "cement"}}, {}, {"NT-10a": "t1"}),
    ("level from the procedure", {"imaging": {"finding": "cement"}}, {"levels": ("L1", "L2")}, {"NT-10b": "t2"}),
    ("nothing found", {"imaging": {"finding": "none", "level": "T10"}}, {}, {}),
    ("abscess", {"imaging": {"finding": "abscess", "level": "L3"}}, {}, {"NT-10b": "t0"}),
    (
        "cement with a weak leg",
        {"imaging": {"finding": "cement", "level": "L2"}, **legs(hip_flexion_l=4)},
        {},
        {"NT-10b": "t0", "NT-01": "t1"},
    ),
    # NT-11: fever and CRP
    ("fever after 48 h", {"temperature_c": 38.0, "nrs_back": 3}, {"hours_since_end": 48.1}, {"NT-11b": "t2"}),
    ("fever at 48 h", {"temperature_c": 38.0, "nrs_back": 3}, {"hours_since_end": 48.0}, {}),
    ("37.9", {"temperature_c": 37.9, "nrs_back": 3}, {"hours_since_end": 72.0}, {}),
    (
        "fever twice",
        {"temperature_c": 38.2, "nrs_back": 3},
        {"hours_since_end": 10.0, "earlier_fever": True},
        {"NT-11b": "t2"},
    ),
    ("fever without back pain", {"temperature_c": 39.0, "nrs_back": 0}, {"hours_since_end": 72.0}, {}),
    (
        "CRP doubled on day 6",
        {"crp_mg_l": 50, "nrs_back": 3},
        {"hours_since_end": 144.0, "lowest_crp": 25.0},
        {"NT-11b": "t2"},
    ),
    ("CRP not doubled", {"crp_mg_l": 51, "nrs_back": 3}, {"hours_since_end": 144.0, "lowest_crp": 26.0}, {}),
    ("CRP 49", {"crp_mg_l": 49, "nrs_back": 3}, {"hours_since_end": 144.0, "lowest_crp": 5.0}, {}),
    ("CRP on day 5", {"crp_mg_l": 90, "nrs_back": 3}, {"hours_since_end": 120.0, "lowest_crp": 5.0}, {}),
    (
        "fever and a numb leg",
        {"temperature_c": 38.5, "symptoms": ["leg_numbness"]},
        {"hours_since_end": 72.0},
        {"NT-15": "t1", "NT-11a": "t0"},
    ),
    # NT-12: what is reported
    ("patient: weak leg", {"symptoms": ["leg_weakness"]}, {"by_patient": True}, {"NT-12": "t0"}),
    ("patient: saddle", {"symptoms": ["saddle_numbness"]}, {"by_patient": True}, {"NT-03": "t0", "NT-12": "t0"}),
    ("patient: bladder", {"symptoms": ["bladder_bowel"]}, {"by_patient": True}, {"NT-12": "t0"}),
    ("clinician: weak leg, not graded", {"symptoms": ["leg_weakness"]}, {}, {"NT-12": "t0"}),
    (
        "clinician: weak leg, graded one down",
        {"symptoms": ["leg_weakness"], **legs(hip_flexion_l=4)},
        {},
        {"NT-01": "t1"},
    ),
    ("clinician: weak leg, grades as before", {"symptoms": ["leg_weakness"], **legs()}, {}, {"NT-01": "t1"}),
    ("patient: weak arm", {"symptoms": ["arm_weakness"]}, {"by_patient": True}, {"NT-12": "t0"}),
    ("clinician: bladder, the rest as before", {"symptoms": ["bladder_bowel"], **legs()}, {}, {"NT-04b": "t2"}),
    # NT-13: concern
    ("concern", {"concern": {"text": "she is not right"}}, {}, {"NT-13": "t1"}),
    ("concern raised by the user", {"concern": {"text": "x", "tier": "t0"}}, {}, {"NT-13": "t0"}),
    ("concern cannot be lowered", {"concern": {"text": "x", "tier": "t3"}}, {}, {"NT-13": "t1"}),
    # NT-14: moves on command
    ("one leg", exam(legs_move="one"), {}, {"NT-14": "t0"}),
    ("no leg", exam(legs_move="none"), {}, {"NT-14": "t0"}),
    ("both legs move", exam(legs_move="both"), {}, {}),
    ("moved no leg before", exam(legs_move="none"), {"baseline": {"legs_move": "none"}}, {}),
    (
        "one leg was paralysed before",
        exam(legs_move="one"),
        {"baseline": {"mrc": {f"{muscle}_l": 0 for muscle in LEG_MUSCLES}}},
        {},
    ),
    # NT-15: numbness of one leg
    ("touch less, one leg", exam(light_touch_l="reduced"), {}, {"NT-15": "t1"}),
    ("touch as before", exam(light_touch_l="reduced"), {"baseline": {"light_touch_l": "reduced"}}, {}),
    ("numb leg", {"symptoms": ["leg_numbness"]}, {}, {"NT-15": "t1"}),
    # NT-16: walking
    ("walks worse", {"symptoms": ["walks_worse"]}, {}, {"NT-16": "t1"}),
    ("walks with help, before with an aid", exam(walking="2"), {}, {"NT-16": "t1"}),
    ("walks as before", exam(walking="3"), {}, {}),
]


@pytest.mark.parametrize(("neuro", "context", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_observation_fires_what_its_row_says(
    neuro: dict[str, Any], context: dict[str, Any], expected: dict[str, str]
) -> None:
    assert fired(judge(neuro, **context)) == expected


NO_BASELINE: list[tuple[str, dict[str, Any], bool, dict[str, str]]] = [
    ("normal observation", legs(), False, {}),
    ("any muscle at three", legs(hip_flexion_l=3), False, {"NT-02": "t0"}),
    ("a muscle at four", legs(hip_flexion_l=4), False, {"NT-01": "t1"}),
    ("no perianal feeling", exam(perianal_sensation="absent"), False, {"NT-03": "t0"}),
    ("perianal feeling impaired", exam(perianal_sensation="impaired"), False, {"NT-03": "t1"}),
    ("does not move", exam(legs_move="none"), False, {"NT-14": "t0"}),
    ("AIS C", exam(ais="c"), False, {"NT-05": "t0"}),
    ("AIS D", exam(ais="d"), False, {"NT-05": "t1"}),
    ("touch less in both legs", exam(light_touch_l="reduced", light_touch_r="reduced"), False, {"NT-15": "t1"}),
    ("all not tested", exam(mrc=dict.fromkeys(FULL, "nt")), False, {}),
    ("a report of something slight", {"symptoms": ["new_leg_pain"]}, True, {"NT-08b": "t1"}),
    ("a report that looks normal", legs(), True, {"NT-13": "t1"}),
    ("a report of severe pain", {"nrs_back": 8}, True, {"NT-07b": "t1"}),
    ("an observation of severe pain", {"nrs_back": 8}, False, {}),
    ("a report of a weak leg", {"symptoms": ["leg_weakness"]}, True, {"NT-12": "t0"}),
]


@pytest.mark.parametrize(
    ("neuro", "is_report", "expected"), [row[1:] for row in NO_BASELINE], ids=[row[0] for row in NO_BASELINE]
)
def test_without_a_baseline_weakness_counts_and_normal_observations_do_not(
    neuro: dict[str, Any],
    is_report: bool,  # noqa: FBT001
    expected: dict[str, str],
) -> None:
    verdict = judge(neuro, None, is_report=is_report)
    assert fired(verdict) == expected
    assert verdict.chips == {"no_baseline"}


def test_a_baseline_where_nothing_was_tested_is_no_baseline() -> None:
    assert judge(legs(), {"mrc": dict.fromkeys(FULL, "nt")}).chips == {"no_baseline"}


def test_an_empty_report_without_baseline_fires_nothing_by_itself() -> None:
    assert judge({}, None, is_report=True).triggers == ()


def test_all_not_tested_asks_for_the_timer_and_is_not_normal() -> None:
    (timer,) = judge(exam(mrc=dict.fromkeys(FULL, "nt"))).timers
    assert (timer.trigger, timer.due_at) == ("NT-09", NOW + timedelta(minutes=60))


def test_retention_alone_becomes_an_emergency_unless_legs_and_saddle_are_examined_within_half_an_hour() -> None:
    (timer,) = judge({"pvr_ml": 400}).timers
    assert (timer.trigger, timer.due_at) == ("NT-04a", NOW + timedelta(minutes=30))
    assert judge({"pvr_ml": 400, **legs()}).timers == ()


def test_a_patient_who_cannot_be_examined_yet_gets_a_timer() -> None:
    (timer,) = judge({"not_examinable": {"since": NOW.isoformat(), "why": "block"}}).timers
    assert (timer.trigger, timer.due_at) == ("NT-09", NOW + timedelta(minutes=60))


def test_the_worst_tier_comes_first_and_one_row_stands_for_a_trigger() -> None:
    verdict = judge({"symptoms": ["new_leg_pain"], **legs(hip_flexion_l=1, hip_flexion_r=1)})
    assert [one.trigger for one in verdict.triggers] == ["NT-02", "NT-08b"]
    assert verdict.tier is Tier.T0
    assert verdict.is_deficit


def test_an_error_inside_a_rule_is_an_emergency() -> None:
    def broken(case: Case) -> None:
        raise ZeroDivisionError

    read, _ = read_neuro({})
    verdict = evaluate(read, None, Context(now=NOW), rules=[("NT-99", broken), *RULES])
    assert fired(verdict) == {"NT-99": "t0"}


def test_of_two_baselines_the_better_value_counts() -> None:
    merged = better_of(
        [read_exam({"mrc": {"hip_flexion_l": 3}, "ais": "c"}), read_exam({"mrc": {"hip_flexion_l": 5}, "ais": "d"})]
    )
    assert merged is not None
    assert (merged.grade("hip_flexion_l"), merged.ais) == (5, "d")
    assert better_of([Exam(), read_exam({"mrc": {"hip_flexion_l": "nt"}})]) is None


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"exam": {"mrc": {"hip_flexion_l": 6}}}, "neuro.exam.mrc.hip_flexion_l", "out_of_range"),
        ({"exam": {"mrc": {"hip_flexion_l": 4.5}}}, "neuro.exam.mrc.hip_flexion_l", "not_a_whole_number"),
        ({"exam": {"mrc": {"hip_flexoin_l": 4}}}, "neuro.exam.mrc.hip_flexoin_l", "unknown_field"),
        ({"exam": {"ais": "f"}}, "neuro.exam.ais", "not_a_choice"),
        ({"exam": 5}, "neuro.exam", "not_an_object"),
        ({"symptoms": ["weak"]}, "neuro.symptoms.0", "not_a_choice"),
        ({"symptoms": "leg_weakness"}, "neuro.symptoms", "not_a_list"),
        ({"pvr_ml": "much"}, "neuro.pvr_ml", "not_a_number"),
        ({"onset_at": "yesterday"}, "neuro.onset_at", "not_a_time"),
        ({"onset_at": "2026-11-24T03:06:00"}, "neuro.onset_at", "not_a_time"),
        ({"note": 5}, "neuro.note", "not_a_text"),
    ],
)
def test_what_cannot_be_read_is_named_and_never_raises(sent: dict[str, Any], field: str, code: str) -> None:
    _, troubles = read_neuro(sent)
    assert [(trouble.field, trouble.code) for trouble in troubles] == [(field, code)]
