"""The simulation's part of docs/reliability.md: what was run, when, on which commit, and what was found."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

TITLE = "## Simulated histories\n"
TEXT = """
The real services on a simulated NATS and Telegram in virtual time: one seed is one history of crashes, pauses past a
lease, clocks that differ by a tenth, late and lost requests, replies that are lost, jobs handed out twice, stops,
resumes, recalls and answers at random instants; in every tenth NATS loses the ledgers and the jobs in mid-run.
Violations are broken promises: a copy too many, a message after `stopped`, an attempt that its log did not hold open, a
recipient of whom ledger, SQL or counts say the untruth, a run that never comes to rest. Each safety mechanism is taken
away alone, to be noticed (`tests/simulation/mutants.py`).

| histories | violated | crashes | pauses | doubtful replies | delivered | unconfirmed | recalled | date | commit |
|--:|--:|--:|--:|--:|--:|--:|--:|---|---|
"""


def record(path: Path, histories: int, violated: int, totals: dict[str, int], command: str) -> None:
    """Replace the section, keep the rest of the page."""
    date = datetime.now(UTC).date().isoformat()
    cells = [*(f"{count:,}" for count in (histories, violated, *totals.values())), date, _commit()]
    row = "| " + " | ".join(cells) + " |\n"
    page = path.read_text() if path.exists() else ""
    path.write_text(f"{page.partition(TITLE)[0].rstrip()}\n\n{TITLE}{TEXT}{row}\nMade by `{command}`.\n")


def section(path: Path) -> str:
    """The section as it stands on the page, for whoever writes the rest anew; empty where there is none."""
    _, title, text = (path.read_text() if path.exists() else "").partition(TITLE)
    return f"\n{title}{text}" if title else ""


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
