"""What a run shows: its list, answers, conflicts, gate, signatures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from checklists.models import Amendment, Answer, Definition, Event, Override, Pause, Run, Signature
from checklists.queries.beside import beside, withdrawn_because
from checklists.queries.proposals import proposals_for
from checklists.queries.state import definition_of, definitions_around, evaluate, index_of, load_state
from checklists.rules.case import case_check
from checklists.rules.content import content_sha256
from checklists.rules.evaluation import SIDES_ITEM, Evaluation
from checklists.rules.gates import Blocker, Gate, gate_of, progress_of
from checklists.rules.nodes import Key, Scope
from checklists.vocabulary import EventOutcome, Phase
from clinic.models import Procedure, User
from complications.models import Escalation

ALLERGIES = "PRE-ALG-01"
# A rule may read the time of day, so even an unchanged run is looked at again after this long.
FRESH_SECONDS = 300
_COUNTERSIGNED = UUID("d2f0f0c4-6b0e-5a51-9d2b-6b1f7a4f6a11")


def countersigned_id(held: UUID) -> UUID:
    """Return the id under which a held event counts once its person has countersigned it."""
    return uuid5(_COUNTERSIGNED, str(held))


def has_open_escalation(procedure: Procedure) -> bool:
    """Tell whether somebody is being called for this procedure's patient (a drug is not restarted meanwhile)."""
    return Escalation.objects.open().filter(procedure=procedure).exists()


def look_at(run: Run, now: datetime) -> Evaluation:
    """Return one look at the procedure's answers, with those of a follow-up's form where the run is one."""
    state = load_state(run.procedure, now, open_escalation=has_open_escalation(run.procedure), run=run)
    return evaluate(run, state)


def overridden_keys(run: Run) -> set[Key]:
    """Return the keys whose stop two people let pass."""
    rows = Override.objects.filter(run=run).values_list("item", "part", "level", "side", "instance")
    return {Key(*pieces) for pieces in rows}


def gate_now(run: Run, evaluation: Evaluation, others: Sequence[Blocker] | None = None) -> Gate:
    """Return the gate of a run; `others` saves looking for what stands beside its items."""
    return gate_of(
        evaluation,
        run.phase,
        emergency=run.is_emergency,
        overrides=overridden_keys(run),
        beside=beside(run, evaluation) if others is None else others,
    )


def content_hash(run: Run, definition_sha256: str, language: str, answers: Iterable[Answer] | None = None) -> str:
    """Return the hash that a signature of this run is over at this moment; `answers` are its own, where they are at hand."""
    rows = Answer.objects.filter(run=run) if answers is None else answers
    return content_sha256(
        run=str(run.public_id),
        definition=definition_sha256,
        language=language,
        answers=((Key(one.item, one.part, one.level, one.side, one.instance), str(one.event)) for one in rows),
    )


