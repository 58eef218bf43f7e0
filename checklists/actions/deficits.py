"""What an answer calls for on the floor below: a page, a draft, a timer; all in the answer's own transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checklists.actions.storing import Stored
from checklists.models import Run
from checklists.rules.evaluation import Evaluation
from checklists.rules.facts import Examined
from checklists.rules.nodes import Key
from checklists.rules.raises import DRAFT, TIMER, TRIGGER, Fired, fired_by, settled_timers
from checklists.rules.times import parse_instant
from clinic.models import Actor
from complications.actions.reporting import draft_complication, raise_triggers
from complications.actions.timers import drop_timer, set_timer
from complications.rules.verdict import FiredTrigger
from complications.vocabulary import Tier

# The least tier of each trigger when a tick raises it (clinical content 3.1 with the decided corrections F9, E5); the floor below
# compares the examination with the baseline again and may make it worse, never better.
TIERS = {
    "NT-01": Tier.T1,
    "NT-02": Tier.T0,
    "NT-03": Tier.T0,
    "NT-04a": Tier.T0,
    "NT-04b": Tier.T2,
    "NT-06": Tier.T0,
    "NT-07a": Tier.T0,
    "NT-07b": Tier.T2,
    "NT-08a": Tier.T1,
    "NT-08b": Tier.T2,
    "NT-09": Tier.T1,
    "NT-10a": Tier.T1,
    "NT-10b": Tier.T2,
    "NT-11b": Tier.T2,
    "NT-12": Tier.T0,
    "NT-13": Tier.T1,
    "NT-14": Tier.T0,
    "NT-15": Tier.T1,
    "NT-16": Tier.T1,
}
# The names under which the floor below knows these timers, and what makes them pointless.
TIMERS = {"NT-09": ("not_examinable", "legs_examined"), "NT-04b": ("retention", "urine passed or a catheter")}
# What is beside an examination and calls for nobody by itself when it alone has changed.
_BESIDE = frozenset({"spo2"})


@dataclass(frozen=True, slots=True)
class Found:
    """What a batch says, before and after it."""

    run: Run
    before: Evaluation
    after: Evaluation
    stored: Mapping[Key, Any]
    events: Collection[Stored]
    examined: Collection[Examined]
    earlier: Mapping[tuple[str, str], Mapping[str, Any]]


def act_on(found: Found, *, by: Actor, now: datetime) -> None:
    """Raise triggers, draft complications, set and drop timers for everything that the stored answers newly say."""
    fired = fired_by(found.before, found.after, found.stored)
    _raise(found, [one for one in fired if one.kind == TRIGGER], by=by, now=now)
    for one in fired:
        if one.kind == DRAFT:
            draft_complication(
                procedure=found.run.procedure,
                code=one.code,
                level=one.key.level,
                note=one.note,
                source=_source(found, one.key),
                by=by,
                now=now,
            )
        elif one.kind == TIMER:
            _set(found.run, one, by=by, now=now)
    for code in sorted(settled_timers(found.after, found.stored)):
        drop_timer(procedure=found.run.procedure, key=TIMERS[code][0], by=by, now=now)


def _raise(found: Found, fired: Collection[Fired], *, by: Actor, now: datetime) -> None:
    """Page for each examination with its triggers, and for what was said outside of one."""
    groups: dict[tuple[str, str], list[Fired]] = {}
    for one in fired:
        groups.setdefault(_examination_of(one.key), []).append(one)
    for examined in found.examined:
        place = (examined.kind, examined.instance)
        triggers = groups.pop(place, [])
        if examined.kind == "baseline" or not (triggers or _changed(examined, found.earlier.get(place, {}))):
            continue
        _page(found, triggers, examined, by=by, now=now)
    for triggers in groups.values():
        _page(found, triggers, None, by=by, now=now)


def _page(found: Found, triggers: Collection[Fired], examined: Examined | None, *, by: Actor, now: datetime) -> None:
    event = _event_of(found, triggers, examined)
    believed = event is not None and not event.clock_flag
    at = min(event.occurred_at, now) if event is not None and believed else now
    raise_triggers(
        procedure=found.run.procedure,
        triggers=[
            FiredTrigger(one.code, TIERS.get(one.code, Tier.T1), reason_of(found.after, one.key)) for one in triggers
        ],
        source=_place(found.run, event),
        occurred_at=at,
        exam=examined.exam if examined else None,
        by=by,
        now=now,
        reported_at=at,
    )


def _event_of(found: Found, triggers: Collection[Fired], examined: Examined | None) -> Stored | None:
    """Return the stored event that a page comes from: the one ticked, else the newest of its examination or batch."""
    keys = {one.key for one in triggers}
    rows = list(found.events)
    own = [row for row in rows if row.key in keys]
    near = [row for row in rows if examined and row.instance == examined.instance]
    chosen = own or near or rows
    return chosen[-1] if chosen else None


def _examination_of(key: Key) -> tuple[str, str]:
    kinds = {"SOU-NEU-01": "theatre", "POS-NEU-01": "observation"}
    return (kinds.get(key.item, key.item), key.instance)


def _changed(examined: Examined, earlier: Mapping[str, Any]) -> bool:
    names = (examined.exam.keys() | earlier.keys()) - _BESIDE
    return any(examined.exam.get(name) != earlier.get(name) for name in names)


def _source(found: Found, key: Key) -> str:
    event = next((row for row in found.events if row.key == key), None)
    return _place(found.run, event)


def _place(run: Run, event: Stored | None) -> str:
    """Say where a finding stands; one of a follow-up's form is of a patient who is not in a bed."""
    if run.follow_up is not None:
        return f"follow_up:{run.follow_up}"
    return f"run:{run.public_id}:{event.public_id}" if event else f"run:{run.public_id}"


def _set(run: Run, one: Fired, *, by: Actor, now: datetime) -> None:
    name, unless = TIMERS[one.code]
    start = parse_instant(one.due_from)
    if start is None:
        return
    set_timer(
        procedure=run.procedure,
        key=name,
        due_at=start + timedelta(minutes=one.plus_min) / max(1, run.procedure.site.time_scale),
        trigger=one.code,
        unless=unless,
        by=by,
        now=now,
    )


def reason_of(evaluation: Evaluation, key: Key) -> str:
    """Return a trigger in words: what was asked and what was answered."""
    node = evaluation.index.nodes[key.node_id]
    value = evaluation.state.answers.get(key)
    if value is None:
        value = evaluation.value(node, key.scope)
    labels = {option["value"]: option["label"] for option in node.raw.get("options", ())}
    if isinstance(value, list):
        said = ", ".join(str(labels.get(one, one)) for one in value)
    elif isinstance(value, bool):
        said = "yes" if value else "no"
    elif isinstance(value, dict):
        said = f"{value.get('value', '')} {value.get('unit', '')}".strip()
    else:
        said = str(labels.get(str(value), value))
    where = f" at {key.level}" if key.level else ""
    return f"{node.raw['title']}{where}: {said}"
