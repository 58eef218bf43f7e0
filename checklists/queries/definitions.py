"""Published lists and drafts as the editor and the API show them; what a draft would have done to past cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Count, Q

from checklists.models import Answer, Definition, Draft, DraftVersion, Override, Run, Withdrawal
from checklists.queries.state import facts_of
from checklists.rules.check import BrokenDefinition
from checklists.rules.evaluation import State
from checklists.rules.gates import Blocker
from checklists.rules.nodes import Key
from checklists.rules.replay import stopped_anew
from checklists.rules.review import draft_faults, items_of
from checklists.vocabulary import Phase, RunStatus
from clinic.models import Procedure, Site, TreatedLevel

#: How many past cases a dry run looks at unless told otherwise, and at most.
PAST_CASES = 50
MOST_PAST_CASES = 200


def lists_in_force() -> dict[str, dict[str, Any]]:
    """Return the content of the newest usable version of every list by name."""
    return {row.name: row.content for row in Definition.objects.newest()}


def in_force(name: str) -> Definition | None:
    """Return the version of a list on which new runs are opened."""
    return Definition.objects.filter(name=name).newest().first()


def newest_version(draft: Draft) -> DraftVersion:
    """Return what a draft says now."""
    return DraftVersion.objects.select_related("saved_by").get(draft=draft, number=draft.number)


def faults_of(content: Any) -> list[BrokenDefinition]:
    """Return what stands against publishing this content beside the lists that are in force."""
    lists = lists_in_force()
    name = content.get("id") if isinstance(content, dict) else None
    return draft_faults(content, lists, lists.get(name) if isinstance(name, str) else None, types_published())


def types_published() -> dict[str, str]:
    """Return the type under which each item was published, in whatever version and list."""
    found: dict[str, str] = {}
    for pk in Definition.objects.order_by("id").values_list("pk", flat=True):
        found |= _types_of(pk)
    return found


@lru_cache(maxsize=256)
def _types_of(definition: int) -> dict[str, str]:
    """A published version never changes, so a process reads it once."""
    content = Definition.objects.only("content").get(pk=definition).content
    return {name: str(item["type"]) for name, item in items_of(content).items()}


def versions_with_use(site: Site) -> list[Definition]:
    """Return every published version, newest first for each list, with how many runs of the site use it (one query).

    `open_runs` and `all_runs` are the site's, `runs_elsewhere` counts the other sites'.
    """
    here = Q(runs__procedure__site=site)
    rows = Definition.objects.defer("content").select_related("withdrawal", "published_by", "authored_by")
    return list(
        rows.annotate(
            open_runs=Count("runs", filter=here & Q(runs__status=RunStatus.OPEN.value)),
            all_runs=Count("runs", filter=here),
            runs_elsewhere=Count("runs", filter=~here & Q(runs__isnull=False)),
        ).order_by("name", "-id")
    )


def runs_of(definition: Definition, site: Site) -> list[Run]:
    """Return the runs of a site that use a version or began on it and were moved, open ones first (one query).

    The case is named by procedure and date only.
    """
    return list(
        Run.objects.filter(Q(definition=definition) | Q(moves__was=definition), procedure__site=site)
        .select_related("procedure", "procedure__room", "definition")
        .distinct()
        .order_by("status", "-opened_at", "-id")
    )


def movable_runs(procedure: Procedure) -> list[tuple[Run, Withdrawal | None]]:
    """Return the open lists of a case that are not on the version in force, with what withdrew theirs (two queries)."""
    rows = Run.objects.filter(procedure=procedure, status=RunStatus.OPEN.value).in_order()
    runs = list(rows.select_related("definition", "definition__withdrawal").defer("definition__content"))
    names = {run.definition.name for run in runs}
    newest = {row.name: row.pk for row in Definition.objects.filter(name__in=names).newest().only("pk", "name")}
    return [
        (run, getattr(run.definition, "withdrawal", None))
        for run in runs
        if newest.get(run.definition.name, run.definition_id) != run.definition_id
    ]


@dataclass(frozen=True, slots=True)
class Stopped:
    """A past case that the draft would have stopped, with every stop that its own version did not have."""

    run: Run
    blockers: Sequence[Blocker]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a draft would have done: how many past cases were asked, and which of them it would have stopped."""

    looked_at: int
    stopped: Sequence[Stopped]

    @property
    def by_item(self) -> list[tuple[str, int]]:
        """The items that stop, with how many cases each, the most frequent first."""
        found: dict[str, int] = {}
        for one in self.stopped:
            for node_id in {blocker.key.node_id for blocker in one.blockers}:
                found[node_id] = found.get(node_id, 0) + 1
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def dry_run(content: Mapping[str, Any], *, site: Site, now: datetime, cases: int = PAST_CASES) -> DryRun:
    """Replay the draft's rules over the stored answers of the site's last finished runs of that list (six queries).

    A run of the day counts when it is signed, as at the moment of its last signature; the form of a follow-up when it has
    answers. Nothing is written.
    """
    rows = Run.objects.filter(procedure__site=site, definition__name=content["id"]).select_related(
        "procedure", "procedure__patient", "procedure__site", "procedure__room"
    )
    if content["phase"] != Phase.FOLLOW_UP:
        rows = rows.filter(status=RunStatus.SIGNED.value).order_by("-signed_at", "-id")
    else:
        rows = rows.filter(last_seq__gt=0).order_by("-opened_at", "-id")
    runs = list(rows[: max(1, min(cases, MOST_PAST_CASES))])
    procedures = {run.procedure_id for run in runs}
    answers, conflicts = _answers(procedures, runs)
    levels: dict[int, dict[str, TreatedLevel]] = {}
    for level in TreatedLevel.objects.filter(procedure__in=procedures):
        levels.setdefault(level.procedure_id, {})[level.level] = level
    overrides: dict[int, set[Key]] = {}
    for row in Override.objects.filter(run__in=runs):
        overrides.setdefault(row.run_id, set()).add(Key(row.item, row.part, row.level, row.side, row.instance))
    around = _around(procedures, runs)
    stopped = []
    for run in runs:
        state = _state(run, answers, conflicts, levels.get(run.procedure_id, {}), now)
        found = stopped_anew(
            around=around[run.pk],
            draft=content,
            state=state,
            phase=run.phase,
            emergency=run.is_emergency,
            overrides=overrides.get(run.pk, set()),
        )
        if found:
            stopped.append(Stopped(run, found))
    return DryRun(len(runs), stopped)


