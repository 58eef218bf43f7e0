"""What a form asks of an examination: muscles with their roots, signs with their answers, what is measured beside them."""

from __future__ import annotations

from collections.abc import Iterable

from complications.vocabulary import ARM_MUSCLES, LEG_MUSCLES

ROOTS = {
    "hip_flexion": "L2",
    "knee_extension": "L3",
    "ankle_dorsiflexion": "L4",
    "great_toe_extension": "L5",
    "plantarflexion": "S1",
    "elbow_flexion": "C5",
    "wrist_extension": "C6",
    "elbow_extension": "C7",
    "finger_flexion": "C8",
    "finger_abduction": "T1",
}
SIGNS: dict[str, tuple[str, ...]] = {
    "legs_move": ("both", "one", "none", "nt"),
    "light_touch_l": ("normal", "reduced", "absent", "nt"),
    "light_touch_r": ("normal", "reduced", "absent", "nt"),
    "perianal_sensation": ("normal", "impaired", "absent", "nt"),
    "anal_tone": ("normal", "impaired", "absent", "nt"),
    "bladder": ("normal", "impaired", "absent", "catheter"),
    "bowel": ("normal", "impaired", "absent", "nt"),
    "ais": ("a", "b", "c", "d", "e"),
}
MEASURED = ("pvr_ml", "nrs_back", "nrs_leg")


def muscles_for(levels: Iterable[str]) -> tuple[str, ...]:
    """Return the muscles to examine after a procedure at these levels: the arms too from T1 upwards, and first."""
    high = any(level.startswith("C") or level == "T1" for level in levels)
    return (*(ARM_MUSCLES if high else ()), *LEG_MUSCLES)
