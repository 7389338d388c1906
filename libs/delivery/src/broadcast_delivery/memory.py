"""The ledger in memory: for simulation and tests, with the semantics of the JetStream one."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from broadcast_contracts import BatchKey, LedgerRecord
from broadcast_delivery.ports import Conflict, Entry


class MemoryLedger:
    """Versions come from one counter, as stream sequences do."""

    def __init__(self) -> None:
        self._logs: dict[BatchKey, list[Entry]] = defaultdict(list)
        self._sequence = 0
        self._kept_since = datetime.now(UTC)

    async def read(self, key: BatchKey) -> Sequence[Entry]:
        return list(self._logs[key])

    async def append(self, key: BatchKey, expected: int, record: LedgerRecord, *, rollup: bool = False) -> int:
        log = self._logs[key]
        if expected != (log[-1].version if log else 0):
            raise Conflict(str(key))
        if rollup:
            log.clear()
        self._sequence += 1
        log.append(Entry(self._sequence, record))
        return self._sequence

    async def kept_since(self) -> datetime:
        return self._kept_since
