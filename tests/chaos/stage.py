"""A whole system of real processes with proxies in front of NATS and Telegram, and the hands that break it."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from deploy.local.samples import DEPARTMENTS
from deploy.local.stack import Plan, Stack
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.run import Run
from tests.chaos.verdict import Account, account
from tests.support.system import System, served

RATE = 150
PEOPLE = 600
DISPATCHERS = ("dispatcher-0", "dispatcher-1")
REVOKERS = ("revoker-0", "revoker-1")
LEASE_SECONDS, GRACE_SECONDS = 4, 1
WINDOW, WINDOW_BATCHES, BATCH_SIZE = 20, 4, 50

OPEN_ATTEMPTS = WINDOW * WINDOW_BATCHES
"""What one killed dispatcher can leave unconfirmed: the windows of all the batches that a run has out."""

OUT = WINDOW_BATCHES * BATCH_SIZE
"""Whom the batches that a run has out can hold: what is in doubt when their logs are lost."""

REDELIVERY_SECONDS = 30
"""NATS hands a dead worker's job to another after so long (`ack_wait` of the consumers)."""

SETTINGS = {
    "BROADCAST_LEASE_SECONDS": str(LEASE_SECONDS),
    "BROADCAST_LEASE_GRACE_SECONDS": str(GRACE_SECONDS),
    "BROADCAST_ATTEMPT_TIMEOUT_SECONDS": "2",
    "BROADCAST_SWEEP_SECONDS": "2",
    "BROADCAST_WINDOW": str(WINDOW),
    "BROADCAST_WINDOW_BATCHES": str(WINDOW_BATCHES),
    "BROADCAST_BATCH_SIZE": str(BATCH_SIZE),
}
BOT = {"main": {"token": "1000000001:EMULATED", "rate": RATE}}


class Stage:
    """One system, used by one scenario after another."""

    def __init__(self, system: System, nats_proxy: Proxy, telegram: Proxy, client: Client) -> None:
        self.system, self.stack = system, system.stack
        self.nats, self.telegram, self._client = nats_proxy, telegram, client
        self.luck = Random()
        self.report = Report()
        self.scenario = ""
        self._audiences: dict[int, str] = {}

    @property
    def js(self) -> JetStreamContext:
        """JetStream, past the proxy."""
        return self._client.jetstream(timeout=5)

    async def run(self, people: int = PEOPLE) -> Run:
        """A broadcast to everyone, or to as many fifths of them."""
        if people not in self._audiences:
            departments = DEPARTMENTS[: people * len(DEPARTMENTS) // PEOPLE]
            definition = {"kind": "attributes", "where": {"department": departments}}
            self._audiences[people] = await self.system.audience(f"{people} people", definition)
        run = Run(self.system, people, RATE)
        run.id = await self.system.broadcast(self._audiences[people], run.text)
        return run

    async def sending(self, people: int = PEOPLE, at: tuple[float, float] = (0.1, 0.8)) -> Run:
        """A run at a random instant in its middle, `at` saying from which part to which."""
        run = await self.run(people)
        answer = await run.press("send")
        assert answer.status_code == 202, answer.text
        await run.until_arrived(round(people * self.luck.uniform(*at)))
        await asyncio.sleep(self.luck.uniform(0, 0.05))
        return run

    async def recalling(self) -> Run:
        """A run of which a random part was recalled by now."""
        run = await self.run()
        await run.press("send")
        await run.until_status("sent")
        await run.press("recall")
        goal = round(PEOPLE * self.luck.uniform(0.1, 0.8))
        await run.until(lambda state: bool(state["counts"]["recalled"] >= goal))
        return run

    async def close_the_books(self, run: Run, bound: int = 0, *, public_counts: bool = True) -> Account:
        """The common check of a run at rest, kept for the report."""
        result = await account(run, self.js, bound, public_counts=public_counts)
        print(f"{self.scenario}: {result}")
        self.report.add(self.scenario, run.id, result)
        return result

    def through(self, api_url: str) -> System:
        """The system as seen through another replica of the api."""
        return System(self.stack, self.system.http, api_url)

    # -- hands

    async def kill(self, name: str) -> None:
        """SIGKILL, and gone."""
        part = self.stack.parts[name]
        part.signal(signal.SIGKILL)
        await part.wait()

    async def revive(self, name: str) -> None:
        """Start a part that is gone, on the address it had, and wait until it serves."""
        if self.stack.parts[name].pid is not None:
            return
        match name.split("-"):
            case ["nats"]:
                await self.stack.start_nats()
            case ["api"]:
                await self.stack.start_api()
            case [kind, number]:
                await self.stack.start_worker(kind, int(number))
                await self.stack.ready(name)

    async def lose_disks(self) -> None:
        """NATS is killed, and starts again with nothing of what it held."""
        await self.kill("nats")
        shutil.rmtree(self.stack.nats_store)
        await self.revive("nats")

    async def struck(self) -> int:
        """How many calls to Telegram the scripted faults struck."""
        faults = (await self.system.emulator("GET", "/faults"))["faults"]
        return sum(fault["hits"] for fault in faults)

    async def heal(self) -> None:
        """Everything as it should be."""
        if second := self.stack.parts.pop("api-2", None):
            await second.stop()
        await self.nats.open()
        await self.telegram.open()
        self.telegram.single_use = False
        await self.system.emulator("DELETE", "/faults")
        for name, part in self.stack.parts.items():
            part.signal(signal.SIGCONT)
            await self.revive(name)


@contextlib.asynccontextmanager
async def staged(postgres: str, folder: Path) -> AsyncIterator[Stage]:
    """A system on an empty PostgreSQL database (a DSN), with its logs and the store of NATS in the folder."""
    plan = Plan(
        var=folder,
        database_url=postgres.replace("postgresql://", "postgresql+psycopg://"),
        event_store_url=postgres,
        bots=BOT,
        people=PEOPLE,
        dispatchers=len(DISPATCHERS),
        revokers=len(REVOKERS),
        settings=SETTINGS,
    )
    stack = Stack(plan)
    nats_proxy, telegram = Proxy(stack.nats_url), Proxy(stack.telegram_url)
    stack.nats_door, stack.telegram_door = nats_proxy.url, telegram.url
    try:
        await nats_proxy.open()
        await telegram.open()
        async with served(stack) as system:
            await system.limits(rate=RATE * 2)
            client = await nats.connect(
                **stack.nats_options("operator"), max_reconnect_attempts=-1, reconnect_time_wait=0.1
            )
            try:
                yield Stage(system, nats_proxy, telegram, client)
            finally:
                await client.close()
    finally:
        nats_proxy.close()
        telegram.close()
