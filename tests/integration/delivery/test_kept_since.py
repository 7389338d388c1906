"""Since when a ledger is kept: the same to everybody, through every restart and election, and another for a new one."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from broadcast_contracts import BatchKey, CloseV1
from broadcast_contracts.topology import LEDGER
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.support.nats import running_server
from tests.support.nats_cluster import REPLICAS, NatsCluster, connected, reachable, step_down

T = TypeVar("T")
Event = Callable[[NatsCluster, Client], Awaitable[None]]


async def leader_steps_down(cluster: NatsCluster, client: Client) -> None:
    await patiently(lambda: step_down(client, LEDGER.name))


async def each_server_is_killed_in_turn(cluster: NatsCluster, client: Client) -> None:
    for server in cluster.servers.values():
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        await asyncio.to_thread(server.start)
        await said(client.jetstream(timeout=1))


async def all_servers_are_killed_at_once(cluster: NatsCluster, client: Client) -> None:
    await asyncio.to_thread(cluster.stop)
    await asyncio.to_thread(cluster.start)


async def stream_is_brought_up_to_date(cluster: NatsCluster, client: Client) -> None:
    js = client.jetstream()
    config = (await js.stream_info(LEDGER.name)).config
    config.max_bytes = (config.max_bytes or 0) + 1
    await patiently(lambda: js.update_stream(config))
    await patiently(lambda: ensure(js, ("main", "second"), replicas=REPLICAS))


@pytest.mark.parametrize(
    "event",
    [
        leader_steps_down,
        each_server_is_killed_in_turn,
        all_servers_are_killed_at_once,
        stream_is_brought_up_to_date,
    ],
)
async def test_a_cluster_never_changes_its_mind(cluster: NatsCluster, event: Event) -> None:
    clients = [await connected([url]) for url in cluster.urls]
    await reachable(clients[0])
    await patiently(lambda: ensure(clients[0].jetstream(), ("main",), replicas=REPLICAS))
    before = {await said(client.jetstream()) for client in clients}
    await event(cluster, clients[0])
    after = {await said(client.jetstream()) for client in clients}
    assert len(before) == 1
    assert after == before
    for client in clients:
        await asyncio.wait_for(client.close(), 10)


async def test_a_single_server_remembers_it_through_a_kill() -> None:
    with running_server() as server:
        client = await connected([server.url])
        await ensure(client.jetstream(), ("main",))
        before = await said(client.jetstream())
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        await asyncio.to_thread(server.start)
        assert await said(client.jetstream()) == before
        await client.close()


async def test_a_stream_that_was_made_anew_is_another(js: JetStreamContext, replicas: int) -> None:
    before, key = await said(js), BatchKey(uuid4(), 1, 0)
    last = await JetStreamLedger(js, LEDGER).append(key, 0, CloseV1(nonce=uuid4().hex, leg=1))
    await js.delete_stream(LEDGER.name)
    await ensure(js, ("main",), replicas=replicas)
    assert await said(js) > before
    first = await JetStreamLedger(js, LEDGER).append(key, 0, CloseV1(nonce=uuid4().hex, leg=1))
    assert first > last, "no version comes a second time"


async def said(js: JetStreamContext) -> datetime:
    return await patiently(JetStreamLedger(js, LEDGER).kept_since)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Again while servers are away, and while they elect."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await ask()
            except (nats.errors.Error, JetStreamError):
                await asyncio.sleep(0.1)