def _answers(procedures: Iterable[int], runs: Sequence[Run]) -> tuple[dict[int, dict[Key, Any]], dict[int, set[Key]]]:
    """Return the answers, and the keys in conflict, of all lists of the procedures and of these runs' forms, by run."""
    answers: dict[int, dict[Key, Any]] = {}
    conflicts: dict[int, set[Key]] = {}
    rows = Answer.objects.filter(Q(run__procedure__in=procedures, run__follow_up=None) | Q(run__in=runs)).values_list(
        "run", "run__procedure", "run__follow_up", "item", "part", "level", "side", "instance", "value", "is_conflict"
    )
    for run, procedure, follow_up, *pieces, value, is_conflict in rows:
        # A form's answers are its own; those of the six lists are seen by all runs of the procedure.
        place = run if follow_up else -procedure
        answers.setdefault(place, {})[Key(*pieces)] = value
        if is_conflict:
            conflicts.setdefault(place, set()).add(Key(*pieces))
    return answers, conflicts


def _state(
    run: Run,
    answers: Mapping[int, Mapping[Key, Any]],
    conflicts: Mapping[int, set[Key]],
    levels: Mapping[str, TreatedLevel],
    now: datetime,
) -> State:
    own = -run.procedure_id
    return State(
        answers={**answers.get(own, {}), **answers.get(run.pk, {})},
        facts=facts_of(run.procedure, levels, open_escalation=False),
        now=run.signed_at or now,
        level_status={name: row.status for name, row in levels.items()},
        conflicts=frozenset(conflicts.get(own, set()) | conflicts.get(run.pk, set())),
    )


def _around(procedures: Iterable[int], runs: Sequence[Run]) -> dict[int, list[dict[str, Any]]]:
    """Return the definitions of each run's procedure and of the run itself."""
    rows = Run.objects.filter(procedure__in=procedures).of_phases().in_order()
    of: dict[int, list[int]] = {}
    for procedure, definition in rows.values_list("procedure", "definition"):
        of.setdefault(procedure, []).append(definition)
    wanted = {run.pk: list(dict.fromkeys([*of.get(run.procedure_id, ()), run.definition_id])) for run in runs}
    content = {
        row.pk: row.content for row in Definition.objects.filter(pk__in={pk for pks in wanted.values() for pk in pks})
    }
    return {run: [content[pk] for pk in pks] for run, pks in wanted.items()}
