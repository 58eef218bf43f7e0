"""Rebuild answers from their events: the projection is only ever what the events say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checklists.actions.storing import write_answers
from checklists.models import Answer, Event, Run
from checklists.rules.fold import ABSENT, Head, Standing, Ticked, fold
from checklists.rules.nodes import Key
from checklists.vocabulary import FOLDED, RunStatus
from clinic.actions.audit import recording
from clinic.models import Actor


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer that is not what the events of its run lead to."""

    run: str
    key: str
    stored: object
    folded: object


def folded_answers(run: Run) -> dict[Key, tuple[Standing, Event]]:
    """Return what the stored events of a run lead to, with the newest event of each answer."""
    events = list(Event.objects.filter(run=run, outcome__in=FOLDED).order_by("seq"))
    newest: dict[Key, Event] = {}
    ticked = []
    for row in events:
        key = Key(row.item, row.part, row.level, row.side, row.instance)
        newest[key] = row
        parent = ABSENT if not row.has_parent else str(row.parent) if row.parent else None
        ticked.append(Ticked(str(row.public_id), key, row.value, parent, row.mode))
    # The value of a parent is looked up among all events of the run: a late or held one is a parent, too.
    values = {
        str(public_id): value for public_id, value in Event.objects.filter(run=run).values_list("public_id", "value")
    }
    return {key: (standing, newest[key]) for key, standing in fold(ticked, values).items()}


def rebuild_run(*, run: Run, repair: bool, by: Actor, now: datetime) -> list[Difference]:
    """Compare a run's answers with its events, and write what differs where `repair` (an open run only).

    A signed run's answers are locked in the database: a difference there is reported and never written.
    """
    with recording(by=by, now=now) as trail:
        run = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        folded = folded_answers(run)
        stored = {
            Key(*pieces): Standing(tuple(Head(*head) for head in heads))
            for *pieces, heads in Answer.objects.filter(run=run).values_list(
                "item", "part", "level", "side", "instance", "heads"
            )
        }
        wrong = {key for key in stored.keys() | folded.keys() if _standing(folded.get(key)) != stored.get(key)}
        found = [
            Difference(
                str(run.public_id),
                key.text(),
                stored[key].value if key in stored else None,
                folded[key][0].value if key in folded else None,
            )
            for key in sorted(wrong)
        ]
        if found and repair and run.status == RunStatus.OPEN:
            for key in sorted(stored.keys() - folded.keys()):
                Answer.objects.filter(run=run, **key._asdict()).delete()
            write_answers(run, {key: folded[key] for key in wrong & folded.keys()})
            Run.objects.filter(pk=run.pk).update(revision=run.revision + 1)
            trail.add(
                stream=f"procedure:{run.procedure.public_id}",
                action="answers.rebuilt",
                subject=f"run:{run.public_id}",
                data={"phase": run.phase, "keys": [one.key for one in found]},
            )
    return found


def _standing(pair: tuple[Standing, Event] | None) -> Standing | None:
    return pair[0] if pair else None
