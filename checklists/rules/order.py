"""The six lists are signed in their order: what was not checked before the needle is not checked by signing what follows."""

from __future__ import annotations

from checklists.rules.gates import HARD, OVERRIDABLE, WARNING, Blocker
from checklists.rules.nodes import Key
from checklists.vocabulary import PHASES, Phase

#: Stands in the place of an item where a list as a whole is meant; the part is its phase.
LIST = "LIST"
_NAMES = {
    Phase.PRE: ("Before", "Önce"),
    Phase.SIGN_IN: ("Sign in", "Sign in"),
    Phase.TIME_OUT: ("Time out", "Time out"),
    Phase.INTRA: ("Procedure", "İşlem"),
    Phase.SIGN_OUT: ("Sign out", "Sign out"),
    Phase.POST: ("Recovery", "Derlenme"),
}


def phase_before(phase: str) -> Phase | None:
    """Return the list that is signed before this one; None for the first, and for the form of a follow-up."""
    place = [str(one) for one in PHASES].index(phase) if phase in set(PHASES) else 0
    return PHASES[place - 1] if place else None


def unsigned_list(phase: Phase, *, run: str, who: tuple[str, ...], emergency: bool, ended_early: bool) -> Blocker:
    """Return what an unsigned list says at the gate of the next one.

    Two people may let it pass. A list in emergency mode is owed and stops nothing; nor does one that a case which was
    given up, or whose patient died, never came to: signing the next one confirms it.
    """
    name, name_tr = _NAMES[phase]
    return Blocker(
        key=Key(LIST, phase.value),
        kind=WARNING if ended_early else OVERRIDABLE,
        code="list_not_signed",
        reason=f"“{name}” is not signed yet",
        reason_tr=f"“{name_tr}” henüz imzalanmadı",
        who=who,
        run=run,
        owed=emergency,
    )


def withdrawn_list(reason: str) -> Blocker:
    """Return what a list says whose version was withdrawn: nothing is stopped, whoever signs confirms having read it."""
    return Blocker(
        key=Key(LIST, "withdrawn"),
        kind=WARNING,
        code="withdrawn",
        reason=f"This version of the list was withdrawn: {reason}",
        reason_tr=f"Listenin bu sürümü geri çekildi: {reason}",
        who=(),
    )


def long_pause() -> Blocker:
    """Return what stands at the gate after a long pause until patient, levels and sides were said again.

    Nobody lets it pass, in an emergency either: it takes three touches, and a wrong patient or level stays one.
    """
    return Blocker(
        key=Key(LIST, "pause"),
        kind=HARD,
        code="ask_again",
        reason="After the pause: patient, levels and side again",
        reason_tr="Duraklamadan sonra: hasta, seviyeler ve taraf yeniden",
        who=(),
        never=True,
    )
