"""The neurological triggers NT-01 … NT-16: which findings call a surgeon, at which tier, and why in words.

Source: clinical content 3.1 with the decided corrections F3 (pain), F8 and E10 (no baseline), F9 (retention),
F18 (fever and CRP). The highest tier wins. An error inside a rule fires that rule as an emergency: a report must not
be lost to a fault of ours. Nothing here reads a clock or a database; what happened before comes in `Context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from complications.rules import pain, signs
from complications.rules.report import Exam, Neuro
from complications.rules.verdict import SIGNS, Case, Context, FiredTrigger, Verdict, WantedTimer
from complications.vocabulary import Tier

__all__ = ["RULES", "SIGNS", "Context", "FiredTrigger", "Verdict", "WantedTimer", "evaluate"]

RULES: tuple[tuple[str, Callable[[Case], None]], ...] = (
    ("NT-02", signs.strength),
    ("NT-03", signs.saddle),
    ("NT-05", signs.scale),
    ("NT-06", signs.cord),
    ("NT-12", signs.said),
    ("NT-14", signs.command),
    ("NT-08a", pain.leg_pain),
    ("NT-04a", signs.sphincters),
    ("NT-09", pain.examinable),
    ("NT-07a", pain.back_pain),
    ("NT-10a", pain.imaging),
    ("NT-11a", pain.infection),
    ("NT-13", pain.concern),
)
"""In this order: pain, imaging and fever ask which signs fired before them."""


def evaluate(
    neuro: Neuro,
    baseline: Exam | None,
    context: Context,
    rules: Iterable[tuple[str, Callable[[Case], None]]] = RULES,
) -> Verdict:
    """Return which triggers fire for `neuro` compared with `baseline` (None = there is none).

    A person's report without a baseline is never under t1 (E10); an observation that is normal fires nothing, and an
    observation where nothing could be tested asks for the NT-09 timer. A rule that fails fires as t0.
    """
    baseline = baseline if baseline is not None and baseline.tested else None
    case = Case(neuro, neuro.exam or Exam(), baseline, context)
    for trigger, rule in rules:
        try:
            rule(case)
        except Exception as error:
            case.fire(trigger, Tier.T0, f"rule {trigger} could not be evaluated ({type(error).__name__})")
    if context.is_report and baseline is None and not neuro.is_empty:
        case.fired = [
            FiredTrigger(fired.trigger, Tier.worst(fired.tier, Tier.T1), fired.reason, fired.pathway)
            for fired in case.fired
        ]
        if not case.fired:
            case.fire("NT-13", Tier.T1, "reported, and there is no baseline to compare with")
    chips = frozenset({"no_baseline"}) if baseline is None else frozenset()
    return Verdict(tuple(_worst_first(case.fired)), tuple(case.timers), chips)


def _worst_first(fired: list[FiredTrigger]) -> list[FiredTrigger]:
    """Return one entry per trigger, the worst, worst tiers first and otherwise in the order of the rules."""
    worst: dict[str, FiredTrigger] = {}
    for one in fired:
        if one.trigger not in worst or one.tier.worse_than(worst[one.trigger].tier):
            worst[one.trigger] = one
    kept = list(worst.values())
    if "NT-02" in worst:
        kept = [one for one in kept if one.trigger != "NT-01"]
    return sorted(kept, key=lambda one: one.tier.rank)
