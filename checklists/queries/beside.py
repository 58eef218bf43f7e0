"""What stands at a list's gate beside its own items."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from checklists.models import Definition, Run, Withdrawal
from checklists.rules.evaluation import Evaluation
from checklists.rules.gates import Blocker
from checklists.rules.order import long_pause, phase_before, unsigned_list, withdrawn_list
from checklists.rules.people import named, strangers
from checklists.vocabulary import RunStatus
from clinic.models import Membership
from clinic.vocabulary import Outcome, Role


@lru_cache(maxsize=256)
def signing_roles(definition: int) -> tuple[str, ...]:
    """Return the parts that sign a published definition; it never changes."""
    content = Definition.objects.only("content").get(pk=definition).content
    return tuple(content["conventions"]["signatures"])


def beside(run: Run, evaluation: Evaluation, siblings: Iterable[Run] | None = None) -> list[Blocker]:
    """Return what an open run's gate says though no item of it does; `siblings` saves a query where they are loaded."""
    if run.status != RunStatus.OPEN:
        return []
    pause = [long_pause()] if run.ask_again_since else []
    return [*pause, *_version(run), *_order(run, siblings), *_people(run, evaluation)]


def _version(run: Run) -> list[Blocker]:
    """Return the warning of a withdrawn version; a definition that was loaded with its withdrawal saves the query."""
    if "definition" in run._state.fields_cache and "withdrawal" in run.definition._state.fields_cache:  # noqa: SLF001
        withdrawal = getattr(run.definition, "withdrawal", None)
    else:
        withdrawal = Withdrawal.objects.filter(definition=run.definition_id).first()
    return [withdrawn_list(withdrawal.reason)] if withdrawal else []


def _order(run: Run, siblings: Iterable[Run] | None) -> list[Blocker]:
    before = phase_before(run.phase)
    if before is None:
        return []
    rows = Run.objects.filter(procedure=run.procedure_id, phase=before.value) if siblings is None else siblings
    earlier = next((one for one in rows if one.phase == before and one.status == RunStatus.OPEN), None)
    if earlier is None:
        return []
    return [
        unsigned_list(
            before,
            run=str(earlier.public_id),
            who=signing_roles(earlier.definition_id),
            emergency=earlier.is_emergency,
            ended_early=run.procedure.outcome in {Outcome.ABANDONED, Outcome.DIED},
        )
    ]


def _people(run: Run, evaluation: Evaluation) -> list[Blocker]:
    names = named(evaluation, run.phase)
    if not names:
        return []
    staff: dict[str, bool] = {}
    members = Membership.objects.filter(
        site_id=run.procedure.site_id,
        is_active=True,
        user__is_active=True,
        user__username__in={name for _, _, name in names},
    )
    for name, role, able in members.values_list("user__username", "role", "user__can_decompress"):
        staff[name] = staff.get(name, False) or (role == Role.SURGEON and able)
    return strangers(names, staff)


def withdrawn_because(run: Run, others: Iterable[Blocker]) -> str | None:
    """Return why a run's version was withdrawn, None where it was not; `others` are its blockers of `beside`."""
    if run.status == RunStatus.OPEN and not any(one.code == "withdrawn" for one in others):
        return None
    withdrawal = Withdrawal.objects.filter(definition=run.definition_id).first()
    return withdrawal.reason if withdrawal else None
