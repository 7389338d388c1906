"""One replica at a time does the background duties: whoever holds a lock in the database.

The lock saves work, it is not a fence: every duty is safe with two running at once.
"""

import asyncio
import contextlib
import fcntl
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from sqlalchemy import Connection, text

from broadcast_api.adapters.database import Database

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
CHECK_SECONDS = 1.0
SILENCE_SECONDS = 10
"""PostgreSQL ends the session of a holder that has said nothing for so long: frozen, or cut off."""

LOCK_KEY = 7_203_114_425_517_889
"""An arbitrary number that no other user of the database is likely to lock."""


class Lock(Protocol):
    """Synchronous, called from a thread. Errors mean that the lock is not held."""

    def acquire(self) -> bool: ...

    def check(self) -> None:
        """Raises where the lock is lost."""
        ...

    def release(self) -> None: ...


class AdvisoryLock:
    """PostgreSQL's session lock: it ends with the connection that holds it."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # its session settings must not return to the pool
        try:
            connection.execute(text(f"SET idle_session_timeout = '{SILENCE_SECONDS}s'"))
            held = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}))
        except BaseException:
            connection.close()
            raise
        if held:
            self._connection = connection
        else:
            connection.close()
        return held

    def check(self) -> None:
        if self._connection is None:
            raise ConnectionError("the lock was released")
        self._connection.execute(text("SELECT 1"))

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class FileLock:
    """A lock file beside the SQLite database: it ends with the process that holds it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: contextlib.ExitStack | None = None

    def acquire(self) -> bool:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(self._path, "a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._descriptor = stack.pop_all()
            return True

    def check(self) -> None:
        """A file lock cannot be lost."""

    def release(self) -> None:
        if self._descriptor is not None:
            self._descriptor.close()
            self._descriptor = None


def lock_of(database: Database) -> Lock:
    """The lock that suits a database."""
    if database.is_sqlite:
        return FileLock(f"{database.engine.url.database}.leader")
    return AdvisoryLock(database)


async def lead(lock: Lock, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` whenever this replica holds the lock, until cancelled. A lost lock cancels the work at once."""
    while True:
        try:
            if not await asyncio.to_thread(lock.acquire):
                await asyncio.sleep(RETRY_SECONDS)
                continue
        except Exception as error:
            log.warning("leadership_unknown", extra={"error": str(error)})
            await asyncio.sleep(RETRY_SECONDS)
            continue
        await _with(lock, work)
        await asyncio.sleep(RETRY_SECONDS)  # whoever waits may be better off


async def lead_once(lock: Lock, work: Callable[[], Awaitable[None]]) -> bool:
    """Do `work` if nobody leads; answers whether it came to that. A lost lock cancels the work at once."""
    if not await asyncio.to_thread(lock.acquire):
        return False
    await _with(lock, work)
    return True


async def _with(lock: Lock, work: Callable[[], Awaitable[None]]) -> None:
    log.info("leadership_taken")
    try:
        await _while_held(lock, work)
    finally:
        await asyncio.shield(asyncio.to_thread(_release, lock))


async def _while_held(lock: Lock, work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(work())
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=CHECK_SECONDS)
            try:
                async with asyncio.timeout(SILENCE_SECONDS / 2):
                    await asyncio.to_thread(lock.check)
            except Exception as error:
                log.warning("leadership_lost", extra={"error": str(error)})
                return
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _release(lock: Lock) -> None:
    with contextlib.suppress(Exception):
        lock.release()
