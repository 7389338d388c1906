"""Tables of figures: printed as they come, and written to docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Made by `make bench` (one section: `python -m tests.bench NAME`). Client, server and emulator shared two cores, so read
the **ratios**: each compares two things measured in the same run. Absolute figures depend on the machine.
"""


@dataclass(frozen=True)
class Table:
    """One section of the page."""

    name: str
    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    picture: str = ""

    def markdown(self) -> str:
        """As it stands on the page."""
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, ["---"] * len(self.columns), *self.rows)]
        picture = f"\n{self.picture}\n" if self.picture else ""
        return f"## {self.title}\n\n{self.note}\n\n" + "\n".join(lines) + "\n" + picture


def write(table: Table) -> None:
    """Replace the section that was measured; keep the others."""
    kept = (
        {section.partition("\n")[0]: section for section in PAGE.read_text().split("\n## ")[1:]}
        if PAGE.exists()
        else {}
    )
    kept[table.title] = table.markdown().removeprefix("## ")
    PAGE.write_text(HEAD + "".join(f"\n## {section.rstrip()}\n" for section in kept.values()))


def ratio(value: float) -> str:
    """Two digits are all that a ratio of timings deserves."""
    return f"{value:.2f}"
