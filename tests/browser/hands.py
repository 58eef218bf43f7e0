"""The hands of an honest team: the answers of the demo's story given by touch, and the touches counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator

from checklists.management.demo.answers import Ticked, catalogue_index
from checklists.rules.nodes import Key, Node
from tests.browser.tablet import Tablet
from tests.waiting import eventually

# A time this near is given by one touch of "Now".
NEAR = timedelta(minutes=10)


class Hands:
    """Gives answers on one tablet as a person would: a segment, a chip, the key pad, "Now", a proposal that stands there.

    `people` gives the names shown for user names. The browser's zone must be UTC.
    """

    def __init__(self, tablet: Tablet, people: Mapping[str, str]) -> None:
        self.tablet, self.people, self.touches = tablet, people, 0
        self.index = catalogue_index()
        self.begun: dict[tuple[str, str], str] = {}

    def touch(self, place: Locator) -> None:
        """One touch of a finger."""
        place.tap()
        self.touches += 1

    def give_all(self, answers: Iterable[Ticked]) -> None:
        """Give the answers of a phase in the order of the list."""
        for one in answers:
            self.give(one.key, one.value)

    def give(self, key: Key, value: Any) -> None:
        """Give one answer, unless it stands there already, and wait until the tablet holds it."""
        node = self.index.nodes[key.node_id]
        if key.instance:
            key = key._replace(instance=self._instance(node, key.instance, value))
        if self._held(key) is not None:
            return
        text = key.text()
        page = self.tablet.page
        control = page.locator(f'[data-key="{text}"]')
        proposal = page.locator(f'[data-by="{text}"] .chip')
        if proposal.count() and self._proposed(key) == value:
            self.touch(proposal)
        else:
            getattr(self, f"_{node.type}")(node, control, value)
        eventually(lambda: self._held(key) is not None, what=f"{text} is answered with {value!r}")

    def _instance(self, node: Node, named: str, value: Any) -> str:
        """Return the tablet's name for a repetition; the first time, begin it where the list has a button for that."""
        known = (node.repeat, named)
        if known not in self.begun:
            series: Node | None = node
            while series is not None and series.type != "series":
                series = series.parent
            if series is None:
                return named
            page = self.tablet.page
            there = "(id) => tablet.run.instances(tablet.run.nodes.get(id))"
            before = len(page.evaluate(there, series.id))
            self.touch(page.locator(f'[id="i-{series.id}"]').get_by_role("button"))
            if node.type == "user_ref":
                self._pick(value)
            eventually(lambda: len(page.evaluate(there, series.id)) > before, what=f"{series.id} has one more")
            self.begun[known] = page.evaluate(there, series.id)[-1]
        return self.begun[known]

    def _held(self, key: Key) -> Any:
        return self.tablet.page.evaluate("(text) => tablet.run.answer(text)?.value ?? null", key.text())

    def _proposed(self, key: Key) -> Any:
        return self.tablet.page.evaluate(
            "([id, at]) => tablet.proposal(tablet.run.nodes.get(id), at) ?? null",
            [key.node_id, {"level": key.level, "side": key.side, "instance": key.instance}],
        )

    # -- one way of touching for each type ---------------------------------------------------------------------------
    def _boolean(self, node: Node, control: Locator, value: Any) -> None:
        self.touch(control.get_by_label("Yes" if value else "No", exact=True))

    def _choice(self, node: Node, control: Locator, value: Any) -> None:
        self.touch(control.get_by_label(self._label(node, value), exact=True))

    _coded = _choice

    def _multi_choice(self, node: Node, control: Locator, value: Any) -> None:
        for one in value:
            chip = control.get_by_label(self._label(node, one), exact=True)
            if not chip.is_visible():
                self.touch(control.get_by_role("button", name="Other levels"))
            self.touch(chip)

    def _integer(self, node: Node, control: Locator, value: Any) -> None:
        if node.raw.get("min") == 0 and node.raw.get("max") == 10 and not node.raw.get("na_allowed"):
            self.touch(control.get_by_label(str(value), exact=True))
            return
        self.touch(control.locator(".val"))
        sheet = self.tablet.page.locator("dialog[open]")
        for digit in f"{value:g}":
            self.touch(sheet.get_by_role("button", name=digit, exact=True))
        self.touch(sheet.get_by_role("button", name="Keep", exact=True))

    _decimal = _integer

    def _datetime(self, node: Node, control: Locator, value: Any) -> None:
        at = datetime.fromisoformat(value)
        if abs(at - datetime.now(UTC)) < NEAR:
            self.touch(control.get_by_role("button", name="Now", exact=True))
            return
        self.touch(control.get_by_role("button", name="Other time"))
        self._type(control, at.strftime("%Y-%m-%dT%H:%M"))

    def _date(self, node: Node, control: Locator, value: Any) -> None:
        self.touch(control.get_by_role("button", name="Other date"))
        self._type(control, value)

    def _text(self, node: Node, control: Locator, value: Any) -> None:
        self._type(control, value)

    def _scan(self, node: Node, control: Locator, value: Any) -> None:
        self._type(control, value)

    def _user_ref(self, node: Node, control: Locator, value: Any) -> None:
        self.touch(control)
        self._pick(value)

    def _pick(self, user: str) -> None:
        self.touch(self.tablet.page.locator("dialog[open]").get_by_role("button", name=self.people[user]).first)

    def _type(self, control: Locator, text: str) -> None:
        """Typing counts as one touch here: how many keys it takes is the keyboard's matter."""
        field = control.locator("input.field, textarea.field").first
        field.fill(text)
        field.dispatch_event("change")
        self.touches += 1

    def _label(self, node: Node, value: Any) -> str:
        return str(next(one["label"] for one in node.raw["options"] if one["value"] == value))
