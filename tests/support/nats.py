"""A real nats-server with JetStream on a random port, for as long as a test needs it."""

import asyncio
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from broadcast_delivery.topology import ensure
from deploy.local.stack import nats_server_binary


class NatsServer:
    """A server that can be stopped, killed and started again on the same port and store."""

    def __init__(self, store: Path, *options: str) -> None:
        self.store, self._options = store, options
        self.port = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        ports = self.store / "ports"
        ports.mkdir(parents=True, exist_ok=True)
        for old in ports.glob("*.ports"):
            old.unlink()
        self._process = subprocess.Popen(
            [
                nats_server_binary(),
                *(
                    "-a",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                    "-js",
                    "-sd",
                    str(self.store),
                    "--ports_file_dir",
                    str(ports),
                    *self._options,
                ),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for file in ports.glob("*.ports"):
                try:
                    self.port = int(json.loads(file.read_text())["nats"][0].rsplit(":", 1)[1])
                except (ValueError, KeyError):
                    continue  # still being written
                return
            time.sleep(0.01)
        raise RuntimeError("nats-server did not start")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@contextmanager
def running_server(*options: str) -> Iterator[NatsServer]:
    """A server with a store of its own, and these options."""
    with tempfile.TemporaryDirectory(prefix="nats-", ignore_cleanup_errors=True) as store:
        server = NatsServer(Path(store), *options)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    with running_server() as server:
        yield server


@pytest.fixture
async def nats_client(nats_server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    yield client
    await asyncio.wait_for(client.close(), 10)


@pytest.fixture
async def js(nats_client: Client) -> JetStreamContext:
    """With the streams, consumers, buckets and stores of a system whose only bot is `main`."""
    js = nats_client.jetstream(timeout=5)
    await ensure(js, ("main",))
    return js
