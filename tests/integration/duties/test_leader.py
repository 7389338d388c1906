"""One replica leads; another takes over within seconds."""

import asyncio
import contextlib
import time

from sqlalchemy import text

from broadcast_api.duties.leader import lead, lock_of
from tests.integration.duties.stage import Stage
from tests.support.postgres import with_tables


class Replica:
    """Leads when it can, and says so."""

    def __init__(self, stage: Stage) -> None:
        self.leading = False
        self._task = asyncio.create_task(lead(lock_of(stage.database), self._work))

    async def _work(self) -> None:
        self.leading = True
        try:
            await asyncio.Event().wait()
        finally:
            self.leading = False

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def until(replica: Replica, leading: bool, seconds: float = 10) -> float:
    start = time.monotonic()
    while replica.leading is not leading:
        assert time.monotonic() - start < seconds
        await asyncio.sleep(0.02)
    return time.monotonic() - start


async def test_one_leads_and_the_other_takes_over_when_it_goes(stage: Stage) -> None:
    first = Replica(stage)
    await until(first, True)
    second = Replica(stage.again())
    await asyncio.sleep(1.5)
    assert not second.leading
    await first.stop()
    assert await until(second, True) < 3
    await second.stop()


async def test_a_leader_whose_connection_is_cut_stops_its_duties_and_tries_again(postgres_dsn: str) -> None:
    stage = Stage(with_tables(postgres_dsn.replace("postgresql://", "postgresql+psycopg://")), postgres_dsn)
    leader = Replica(stage)
    await until(leader, True)
    with stage.database.engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
    assert await until(leader, False) < 3
    assert await until(leader, True) < 5
    await leader.stop()
    stage.close()
