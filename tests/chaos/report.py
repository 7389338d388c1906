"""The table of a chaos run, in Markdown."""

from collections import Counter, defaultdict
from pathlib import Path

from tests.chaos.verdict import Account
from tests.simulation.record import section

HEAD = """# Reliability

What `make chaos` measured: the whole system as real processes, broken at random instants, with the emulated Telegram as
the judge of what every chat received. After each repetition the api's counters, its row for each recipient, the COUNTS
and BROADCASTS streams and the chats are compared; a scenario holds only when all of them agree.

- **duplicates**: messages that a chat received again.
- **silent losses**: recipients of whom the api says the untruth: delivered though nothing came, or anything but
  delivered or unconfirmed though it did.
- **unconfirmed**: recipients reported as "may have arrived", and the **bound**: open attempts at the kills (batches
  out × window) plus replies of Telegram that were taken away; everybody of the batches out where NATS loses its disks.
  Both are sums over the repetitions.
- **recovery**: the longest that a run took beyond what its remaining messages take at the bot's rate, in seconds, from
  the end of the fault (or from the kill) until everybody was accounted for. A dead worker's job comes to another after
  its consumer's `ack_wait` and a lease.

| scenario | repetitions | recipients | duplicates | silent losses | unconfirmed | bound | worst recovery, s |
|---|--:|--:|--:|--:|--:|--:|--:|
"""
FOOT = """
Made by `{command}`. Recovery times depend on the machine and its load; everything else must hold anywhere.
"""


class Report:
    """Collects accounts by scenario: the name of its test."""

    def __init__(self) -> None:
        self._accounts: defaultdict[str, dict[str, Account]] = defaultdict(dict)
        self._held: Counter[str] = Counter()
        self._tried: Counter[str] = Counter()

    @property
    def empty(self) -> bool:
        return not self._tried

    def add(self, scenario: str, run: str, account: Account) -> None:
        """The last account of a run is the one that counts."""
        self._accounts[scenario][run] = account

    def ended(self, scenario: str, held: bool) -> None:
        """A repetition is over."""
        self._tried[scenario] += 1
        self._held[scenario] += held

    def write(self, path: Path, command: str) -> None:
        rows = "".join(f"{self._row(scenario)}\n" for scenario in self._tried)
        path.write_text(HEAD + rows + FOOT.format(command=command) + section(path))

    def _row(self, scenario: str) -> str:
        accounts, held, tried = self._accounts[scenario].values(), self._held[scenario], self._tried[scenario]
        cells = [
            scenario.removeprefix("test_").replace("_", " "),
            str(tried) if held == tried else f"{held} of {tried} held",
            *(
                sum(getattr(account, name) for account in accounts)
                for name in ("recipients", "duplicates", "lost", "unconfirmed", "bound")
            ),
            f"{max((account.recovery for account in accounts), default=0.0):.1f}",
        ]
        return "| " + " | ".join(map(str, cells)) + " |"
