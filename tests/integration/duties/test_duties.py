"""All duties together, with workers of the real protocol and a Telegram that only counts."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from broadcast_api.duties.run import Duties, DutySettings
from broadcast_api.repair.verify import Verify
from broadcast_contracts import Outcome, RecallJobV1, SendJobV1, decode
from broadcast_contracts.topology import JOBS, LEDGER, RECALL_LEDGER, STREAMS, Lane, job_consumer
from broadcast_delivery import Batch, Hold, Lease, Slots, Verdict, Worker
from broadcast_delivery.jetstream import JetStreamLedger
from tests.integration.duties.stage import Stage
from tests.support.nats import NatsServer

SETTINGS = DutySettings(bots=("main",), batch_size=10, window_batches=2, sweep_seconds=1)


class Unhurried:
    """A pace of a few hundred a second."""

    paused = False

    async def reserve(self, want: int) -> Slots:
        return Slots(asyncio.get_running_loop().time(), 0.002, want)

    async def turn(self, slots: Slots, k: int) -> None:
        await asyncio.sleep(k * slots.interval)

    async def pause(self, seconds: float) -> None: ...


class Telegram:
    """Counts what each chat received and lost."""

    def __init__(self) -> None:
        self.sent: Counter[int] = Counter()
        self.deleted: Counter[int] = Counter()

    async def work(self, js: JetStreamContext, lane: Lane) -> None:
        """A dispatcher or revoker, one batch after another."""
        recalls = lane == "recall"
        ledger = JetStreamLedger(js, RECALL_LEDGER if recalls else LEDGER)
        worker = Worker(ledger, owner=lane, lease=Lease(), window=4)
        consumer = job_consumer(lane, "main")
        subscription = await js.pull_subscribe_bind(consumer.durable, consumer.stream)
        while not asyncio.current_task().cancelling():  # type: ignore[union-attr]
            try:
                (message,) = await subscription.fetch(1, timeout=0.5)
            except Exception:
                await asyncio.sleep(0.05)
                continue
            await (self._recall if recalls else self._send)(worker, message.data)
            with contextlib.suppress(Exception):
                await message.ack()

    async def _send(self, worker: Worker, body: bytes) -> None:
        job = decode(SendJobV1, body)

        async def attempt(i: int, hold: Hold) -> Verdict:
            self.sent[job.chats[i]] += 1
            return Verdict(Outcome.DELIVERED, messages=(i + 1,))

        await worker.work(Batch(job.key, "send", range(len(job.chats)), job.leg), Unhurried(), attempt)

    async def _recall(self, worker: Worker, body: bytes) -> None:
        job = decode(RecallJobV1, body)
        posted = {one.i: one for one in job.posted}

        async def attempt(i: int, hold: Hold) -> Verdict:
            self.deleted[posted[i].chat] += 1
            return Verdict(Outcome.RECALLED, messages=tuple(posted[i].messages))

        await worker.work(Batch(job.key, "recall", list(posted)), Unhurried(), attempt)


@pytest.fixture
async def telegram(js: JetStreamContext) -> AsyncIterator[Telegram]:
    telegram = Telegram()
    lanes: tuple[Lane, ...] = ("send", "test", "recall")
    tasks = [asyncio.create_task(telegram.work(js, lane)) for lane in lanes]
    yield telegram
    await ended(tasks)


@pytest.fixture
async def duties(stage: Stage, nats_client: Client, js: JetStreamContext) -> AsyncIterator[list[Duties]]:
    """Two replicas that both believe they lead: no duty may rely on being alone."""
    duties = [
        Duties(SETTINGS, copy.database, copy.store, copy.runs, nats_client, nats_client)
        for copy in (stage, stage.again())
    ]
    tasks = [asyncio.create_task(replica.work()) for replica in duties]
    yield duties
    await ended(tasks)


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        assert not task.done(), task.exception()
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)


async def until(check: Callable[[], bool], seconds: float = 60) -> float:
    start = time.monotonic()
    while not await asyncio.to_thread(check):
        assert time.monotonic() - start < seconds, "it did not happen"
        await asyncio.sleep(0.02)
    return time.monotonic() - start


async def press(stage: Stage, duties: list[Duties], command: str, id: UUID) -> None:
    await asyncio.to_thread(stage.press, command, id)
    for replica in duties:
        replica.wake()


async def test_the_life_of_a_broadcast_under_two_leaders(
    stage: Stage, duties: list[Duties], telegram: Telegram
) -> None:
    stage.people(120)
    stage.people(5, "blocked")
    id = stage.broadcast()
    await press(stage, duties, "send", id)
    for _ in range(2):
        reached = telegram.sent.total()
        await until(lambda reached=reached: telegram.sent.total() > reached + 15)  # type: ignore[misc]
        await press(stage, duties, "stop", id)
        await until(lambda: stage.status(id) == "stopped")
        at_rest = telegram.sent.total()
        assert at_rest < 120
        await asyncio.sleep(0.3)
        assert telegram.sent.total() == at_rest == stage.run(id).delivered
        await press(stage, duties, "resume", id)
    await until(lambda: stage.status(id) == "sent")
    assert (len(telegram.sent), set(telegram.sent.values())) == (120, {1})
    await press(stage, duties, "recall", id)
    await until(lambda: stage.status(id) == "created")
    assert telegram.deleted == telegram.sent
    run = stage.run(id)
    assert (run.total, run.delivered, run.failed, run.recalled) == (125, 120, 5, 120)


async def test_a_running_system_agrees_with_itself_at_every_moment(
    stage: Stage, duties: list[Duties], telegram: Telegram, js: JetStreamContext
) -> None:
    stage.people(120)
    id = stage.broadcast()
    await press(stage, duties, "send", id)
    said: list[str] = []
    for wanted in (20, 60, 100):
        await until(lambda wanted=wanted: telegram.sent.total() > wanted)  # type: ignore[misc]
        assert await Verify(stage.database, stage.store, js, said.append).run(SETTINGS.batch_size), said
    await until(lambda: stage.status(id) == "sent")


async def test_the_first_message_leaves_at_once(stage: Stage, duties: list[Duties], telegram: Telegram) -> None:
    stage.people(100)
    id = stage.broadcast()
    await asyncio.sleep(1)
    await press(stage, duties, "send", id)
    assert await until(lambda: telegram.sent.total() > 0) < 1


async def test_a_nats_server_killed_in_the_middle_delays_and_doubles_nothing(
    stage: Stage, duties: list[Duties], telegram: Telegram, nats_server: NatsServer
) -> None:
    stage.people(100)
    id = stage.broadcast()
    await press(stage, duties, "send", id)
    await until(lambda: telegram.sent.total() > 20)
    nats_server.stop(signal.SIGKILL)
    await asyncio.sleep(1)
    nats_server.start()
    await until(lambda: stage.status(id) == "sent")
    assert (len(telegram.sent), set(telegram.sent.values())) == (100, {1})


async def test_streams_and_consumers_that_vanish_are_made_again(
    stage: Stage, duties: list[Duties], telegram: Telegram, js: JetStreamContext
) -> None:
    await asyncio.sleep(0.5)
    await js.delete_stream(JOBS.name)
    await js.delete_consumer(LEDGER.name, "projection")
    stage.people(30)
    id = stage.broadcast()
    await press(stage, duties, "send", id)
    await until(lambda: stage.status(id) == "sent")
    names = {info.config.name for info in await js.streams_info()}
    assert {stream.name for stream in STREAMS} <= names
    assert set(telegram.sent.values()) == {1}


async def test_one_test_message_reaches_one_person(stage: Stage, duties: list[Duties], telegram: Telegram) -> None:
    person, *_ = stage.people(5)
    id = stage.broadcast()
    stage.test(id, person)
    duties[0].wake()
    await until(lambda: stage.outcomes(id, run=0) == ["delivered"], 5)
    assert telegram.sent == {1000 + person: 1}
