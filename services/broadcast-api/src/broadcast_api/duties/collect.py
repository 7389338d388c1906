"""Delete the bytes that nothing uses any more, after a grace in which nobody has asked for them again.

Used is a file of any broadcast that was not deleted, and of any run that may still send a message. The grace is
counted from when this replica first saw the file unused: a test message under way still finds it, and so does somebody
who takes a file away and attaches it again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from nats.js import JetStreamContext
from sqlalchemy import Select, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import broadcasts, runs
from broadcast_api.adapters.vault import delete, purge_chunks, seen, stored

log = logging.getLogger(__name__)

OVER = ("recalled", "test")
"""Runs that send nothing. A test is done within the grace, and its files are the broadcast's."""

PAGE = 1_000


class Collector:
    """Safe with any number of replicas: a file is deleted as it was seen, or not at all. `grace` in seconds."""

    def __init__(
        self, js: JetStreamContext, database: Database, grace: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._js, self._database, self._grace, self._now = js, database, grace, now
        self._unused: dict[tuple[str, int], float] = {}
        self._headless: dict[str, float] = {}

    async def step(self) -> bool:
        """Look once; answers whether something was deleted. Raises errors of NATS and SQL."""
        names, chunks = await stored(self._js)
        used = await asyncio.to_thread(self._used) if names else set()
        found = [kept for name in names - used if (kept := await seen(self._js, name)) is not None]
        self._unused = self._since(self._unused, [(kept.sha256, kept.sequence) for kept in found])
        gone = [kept for kept in found if self._is_over(self._unused[kept.sha256, kept.sequence])]
        for kept in gone:
            if await delete(self._js, kept):
                log.info("attachment_collected", extra={"sha256": kept.sha256})
        return bool(await self._headless_chunks(names, chunks) or gone)

    async def _headless_chunks(self, names: set[str], chunks: set[str]) -> int:
        """What a replica stored that was killed before it could say what it was."""
        if len(chunks) <= len(names):
            self._headless = {}
            return 0
        named = {kept.nuid for name in names if (kept := await seen(self._js, name)) is not None}
        self._headless = self._since(self._headless, chunks - named)
        gone = [nuid for nuid, since in self._headless.items() if self._is_over(since)]
        for nuid in gone:
            await purge_chunks(self._js, nuid)
        return len(gone)

    def _since(self, before: dict[Any, float], now: Iterable[Any]) -> dict[Any, float]:
        return {key: before.get(key, self._now()) for key in now}

    def _is_over(self, since: float) -> bool:
        return self._now() - since >= self._grace

    def _used(self) -> set[str]:
        shown = select(broadcasts.c.files.label("files"))
        sent = select(runs.c.content["files"].label("files")).where(runs.c.state.not_in(OVER))
        return {file["sha256"] for query in (shown, sent) for files in self._pages(query) for file in files or ()}

    def _pages(self, query: Select[Any]) -> Iterable[Any]:
        with self._database.read() as connection:
            yield from connection.execution_options(yield_per=PAGE).scalars(query)
