"""A run over time as a drawing: what came in, outcome upon outcome, from the first attempt to the last one known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from broadcast_api.adapters.timeline import Point
from broadcast_contracts import Counts

WIDTH, HEIGHT = 600, 160
ROWS = 8
"""Lines of the same in a table, for who would rather read it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """`areas` are outcomes with the `d` of an SVG path, the lowest one first; `before` failed before the first try."""

    areas: list[tuple[str, str]]
    starts: datetime
    ends: datetime
    rows: list[Point]
    before: int


def chart(points: Sequence[Point], counts: Counts) -> Chart | None:
    """None while nobody has been tried. The top of the drawing is everybody in the run."""
    if not points or not counts.total:
        return None
    before = max(0, counts.failed - points[-1].failed)
    heights: list[tuple[str, Callable[[Point], int]]] = [
        ("delivered", lambda point: point.delivered),
        ("failed", lambda point: point.delivered + point.failed + before),
        ("unconfirmed", lambda point: point.delivered + point.failed + before + point.unconfirmed),
    ]
    first, last = points[0].at, points[-1].at
    span = (last - first).total_seconds()
    across = [round((point.at - first).total_seconds() / span * WIDTH, 1) for point in points]
    lower = [float(HEIGHT)] * len(points)
    areas = []
    for name, height in heights:
        upper = [round(HEIGHT - min(height(point) / counts.total, 1) * HEIGHT, 1) for point in points]
        if upper != lower:
            there = [f"{x},{y}" for x, y in zip(across, upper, strict=True)]
            back = [f"{x},{y}" for x, y in zip(reversed(across), reversed(lower), strict=True)]
            areas.append((name, f"M{' '.join([*there, *back])}Z"))
        lower = upper
    every = -(-len(points) // ROWS)
    return Chart(areas, first, last, [*points[1:-1:every], points[-1]], before)
