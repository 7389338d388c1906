"""Horizontal bars as SVG: the few pictures of docs/benchmarks.md."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parents[2] / "docs" / "images"

WIDTH, LABELS, FIGURES, BAR, GAP, TOP = 720, 190, 80, 22, 10, 44


def bars(name: str, title: str, values: Sequence[tuple[str, float]], unit: str = "") -> str:
    """Write `docs/images/bench-NAME.svg`; answers the Markdown that shows it."""
    longest = max((value for _, value in values), default=0) or 1
    height = TOP + len(values) * (BAR + GAP)
    rows = []
    for n, (label, value) in enumerate(values):
        y, length = TOP + n * (BAR + GAP), max(1.0, (WIDTH - LABELS - FIGURES) * value / longest)
        middle = y + BAR * 0.7
        rows.append(
            f'<text x="{LABELS - 10}" y="{middle:.0f}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{LABELS}" y="{y}" width="{length:.0f}" height="{BAR}" rx="3" fill="#2f6fb0"/>'
            f'<text x="{LABELS + length + 8:.0f}" y="{middle:.0f}">{_figure(value)}{escape(unit)}</text>'
        )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="14" fill="#1c2733">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="24" font-size="16" font-weight="600">{escape(title)}</text>',
        *rows,
        "</svg>",
    ]
    file = IMAGES / f"bench-{name}.svg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return f"![{title}](images/{file.name})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
