"""Appends go on while the leader of the ledger steps down, and while it is killed: none lost, none twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from broadcast_contracts import BatchKey, CloseV1
from broadcast_contracts.topology import LEDGER
from broadcast_delivery import Conflict
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.support.nats_cluster import REPLICAS, NatsCluster, connected, leader_of, reachable, step_down

LOGS, WRITERS = 4, 3
Trouble = Callable[[NatsCluster], Awaitable[None]]


@pytest.fixture
async def ledgers(cluster: NatsCluster) -> AsyncIterator[list[JetStreamLedger]]:
    """One for each writer, on connections of their own."""
    clients = [await connected(cluster.urls) for _ in range(WRITERS)]
    contexts = [client.jetstream(timeout=2) for client in clients]
    await reachable(clients[0])
    await ensure(contexts[0], ("main",), replicas=REPLICAS)
    yield [JetStreamLedger(js, LEDGER) for js in contexts]
    for client in clients:
        await asyncio.wait_for(client.close(), 10)


async def leader_steps_down(cluster: NatsCluster) -> None:
    client = await connected(cluster.urls)
    await step_down(client, LEDGER.name)
    await leader_of(client.jetstream(timeout=1), LEDGER.name)
    await client.close()


async def leader_is_killed(cluster: NatsCluster) -> None:
    client = await connected(cluster.urls)
    js = client.jetstream(timeout=1)
    killed = cluster.servers[await leader_of(js, LEDGER.name)]
    await asyncio.to_thread(killed.stop, signal.SIGKILL)
    async with asyncio.timeout(20):
        while cluster.servers[await leader_of(js, LEDGER.name)] is killed:
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # appends go on with two of three
    await asyncio.to_thread(killed.start)
    await client.close()


@pytest.mark.parametrize("trouble", [leader_steps_down, leader_is_killed])
async def test_no_append_is_lost_or_doubled_when(
    ledgers: list[JetStreamLedger], cluster: NatsCluster, trouble: Trouble
) -> None:
    keys = [BatchKey(uuid4(), 1, n) for n in range(LOGS)]
    stored: dict[BatchKey, dict[int, str]] = {key: {} for key in keys}
    over = asyncio.Event()

    async def write(ledger: JetStreamLedger, key: BatchKey) -> None:
        """Append again and again; others do too, so some appends meet a conflict."""
        last = 0
        while not over.is_set():
            nonce = uuid4().hex
            try:
                last = await ledger.append(key, last, CloseV1(nonce=nonce, leg=1))
                stored[key][last] = nonce
            except Conflict:
                log = await ledger.read(key)
                assert nonce not in {entry.record and entry.record.nonce for entry in log}, "refused, yet stored"
                last = log[-1].version

    writers = [asyncio.create_task(write(ledger, key)) for ledger in ledgers for key in keys]
    await asyncio.sleep(0.3)
    before = sum(map(len, stored.values()))
    await trouble(cluster)
    after = sum(map(len, stored.values()))
    await asyncio.sleep(0.3)
    over.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*writers)
    assert 0 < before < after
    for key in keys:
        log = {entry.version: entry.record and entry.record.nonce for entry in await ledgers[0].read(key)}
        assert log == stored[key]