def etag_of(run: Run, *, now: datetime, language: str, user: User | None) -> str:
    """Return the tag that changes with everything a reader of the run can see (one query)."""
    revisions = Run.objects.filter(procedure=run.procedure_id).order_by("id").values_list("revision", "status")
    seen = (run.pk, language, user and user.pk, int(now.timestamp()) // FRESH_SECONDS, list(revisions))
    return f'W/"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}"'


def run_body(
    run: Run, *, now: datetime, language: str, with_definition: bool, with_gate: bool, ticket: tuple[str, str]
) -> dict[str, Any]:
    """Return a run as the tablet and the API see it. Names of persons are user names; there is no record number.

    A tablet leaves out the list, which it keeps, and the gate, which it works out itself.
    """
    run.definition = definition = definition_of(run.definition_id)
    evaluation = look_at(run, now)
    others = beside(run, evaluation)
    gate = gate_now(run, evaluation, others) if with_gate else None
    answers = list(
        Answer.objects.filter(run=run).select_related("actor").order_by("item", "part", "level", "side", "instance")
    )
    return {
        **run_line(run, definition, evaluation, gate),
        "definition": {
            "id": definition.name,
            "version": definition.version,
            "sha256": definition.sha256,
            "content": definition.content if with_definition else None,
            "withdrawn": withdrawn_because(run, others),
        },
        "procedure": procedure_head(run.procedure, evaluation),
        "language": language,
        "case_check": case_check(run.procedure.public_id),
        "ticket_of": ticket[0],
        "ticket": ticket[1],
        "facts": {name: value for name, value in evaluation.state.facts.items() if name != "patient.mrn"},
        "level_status": dict(evaluation.state.level_status),
        "context": context_of(run, evaluation),
        "proposals": proposals_for(run, evaluation, now),
        "answers": [answer_body(row) for row in answers],
        "conflicts": [conflict_body(row) for row in answers if row.is_conflict],
        "blockers": gate and [blocker.as_json() for blocker in gate.blockers],
        "beside": [blocker.as_json() for blocker in others],
        "waiting": waiting(run),
        "signatures": signatures_of(run, definition, answers),
        "overrides": [override_body(row) for row in Override.objects.filter(run=run).select_related("first", "second")],
        "pauses": list(Pause.objects.filter(run=run).order_by("id").values("kind", "reason", "text", "at")),
        "amendments": [
            amendment_body(row) for row in Amendment.objects.filter(run=run).select_related("by").order_by("id")
        ],
        "content_sha256": content_hash(run, definition.sha256, language, answers),
        "now": now,
    }


def run_line(run: Run, definition: Definition, evaluation: Evaluation, gate: Gate | None) -> dict[str, Any]:
    """Return what a list of runs shows of one."""
    return {
        "id": str(run.public_id),
        "phase": run.phase,
        "status": run.status,
        "is_emergency": run.is_emergency,
        "follow_up": str(run.follow_up) if run.follow_up else None,
        "seq": run.last_seq,
        "revision": run.revision,
        "signed_at": run.signed_at,
        "paused_at": run.paused_at,
        "ask_again": run.ask_again_since is not None,
        "debt_due_at": run.debt_due_at,
        "definition": {"id": definition.name, "version": definition.version, "sha256": definition.sha256},
        "progress": progress_of(evaluation, run.phase).as_json(),
        "gate": gate and gate.as_json(),
    }


def run_lines(procedure: Procedure, now: datetime, *, with_gate: bool = True) -> list[dict[str, Any]]:
    """Return all runs of a procedure with progress and gate, from one look at its answers."""
    runs = list(
        Run.objects.filter(procedure=procedure).select_related("definition", "definition__withdrawal").in_order()
    )
    overrides: dict[int, set[Key]] = {}
    for row in Override.objects.filter(run__procedure=procedure):
        overrides.setdefault(row.run_id, set()).add(Key(row.item, row.part, row.level, row.side, row.instance))
    state = load_state(procedure, now, open_escalation=has_open_escalation(procedure))
    lines = []
    shared: Evaluation | None = None
    for run in runs:
        run.procedure = procedure
        if run.phase == Phase.FOLLOW_UP:
            evaluation = look_at(run, now)
        else:
            evaluation = shared = shared or evaluate(run, state)
        gate = None
        if with_gate:
            gate = gate_of(
                evaluation,
                run.phase,
                emergency=run.is_emergency,
                overrides=overrides.get(run.pk, set()),
                beside=beside(run, evaluation, runs),
            )
        lines.append(run_line(run, run.definition, evaluation, gate))
    return lines


def context_of(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """Return the answers of other lists that this one's rules read, as far as they count, by key text."""
    index = index_of(definitions_around(run))
    own = {node.id for node in index.of_phase(run.phase)}
    read = {source for source, targets in index.dependents.items() if targets & own and source not in own}
    found: dict[str, Any] = {}
    for node_id in sorted(read & index.nodes.keys()):
        node = index.nodes[node_id]
        if node.is_answerable:
            for scope in evaluation.scopes(node):
                value = evaluation.value(node, scope)
                if value is not None and node.item != "SIN-IDN-01":
                    found[node.key(scope).text()] = value
    return found


def procedure_head(procedure: Procedure, evaluation: Evaluation) -> dict[str, Any]:
    """Return what stands always in view over a run: who, what, where."""
    patient = procedure.patient
    return {
        "id": str(procedure.public_id),
        "patient": {
            "family_name": patient.family_name,
            "given_name": patient.given_name,
            "birth_date": patient.birth_date.isoformat(),
            "sex": patient.sex,
            "language": patient.language,
        },
        "kind": procedure.kind,
        "indication": procedure.indication,
        "anaesthesia": procedure.anaesthesia,
        "levels": list(evaluation.levels),
        "sides": {level: found[0] for level in evaluation.levels if (found := _said(evaluation, SIDES_ITEM, level))},
        "allergies": allergies_of(evaluation),
        "room": procedure.room.name if procedure.room else None,
        "scheduled_at": procedure.scheduled_at,
        "status": procedure.status,
        "operator": {"user": procedure.operator.username, "name": procedure.operator.get_full_name()},
    }


def _said(evaluation: Evaluation, node_id: str, level: str = "") -> list[Any]:
    return list(evaluation.find(node_id, Scope(level), "").values)


def allergies_of(evaluation: Evaluation) -> list[dict[str, Any]] | None:
    """Return what the patient is allergic to in both languages; an empty list = asked, none known; None = not asked."""
    node = evaluation.index.nodes.get(ALLERGIES)
    said = _said(evaluation, ALLERGIES)
    if node is None or not said:
        return None
    options = [one for one in node.raw.get("options", ()) if one["value"] in said and not one.get("exclusive")]
    return [{name: one[name] for name in ("value", "label", "label_tr")} for one in options]


def key_body(row: Any) -> dict[str, Any]:
    """Return the five pieces of a key; null where the item has none."""
    pieces = {name: getattr(row, name) or None for name in ("part", "level", "side", "instance")}
    return {"item": row.item, **pieces}


def answer_body(row: Answer) -> dict[str, Any]:
    """Return one answer."""
    return {
        **key_body(row),
        "value": row.value,
        "event": str(row.event),
        "conflict": row.is_conflict,
        "actor": row.actor.username if row.actor else None,
        "occurred_at": row.occurred_at,
        "recorded_at": row.recorded_at,
    }


def conflict_body(row: Answer) -> dict[str, Any]:
    """Return both sides of a conflict with who said what; the last one is the parent that a decision names."""
    events = Event.objects.in_bulk([event for event, _ in row.heads], field_name="public_id")
    by_id = {str(public_id): event for public_id, event in events.items()}
    return {
        **key_body(row),
        "heads": [
            {
                "event": event,
                "value": value,
                "actor": actor.get_full_name() if (actor := by_id[event].actor) else None,
                "occurred_at": by_id[event].occurred_at,
            }
            for event, value in row.heads
        ],
    }


def waiting(run: Run) -> list[dict[str, Any]]:
    """Return the events that changed nothing yet: late ones want an amendment, held ones their person's countersignature."""
    rows = list(
        Event.objects.filter(run=run, outcome__in=[EventOutcome.LATE, EventOutcome.HELD])
        .select_related("actor", "claimed")
        .order_by("seq")
    )
    if not rows:
        return []
    settled = set(Amendment.objects.filter(run=run).exclude(event=None).values_list("event", flat=True))
    copies = {countersigned_id(row.public_id): row.public_id for row in rows}
    known = Event.objects.filter(run=run, public_id__in=copies).values_list("public_id", flat=True)
    settled |= {copies[public_id] for public_id in known}
    return [
        {
            **key_body(row),
            "id": str(row.public_id),
            "outcome": row.outcome,
            "value": row.value,
            "actor": row.actor.username if row.actor else None,
            "claimed": row.claimed.username if row.claimed else None,
            "occurred_at": row.occurred_at,
        }
        for row in rows
        if row.public_id not in settled
    ]


def signatures_of(run: Run, definition: Definition, answers: Iterable[Answer] | None = None) -> list[dict[str, Any]]:
    """Return the signatures of a run; `current` = over what the run shows now (`answers`, where they are at hand)."""
    rows = list(
        Signature.objects.filter(run=run).select_related("user", "witnessed_by", "countersignature").order_by("id")
    )
    languages = {row.language for row in rows} & set(definition.content["languages"])
    now_signed = {language: content_hash(run, definition.sha256, language, answers) for language in languages}
    return [signature_body(row, current=row.content_sha256 == now_signed.get(row.language)) for row in rows]


def signature_body(row: Signature, *, current: bool) -> dict[str, Any]:
    """Return one signature."""
    countersigned = hasattr(row, "countersignature")
    return {
        "id": str(row.public_id),
        "role": row.role,
        "user": row.user.username,
        "name": row.user.get_full_name(),
        "language": row.language,
        "content_sha256": row.content_sha256,
        "signed_at": row.signed_at,
        "witnessed_by": row.witnessed_by.username if row.witnessed_by else None,
        "countersigned": countersigned if row.witnessed_by else None,
        "current": current,
    }


def override_body(row: Override) -> dict[str, Any]:
    """Return one override."""
    return {
        **key_body(row),
        "id": str(row.public_id),
        "reason": row.reason,
        "text": row.text,
        "blocker": row.blocker,
        "by": [
            {"user": row.first.username, "role": row.first_role},
            {"user": row.second.username, "role": row.second_role},
        ],
        "at": row.overridden_at,
    }


def amendment_body(row: Amendment) -> dict[str, Any]:
    """Return one amendment, to be shown beside the original."""
    return {
        **key_body(row),
        "id": str(row.public_id),
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "event": str(row.event) if row.event else None,
        "by": row.by.username,
        "at": row.amended_at,
    }


def missing_roles(definition: Mapping[str, Any], signatures: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the parts in which nobody has signed what the run shows now."""
    signed = {one["role"] for one in signatures if one["current"]}
    return [role for role in definition["conventions"]["signatures"] if role not in signed]
