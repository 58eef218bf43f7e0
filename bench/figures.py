"""What a benchmark measured, how it is judged, and how it is written down."""

import json
import math
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass
class Figure:
    """One goal: `value` (usually ours / reference) held against `limit`; both sides stand beside it in `unit`."""

    goal: str
    what: str
    value: float
    limit: float
    ours: float
    reference: float
    unit: str
    # True: the value must not be above the limit; False: not below.
    at_most: bool = True
    note: str = ""
    detail: dict[str, object] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Tell whether the goal is met."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass
class Missing:
    """A goal that was not measured, and why: never counted as met."""

    goal: str
    what: str
    why: str


def ratio(goal: str, what: str, ours: float, reference: float, limit: float, unit: str, **more: object) -> Figure:
    """Return the figure ours / reference."""
    return Figure(goal, what, ours / reference if reference else math.inf, limit, ours, reference, unit, **more)  # type: ignore[arg-type]


def median(values: Iterable[float]) -> float:
    """Return the median of what was measured."""
    return statistics.median(list(values))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def write(name: str, figures: Sequence[Figure | Missing]) -> None:
    """Write one benchmark's figures to bench/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    body = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "figures": [
            {**asdict(figure), "holds": figure.holds}
            if isinstance(figure, Figure)
            else {**asdict(figure), "holds": None}
            for figure in figures
        ],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=1, default=str) + "\n")


def table(figures: Sequence[Figure | Missing]) -> str:
    """Return the figures as a table for a person."""
    lines = [f"{'goal':<6}{'holds':<7}{'value':>10}  {'limit':>9}  {'ours':>12}  {'reference':>12}  what"]
    for figure in figures:
        if isinstance(figure, Missing):
            lines.append(
                f"{figure.goal:<6}{'-':<7}{'':>10}  {'':>9}  {'':>12}  {'':>12}  {figure.what}: NOT MEASURED, {figure.why}"
            )
            continue
        sign = "≤" if figure.at_most else "≥"
        reference = f"{number(figure.reference)} {figure.unit}" if figure.reference else ""
        lines.append(
            f"{figure.goal:<6}{'yes' if figure.holds else 'NO':<7}{number(figure.value):>10}  {sign} {number(figure.limit):>7}  "
            f"{number(figure.ours) + ' ' + figure.unit:>12}  {reference:>12}  {figure.what}"
            + (f" ({figure.note})" if figure.note else "")
        )
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number with three significant digits."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"
