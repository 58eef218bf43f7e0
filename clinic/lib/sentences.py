"""A sentence that knows its own pattern and values: read as text everywhere, said in another language where somebody reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self


class Sentence(str):
    """`Sentence("END:%(name)s without its BEGIN.", name="VEVENT")` is that text; `said` says it by another pattern."""

    pattern: str
    values: dict[str, Any]
    __slots__ = ("pattern", "values")

    def __new__(cls, pattern: str, **values: Any) -> Self:
        """Return the text; a value may be a sentence itself."""
        made = super().__new__(cls, pattern % values if values else pattern)
        made.pattern, made.values = pattern, values
        return made

    def said(self, translate: Callable[[str], str]) -> str:
        """Return the sentence with its pattern, and those of the sentences in it, passed through `translate`."""
        if not self.values:
            return translate(self.pattern)
        values = {name: one.said(translate) if isinstance(one, Sentence) else one for name, one in self.values.items()}
        return translate(self.pattern) % values
