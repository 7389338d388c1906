"""Three real nats-servers that form a cluster, for what only replicas do: elections, lost leaders, quorum."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error
from nats.js import JetStreamContext

from deploy.local.stack import free_port
from tests.support.nats import NatsServer

REPLICAS = 3
REACHABLE_SECONDS = 30


class NatsCluster:
    """Servers named n0, n1 and n2."""

    def __init__(self, folder: Path) -> None:
        routes = [f"nats://127.0.0.1:{free_port()}" for _ in range(REPLICAS)]
        self.servers = {
            f"n{n}": NatsServer(
                folder / f"n{n}",
                *("--server_name", f"n{n}", "--cluster_name", "test", "--cluster", route, "--routes", ",".join(routes)),
            )
            for n, route in enumerate(routes)
        }

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers.values()]

    def start(self) -> None:
        for server in self.servers.values():
            server.start()

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop(signal.SIGKILL)


@contextmanager
def running_cluster() -> Iterator[NatsCluster]:
    """A cluster in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="nats-", ignore_cleanup_errors=True) as folder:
        cluster = NatsCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


async def connected(urls: list[str]) -> Client:
    """A client that goes on with another server when its own is gone."""
    return await nats.connect(urls, max_reconnect_attempts=-1, reconnect_time_wait=0.1, connect_timeout=2)


async def reachable(client: Client) -> None:
    """Wait until JetStream answers: a cluster elects a leader first."""
    js = client.jetstream(timeout=0.5)
    async with asyncio.timeout(REACHABLE_SECONDS):
        while True:
            try:
                await js.account_info()
            except Error:
                await asyncio.sleep(0.1)
            else:
                return


async def leader_of(js: JetStreamContext, stream: str) -> str:
    """The name of the server that leads a stream, once there is one."""
    async with asyncio.timeout(REACHABLE_SECONDS):
        while True:
            try:
                info = await js.stream_info(stream)
            except Error:
                info = None
            if info and info.cluster and info.cluster.leader:
                return info.cluster.leader
            await asyncio.sleep(0.1)


async def step_down(client: Client, stream: str) -> None:
    """The leader of a stream gives its office up."""
    await client.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}", b"", timeout=5)
