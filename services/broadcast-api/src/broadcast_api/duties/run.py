"""The duties together: what the leading replica does besides answering HTTP."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import nats.errors
from eventsourcing.persistence import PersistenceError
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NoStreamResponseError, NotFoundError, ServiceUnavailableError
from sqlalchemy.exc import SQLAlchemyError

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.application.runs import Runs
from broadcast_api.duties.collect import Collector
from broadcast_api.duties.decisions import Decisions
from broadcast_api.duties.freeze import Freezer
from broadcast_api.duties.hints import Hints
from broadcast_api.duties.issue import Issuer
from broadcast_api.duties.leader import lead, lock_of
from broadcast_api.duties.planner import Planner
from broadcast_api.duties.projection import Projection
from broadcast_api.duties.recall import RecallPlanner
from broadcast_api.duties.relay import Regressed, Relay
from broadcast_api.duties.settle import Settler
from broadcast_api.duties.standing import Lookout, Standing
from broadcast_api.duties.sweeper import Sweeper
from broadcast_contracts.topology import LEDGER, RECALL_LEDGER
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
LOOK_SECONDS = 5.0
"""Between two looks at how far behind everything is: less than any Prometheus asks."""

BACKOFF_SECONDS = (0.1, 2.0)
"""First and longest wait after a failed step: NATS or SQL is away, and everything goes on when it is back."""

Step = Callable[[], Awaitable[bool]]
"""Does a portion of a duty; answers whether there was anything to do."""

EXPECTED = (nats.errors.Error, JetStreamError, SQLAlchemyError, PersistenceError, OSError, TimeoutError)

MISSING = (NotFoundError, ServiceUnavailableError, NoStreamResponseError)
"""How a missing stream, consumer or bucket shows."""


@dataclass(frozen=True, slots=True)
class DutySettings:
    """`window_batches` bounds the unfinished batches of a run; `lease_seconds` and its grace are the workers'."""

    bots: tuple[str, ...]
    batch_size: int = 250
    window_batches: int = 4
    sweep_seconds: float = 30.0
    lease_seconds: float = 20.0
    lease_grace_seconds: float = 5.0
    attachment_grace_seconds: float = 3600.0
    replicas: int = 1


class Duties:
    """`run` until cancelled; any number of replicas may, one at a time is active."""

    def __init__(
        self,
        settings: DutySettings,
        database: Database,
        store: EventStore,
        runs: Runs,
        client: Client,
        steward: Client | None,
        pulling: Mapping[str, Step] | None = None,
    ) -> None:
        """`steward` may make streams and consumers; without one they must be there.

        `pulling` are further duties, by name, that wait for their work by themselves.
        """
        self._pulling = pulling or {}
        self._settings, self._database, self._store, self._runs = settings, database, store, runs
        self._js = client.jetstream(timeout=5)
        self._steward = steward.jetstream(timeout=5) if steward else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakes: list[asyncio.Event] = []
        self.standing: Standing | None = None
        """How far behind the system is; None where another replica leads."""
        self.reissues = 0
        """Jobs that the sweeper has issued again."""
        self.halted = ""
        """Why the relay refuses to go on; empty while it does not."""

    def wake(self) -> None:
        """There is something to do: look at once. Callable from any thread, at any time."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._wakes:
            event.set()

    async def run(self) -> None:
        """Lead whenever possible."""
        self._loop = asyncio.get_running_loop()
        await lead(lock_of(self._database), self.work)

    async def work(self) -> None:
        """All duties at once, until cancelled."""
        self.standing = Standing()
        try:
            await self._work()
        finally:
            self.standing = None

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wakes = []
        settings, js, database = self._settings, self._js, self._database
        hints = Hints(js)
        ledger, recall_ledger = JetStreamLedger(js, LEDGER), JetStreamLedger(js, RECALL_LEDGER)
        issuer = Issuer(js, database, self._store, ledger)
        recall = RecallPlanner(js, database, self._store, recall_ledger, self._runs, settings.window_batches)
        freezer = Freezer(database, self._runs, ledger, settings.window_batches * settings.batch_size)
        decisions = Decisions(js, database, ledger)
        planner = Planner(database, issuer, hints, settings.window_batches)
        patience = settings.lease_seconds + settings.lease_grace_seconds
        settler = Settler(js, database, ledger, self._runs, hints, patience)
        sweeper = Sweeper(js, database, issuer, recall)
        collector = Collector(js, database, settings.attachment_grace_seconds)
        sends = Projection(js, database, ledger, self._runs, "send", self._wake)
        recalls = Projection(js, database, recall_ledger, self._runs, "recall", self._wake)

        await self._ensure()

        async def sweep() -> bool:
            await self._ensure()
            again = await sweeper.step()
            self.reissues += again
            return again > 0

        lookout = Lookout(js, database, self._store, settings.bots)

        async def look() -> bool:
            self.standing = await lookout.look()
            return False

        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep("relay", Relay(js, database, self._store).step))
            group.create_task(self._keep("freeze", freezer.step, announce=True))
            group.create_task(self._keep("decide", decisions.step, announce=True))
            group.create_task(self._keep("plan", planner.step))
            group.create_task(self._keep("settle", settler.step, announce=True))
            group.create_task(self._keep("recall", recall.step, announce=True))
            group.create_task(self._keep("sweep", sweep, every=settings.sweep_seconds))
            group.create_task(self._keep("collect", collector.step, every=settings.sweep_seconds))
            group.create_task(self._keep("look", look, every=LOOK_SECONDS))
            group.create_task(self._keep("project_send", sends.step, pulls=True))
            group.create_task(self._keep("project_recall", recalls.step, pulls=True))
            for name, step in self._pulling.items():
                group.create_task(self._keep(name, step, pulls=True))

    async def _keep(
        self,
        duty: str,
        step: Step,
        *,
        announce: bool = False,
        pulls: bool = False,
        every: float | None = None,
    ) -> None:
        """Repeat a duty: at once while it is busy, else when woken or every half second.

        With `announce` a busy step wakes the others; one that `pulls` waits by itself; `every` (seconds) is not woken.
        """
        wake, delay, task = asyncio.Event(), BACKOFF_SECONDS[0], asyncio.current_task()
        if every is None:
            self._wakes.append(wake)
        # On Python 3.11 `asyncio.wait_for`, which nats-py uses, may swallow a cancellation; the count of them stays.
        while task and not task.cancelling():
            wake.clear()
            try:
                busy = await step()
                delay = BACKOFF_SECONDS[0]
            except Regressed as error:
                self.halted = str(error)
                log.critical("relay_halted", extra={"error": self.halted})
                return
            except Exception as error:
                if not isinstance(error, EXPECTED):
                    log.exception("duty_failed", extra={"duty": duty})
                else:
                    log.warning("duty_failed", extra={"duty": duty, "error": str(error)})
                if isinstance(error, MISSING):
                    await self._ensure()
                await asyncio.sleep(delay)
                delay = min(delay * 2, BACKOFF_SECONDS[1])
                continue
            if busy and announce:
                self._wake()
            if every is not None:
                await asyncio.sleep(every)
            elif not busy and not pulls:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await wake.wait()

    async def _ensure(self) -> None:
        if self._steward is None:
            return
        try:
            await ensure(self._steward, self._settings.bots, replicas=self._settings.replicas)
        except EXPECTED as error:
            log.warning("ensure_failed", extra={"error": str(error)})
