"""Loops in conditions: an item that is asked only where something is answered that itself is asked only where it is."""

from __future__ import annotations

from collections.abc import Mapping

from checklists.rules.nodes import Index, Node, references

_Step = tuple[str, bool]


def circle_of(index: Index) -> list[str]:
    """Return the ids along one loop, the first one repeated at the end; empty where there is none.

    Whether an item applies reads its parent's and the values that its condition names; a value reads whether its item
    applies, what it is computed from, and for a group what stands below it.
    """
    steps: dict[_Step, list[_Step]] = {}
    for node in index.nodes.values():
        steps[node.id, False] = _applies_reads(node, index)
        steps[node.id, True] = _value_reads(node, index)
    done: set[_Step] = set()
    for start in steps:
        if found := _walk(start, steps, done):
            names = [name for name, _ in found]
            return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]
    return []


def _walk(start: _Step, steps: Mapping[_Step, list[_Step]], done: set[_Step]) -> list[_Step]:
    """Walk in depth without recursion: an imported list may be as deep as it is long."""
    path: list[_Step] = []
    on_path: set[_Step] = set()
    todo: list[tuple[_Step, bool]] = [(start, True)]
    while todo:
        step, entering = todo.pop()
        if not entering:
            path.pop()
            on_path.discard(step)
            done.add(step)
            continue
        if step in on_path:
            return [*path[path.index(step) :], step]
        if step in done:
            continue
        path.append(step)
        on_path.add(step)
        todo.append((step, False))
        todo += [(other, True) for other in steps.get(step, ())]
    return []


def _applies_reads(node: Node, index: Index) -> list[_Step]:
    found: list[_Step] = [(node.parent.id, False)] if node.parent else []
    condition = node.raw.get("applies")
    for name in references(condition):
        read = name
        if name.startswith("fact:"):
            fed = index.feeds.get(name.removeprefix("fact:"))
            if fed is None:
                continue
            read = fed.id
        if read in index.nodes:
            found.append((read, True))
    if condition and _reads_itself(condition):
        found.append((node.id, True))
    return found


def _value_reads(node: Node, index: Index) -> list[_Step]:
    found: list[_Step] = [(node.id, False)]
    if node.is_container:
        found += [(child.id, True) for child in node.children if child.is_container or child.is_answerable]
    for argument in (node.raw.get("computed") or {}).get("args", ()):
        for name in str(argument).split("|"):
            if name in index.nodes and name != node.id:
                found.append((name, True))
    return found


def _reads_itself(condition: Mapping[str, object]) -> bool:
    for joint in ("all", "any"):
        leaves = condition.get(joint)
        if isinstance(leaves, list):
            return any(_reads_itself(leaf) for leaf in leaves)
    return "item" not in condition and "fact" not in condition
