"""The spine figure of the log: a lateral column, facing left, that counts and filters.

Pure geometry, in the pixels of the figure: bodies and processes follow lordosis, kyphosis, lordosis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: level → (x, tilt in degrees, half width); the row's height comes from its region
_COLUMN: dict[str, tuple[float, float, float]] = {
    "C2": (30.6, 2.6, 8.5),
    "C3": (29.6, 2.2, 8.5),
    "C4": (28.8, 1.5, 8.5),
    "C5": (28.3, 0.6, 8.5),
    "C6": (28.3, -0.4, 8.5),
    "C7": (28.7, -1.4, 8.5),
    "T1": (29.5, -2.4, 9.9),
    "T2": (30.8, -3.2, 10.2),
    "T3": (32.4, -3.8, 10.6),
    "T4": (34.2, -4.1, 11.0),
    "T5": (36.1, -4.1, 11.4),
    "T6": (37.9, -3.6, 11.8),
    "T7": (39.5, -2.9, 12.1),
    "T8": (40.6, -1.9, 12.5),
    "T9": (41.2, -0.7, 12.9),
    "T10": (41.2, 0.7, 13.2),
    "T11": (40.5, 2.0, 13.6),
    "T12": (39.3, 3.3, 14.0),
    "L1": (37.3, 4.3, 15.0),
    "L2": (34.5, 4.9, 15.0),
    "L3": (31.5, 4.9, 15.0),
    "L4": (28.7, 4.1, 15.0),
    "L5": (26.5, 2.8, 15.0),
    "S1": (25.4, 1.9, 15.0),
}
ROW_HEIGHT = {"c": 24, "t": 26, "l": 34}
HALF_HEIGHT = {"c": 8.9, "t": 9.6, "l": 12.6}
_BODY = ((-1, -1), (0, -0.8), (1, -1), (0.78, 0), (1, 1), (0, 0.8), (-1, 1), (-0.78, 0), (-1, -1))
_PROCESS_X = (0.9, 1.52, 1.92, 2.0, 2.72, 2.8, 2.32, 1.6, 1.44, 0.9)
_PROCESS_Y = (-0.62, -0.7, -0.6, -0.2, 0.75, 1.1, 1.02, 0.5, 0.05, 0.02)


@dataclass(frozen=True)
class Vertebra:
    """One level of the figure: its row, its drawing, its count."""

    level: str
    region: str
    count: int
    share: float
    step: int
    chosen: bool
    transform: str
    body: str
    process: str
    query: str


@dataclass(frozen=True)
class Spine:
    """The whole figure; `height` in px."""

    vertebrae: Sequence[Vertebra]
    height: int


def _path(template: str, points: Sequence[float]) -> str:
    return template.format(*(f"{value:.1f}".removesuffix(".0") for value in points))


def spine(counts: Mapping[str, int], chosen: Sequence[str], queries: Mapping[str, str]) -> Spine:
    """Return the figure for `counts` by level; `queries` are the addresses that add or remove a level's filter."""
    most = max(counts.values(), default=0)
    rows = []
    top = 0
    for level, (x, tilt, half) in _COLUMN.items():
        region = level[0].lower() if level[0] in "CT" else "l"
        tall = ROW_HEIGHT[region]
        high = HALF_HEIGHT[region]
        count = counts.get(level, 0)
        body = [value for px, py in _BODY for value in (px * half, py * high)]
        process = [value for px, py in zip(_PROCESS_X, _PROCESS_Y, strict=True) for value in (px * half, py * high)]
        share = count / most if most else 0.0
        rows.append(
            Vertebra(
                level=level,
                region=region,
                count=count,
                share=100 * share,
                step=0 if not count else 1 if share <= 1 / 3 else 2 if share <= 2 / 3 else 3,
                chosen=level in chosen,
                transform=f"translate({x} {top + tall / 2:g}) rotate({tilt})",
                body=_path("M{} {}Q{} {} {} {}Q{} {} {} {}Q{} {} {} {}Q{} {} {} {}Z", body),
                process=_path("M{} {}L{} {}Q{} {} {} {}L{} {}Q{} {} {} {}L{} {}Q{} {} {} {}Z", process),
                query=queries.get(level, ""),
            )
        )
        top += tall
    return Spine(rows, top)
