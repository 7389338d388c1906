"""What the protocol stands on must hold on one server and on a cluster of three: most tests here run on both."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from broadcast_contracts import BatchKey
from broadcast_contracts.topology import LEDGER
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.support.nats import running_server
from tests.support.nats_cluster import REPLICAS, NatsCluster, connected, reachable, running_cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[NatsCluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="package")
def single() -> Iterator[list[str]]:
    with running_server() as server:
        yield [server.url]


@pytest.fixture(params=[1, REPLICAS], ids=["one-server", "three-servers"])
def replicas(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
async def client(replicas: int, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    urls = request.getfixturevalue("single") if replicas == 1 else request.getfixturevalue("cluster").urls
    client = await connected(urls)
    yield client
    await asyncio.wait_for(client.close(), 10)


@pytest.fixture
async def js(client: Client, replicas: int) -> JetStreamContext:
    js = client.jetstream(timeout=5)
    await reachable(client)
    await ensure(js, ("main",), replicas=replicas)
    return js


@pytest.fixture
def ledger(js: JetStreamContext) -> JetStreamLedger:
    return JetStreamLedger(js, LEDGER)


@pytest.fixture
def key() -> BatchKey:
    return BatchKey(uuid4(), 1, 0)
