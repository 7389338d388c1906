"""`verify`, `rebuild` and `doubt` from the command line: one line for each thing worth saying, and an exit code."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import nats
import nats.errors
import psycopg
from eventsourcing.persistence import PersistenceError
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError
from sqlalchemy.exc import InterfaceError, OperationalError

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema_version import require_schema
from broadcast_api.duties.leader import lead_once, lock_of
from broadcast_api.repair.doubt import Doubt
from broadcast_api.repair.rebuild import Rebuild
from broadcast_api.repair.verify import Say, Verify
from broadcast_api.settings import Settings

AGREES, DIFFERS, UNREACHABLE = 0, 1, 2
CONNECT_SECONDS = 5

AWAY = (
    nats.errors.Error,
    JetStreamError,
    PersistenceError,
    OperationalError,
    InterfaceError,
    psycopg.Error,
    OSError,
    TimeoutError,
)


async def verify(settings: Settings, say: Say = print) -> int:
    """0 when every copy agrees with its truth, 1 when one does not, 2 when NATS or SQL does not answer."""

    async def compare(database: Database, store: EventStore, client: Client) -> int:
        agrees = await Verify(database, store, client.jetstream(timeout=5), say).run(settings.batch_size)
        return AGREES if agrees else DIFFERS

    return await _with(settings, compare)


async def rebuild(settings: Settings, say: Say = print) -> int:
    """0 when the read models were made anew, 1 while a leader is at work, 2 when NATS or SQL does not answer."""

    async def make(database: Database, store: EventStore, client: Client) -> int:
        work = Rebuild(database, store, client.jetstream(timeout=5), settings.batch_size, say)
        if not await lead_once(lock_of(database), work.run):
            say("a replica leads: stop all of them, or wait until none does")
            return DIFFERS
        if not work.done:
            raise ConnectionError("the leader's lock was lost: start again")
        return AGREES

    return await _with(settings, make)


async def doubt(settings: Settings, broadcasts: Sequence[UUID] = (), say: Say = print) -> int:
    """0 when everybody without an outcome in the stopped runs is unconfirmed, 2 when NATS or SQL does not answer.

    For the time after a restore, before workers are started; of the broadcasts that are named, or of all.
    """

    async def make_unconfirmed(database: Database, _: EventStore, client: Client) -> int:
        await Doubt(database, client.jetstream(timeout=5), say).run(broadcasts)
        return AGREES

    return await _with(settings, make_unconfirmed)


async def _with(settings: Settings, work: Callable[[Database, EventStore, Client], Awaitable[int]]) -> int:
    try:
        client = await nats.connect(
            **settings.nats_options(), max_reconnect_attempts=2, connect_timeout=CONNECT_SECONDS, error_cb=_quiet
        )
        try:
            database, store = Database(settings.database_url), EventStore(settings.event_store)
            try:
                require_schema(database)
                return await work(database, store, client)
            finally:
                store.close()
                database.close()
        finally:
            await client.close()
    except AWAY as error:
        sys.stderr.write(f"unreachable: {error or type(error).__name__}\n")
        return UNREACHABLE


async def _quiet(error: Exception) -> None:
    """What matters is raised where it was asked for."""
