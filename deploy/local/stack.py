"""The parts of one system: nats-server, Telegram emulator, api, dispatchers, revokers."""

import asyncio
import contextlib
import json
import secrets
import shutil
import socket
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from broadcast_delivery.connection import options
from broadcast_delivery.identities import identities
from deploy.local.credentials import local_key
from deploy.local.part import Part
from deploy.nats.config import server_file, variable

START_SECONDS = 60
WEBHOOK_SECRET = "local-webhook-secret"  # the emulator on the loopback is the only one that could call


@dataclass(frozen=True)
class Plan:
    """What to run. `telegram_url` None starts the emulator; ports 0 are chosen; `settings` go to every service.

    `door` is how people reach the bots: off, polling or webhook.
    """

    var: Path
    database_url: str = ""
    event_store_url: str = ""
    bots: dict[str, dict[str, Any]] = field(default_factory=lambda: {"main": {"token": "1000000001:EMULATED"}})
    telegram_url: str | None = None
    people: int = 300
    dispatchers: int = 1
    revokers: int = 1
    api_port: int = 0
    emulator_port: int = 0
    door: str = "off"
    settings: dict[str, str] = field(default_factory=dict)


class Stack:
    """Starts the parts in order and knows their addresses."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.logs = plan.var / "logs"
        self.nats_url = f"nats://127.0.0.1:{free_port()}"
        self.nats_store = plan.var / "nats"
        self.telegram_url = plan.telegram_url or f"http://127.0.0.1:{plan.emulator_port or free_port()}"
        self.api_url = f"http://127.0.0.1:{plan.api_port or free_port()}"
        self.passwords = {it.name: f"p{secrets.token_hex(16)}" for it in identities(tuple(plan.bots))}
        self.nats_door, self.telegram_door = self.nats_url, self.telegram_url
        """Where the services look for NATS and Telegram: a proxy may stand in front."""
        self.api_key = ""
        """Opens the api, with every role; known once the api was started."""
        self.parts: dict[str, Part] = {}
        self._worker_ports: dict[str, int] = {}
        self._metrics_ports: dict[str, int] = {}
        """Of api processes; a worker has only one port."""

    @property
    def database_url(self) -> str:
        """Of the api."""
        return self.plan.database_url or f"sqlite:///{self.plan.var}/broadcasts.db"

    async def start(self) -> None:
        """Start everything and wait until it is ready; raises RuntimeError with the log of the part that is not."""
        self.logs.mkdir(parents=True, exist_ok=True)
        await self.start_nats()
        if self.plan.telegram_url is None:
            await self._start_emulator()
        await self.start_api()
        for n in range(self.plan.dispatchers):
            await self.start_worker("dispatcher", n)
        for n in range(self.plan.revokers):
            await self.start_worker("revoker", n)
        await asyncio.gather(*(self.ready(name) for name in self.parts if name.startswith(("dispatcher", "revoker"))))

    async def stop(self) -> None:
        """Workers first, so that they can report; then the api; then what they stand on."""
        for group in (("dispatcher", "revoker"), ("api",), ("emulator",), ("nats",)):
            await asyncio.gather(*(part.stop() for name, part in self.parts.items() if name.startswith(group)))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Stack"]:
        """Started, and stopped whatever happens."""
        try:
            await self.start()
            yield self
        finally:
            await self.stop()

    # -- the parts

    async def start_nats(self) -> None:
        """Start NATS, or start it again on the same port and store."""
        port = self.nats_url.rsplit(":", 1)[1]
        permissions = self.plan.var / "nats.conf"
        permissions.write_text(server_file(tuple(self.plan.bots)))
        command = [nats_server_binary(), "-c", str(permissions), "-a", "127.0.0.1", "-p", port]
        command += ["-js", "-sd", str(self.nats_store)]
        await self._start("nats", command, {variable(name): password for name, password in self.passwords.items()})
        await until(lambda: can_connect(int(port)), "nats", self.parts["nats"])

    async def _start_emulator(self) -> None:
        port = self.telegram_url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "tests.telegram_emulator", "--port", port, "--people", str(self.plan.people)]
        command += ["--state", str(self.plan.var / "telegram.state")]
        for bot in self.plan.bots.values():
            command += ["--bot", bot["token"]]
        await self._start("emulator", command, {})
        await until(lambda: http_ok(f"{self.telegram_url}/_control/state"), "emulator", self.parts["emulator"])

    async def start_api(self, name: str = "api", url: str | None = None) -> None:
        """Start an api process (a further one under another name and address)."""
        address = url or self.api_url
        self.api_key = self.api_key or await asyncio.to_thread(local_key, self.database_url, self.plan.var)
        ports = {
            "BROADCAST_PORT": address.rsplit(":", 1)[1],
            "BROADCAST_METRICS_PORT": str(self._metrics_ports.setdefault(name, free_port())),
        }
        settings = {**await asyncio.to_thread(self.api_settings), **ports}
        await self._start(name, [sys.executable, "-m", "broadcast_api", "serve"], settings)
        await until(lambda: http_ok(f"{address}/readyz"), name, self.parts[name])

    def api_settings(self) -> dict[str, str]:
        """What the api and its commands are told by their environment; asks the emulator for the bots' names."""
        return {
            **self._nats_as("broadcast-api"),
            "BROADCAST_NATS_STEWARD_USER": "steward",
            "BROADCAST_NATS_STEWARD_PASSWORD": self.passwords["steward"],
            "BROADCAST_DATABASE_URL": self.database_url,
            "BROADCAST_EVENT_STORE": self.plan.event_store_url or f"sqlite:///{self.plan.var}/events.db",
            "BROADCAST_BOTS": ",".join(self.plan.bots),
            "BROADCAST_USERNAMES": ",".join(self._usernames()),
            "BROADCAST_DOOR": self.plan.door,
            "BROADCAST_DOOR_TOKENS": json.dumps(self._door_tokens()),
            "BROADCAST_TELEGRAM_URL": self.telegram_door,
            **self.plan.settings,
        }

    def _usernames(self) -> list[str]:
        """As Telegram knows them; nothing of a bot that does not answer: only invitations need it."""
        found = []
        for name, bot in self.plan.bots.items():
            try:
                with urllib.request.urlopen(f"{self.telegram_url}/bot{bot['token']}/getMe", timeout=5) as answer:
                    found.append(f"{name}={json.load(answer)['result']['username']}")
            except (urllib.error.URLError, OSError, ValueError, KeyError):
                continue
        return found

    def _door_tokens(self) -> dict[str, dict[str, str]]:
        return {name: {"token": bot["token"], "secret": WEBHOOK_SECRET} for name, bot in self.plan.bots.items()}

    async def start_worker(self, kind: str, number: int) -> None:
        """Start a dispatcher or revoker; ready a moment later."""
        name = f"{kind}-{number}"
        port = self._worker_ports.setdefault(name, free_port())
        await self._start(
            name,
            [sys.executable, "-m", kind],
            {
                **self._nats_as(kind),
                "BROADCAST_TELEGRAM_URL": self.telegram_door,
                "BROADCAST_ACCOUNTS": json.dumps(self.plan.bots),
                "BROADCAST_PORT": str(port),
                **self.plan.settings,
            },
        )

    def _nats_as(self, name: str) -> dict[str, str]:
        return {
            "BROADCAST_NATS_URL": self.nats_door,
            "BROADCAST_NATS_USER": name,
            "BROADCAST_NATS_PASSWORD": self.passwords[name],
        }

    def nats_options(self, name: str) -> dict[str, Any]:
        """Arguments of `nats.connect` for this identity (`operator` may do anything)."""
        return options(self.nats_url, name, SecretStr(self.passwords[name]), None)

    async def ready(self, name: str) -> None:
        """Wait until a worker serves."""
        port = self._worker_ports[name]
        await until(lambda: http_ok(f"http://127.0.0.1:{port}/readyz"), name, self.parts[name])

    def metrics_urls(self) -> list[str]:
        """Of every process that was started, api first."""
        return [
            f"http://127.0.0.1:{port}/metrics" for port in (*self._metrics_ports.values(), *self._worker_ports.values())
        ]

    def readiness_urls(self) -> list[str]:
        """Of the first api and of every worker that was started."""
        workers = [f"http://127.0.0.1:{port}" for port in self._worker_ports.values()]
        return [f"{url}/readyz" for url in (self.api_url, *workers)]

    async def _start(self, name: str, command: list[str], env: dict[str, str]) -> None:
        part = self.parts.get(name) or Part(name, command, env, self.logs)
        self.parts[name] = part
        await part.start()


def nats_server_binary() -> str:
    """The server of the wheel, else one on the PATH."""
    wheel = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(wheel) if wheel.exists() else shutil.which("nats-server")
    if not found:
        raise RuntimeError("nats-server is not installed: run `make install`")
    return found


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def can_connect(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def http_ok(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def until(check: Any, what: str, part: Part) -> None:
    """Wait for a part; raises RuntimeError with the end of its log when it dies or takes too long."""
    for _ in range(START_SECONDS * 10):
        if await asyncio.to_thread(check):
            return
        if part.pid is None:
            break
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{what} did not start:\n{part.tail()}")
