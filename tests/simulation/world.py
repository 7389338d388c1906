"""One seed, one history: the real services on a simulated NATS and Telegram, with crashes, freezes and lost replies."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from sqlalchemy import delete, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.directory import Directory
from broadcast_api.adapters.doubts import Doubts, unanswered
from broadcast_api.adapters.entering import Person
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import deliveries, metadata
from broadcast_api.adapters.views import Views
from broadcast_api.application.audiences import Audiences
from broadcast_api.application.broadcasts import Broadcasts
from broadcast_api.application.runs import Runs
from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import Refused
from broadcast_api.domain.identity import EVERYTHING
from broadcast_api.duties.run import Duties, DutySettings
from broadcast_contracts import (
    Answer,
    BatchKey,
    File,
    FileKind,
    RecallJobV1,
    RunControlV1,
    SendJobV1,
    decode,
    decode_record,
)
from broadcast_contracts.topology import (
    CONTROL,
    JOBS,
    LEDGER,
    RECALL_LEDGER,
    Lane,
    batch_of,
    consumers,
    control_key,
    job_consumer,
)
from broadcast_delivery import Entry, Fold, Hold, Lease, Verdict, Worker
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_telegram.carrier import Carrier
from broadcast_telegram.plan import plan
from dispatcher.app import to_batch as batch_to_send
from revoker.app import deleter
from revoker.app import to_batch as batch_to_recall
from tests.simulation.nats import Client, Consumer, Delivered, Server, Stored
from tests.simulation.process import LONGEST_FREEZE, Process, now
from tests.simulation.telegram import Letter, Line, Pace, Telegram, Uploaded

PEOPLE, BATCH_SIZE, WINDOW = 18, 6, 3
LEASE = Lease(seconds=3.0, grace=1.0, attempt_timeout=1.0)
CLOCKS = (0.9, 1.1)
"""How far from true a clock may run: a lease and its grace outlast the lease's last attempt on any two of them."""
ACK_WAIT, SWEEP = 5.0, 4.0
LEDGER_PREFIX = LEDGER.subjects[0].removesuffix(">")
TROUBLE_SECONDS, PEACE_SECONDS = 8.0, 400.0
TROUBLES = {
    "crash": 12,
    "freeze": 12,
    "stop": 16,
    "resume": 20,
    "recall": 3,
    "answer": 3,
    "hand out again": 3,
    "lose a job": 2,
    "nothing": 30,
}
"""What happens how often, on average: each history has a temper of its own, for one fault may hide another."""
LOSSES = 10
"""In one of so many histories NATS loses its disks: both ledgers and the jobs are gone, while everybody works on."""

FILES = tuple(
    File(sha256=f"{n:064x}", name=f"file {n}", kind=kind, media_type="application/octet-stream", size=9)
    for n, kind in enumerate((FileKind.PHOTO, FileKind.DOCUMENT, FileKind.AUDIO))
)
"""A content of three requests, which many histories have; the text is the caption of the first."""

OFFICIAL = Call(by=Actor("Operator"), scope=EVERYTHING)


class World:
    """Lives once. `database` is emptied first: statements compiled once serve every history of a process."""

    def __init__(self, seed: int, database: Database, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.server = Server(self.rng, ACK_WAIT, self._on_store)
        self.logs: dict[BatchKey, Fold] = {}
        for consumer in consumers(("main",)):
            self.server.consumers[consumer.stream, consumer.durable] = Consumer(
                consumer.stream, consumer.filter_subject
            )
        self._window_batches = self.rng.choice((1, 2))  # with one, a stop finds batches that were never issued
        self._freezing = self.rng.choice((0.5, 2.0, 5.0))
        self.telegram = Telegram(self.rng, self._on_letter, self._on_attempt)
        self.files = FILES if random.Random(seed).random() < 0.4 else ()
        loses = seed % LOSSES == LOSSES - 1
        self.loses_at = random.Random(seed).uniform(0.2, TROUBLE_SECONDS) if loses else None
        self._duties: Duties | None = None
        self.database = database
        _empty(database)
        self.store = EventStore(f"sqlite:///{folder}/events.db")
        self.views = Views(self.database, self.store, BATCH_SIZE)
        self.runs = _Watched(self.store, self.views, self._note)
        directory = Directory(self.database)
        directory.upsert("main", [Person(chat_id=1000 + n) for n in range(PEOPLE)])
        doubts = Doubts(self.database)
        self.broadcasts = Broadcasts(self.store, self.views, directory, doubts, ("main",), self._wake)
        audiences = Audiences(self.store, self.views, directory, ("main",))
        audience = audiences.create("main", "everyone", {"kind": "everyone"}, [], OFFICIAL)
        self.id: UUID = self.broadcasts.create("main", Draft("name", "run 1", audience.id), OFFICIAL).id
        self.processes: dict[str, Process] = {}
        self._ever: list[Process] = []
        self.status = Status.CREATED
        self.violations: list[str] = []
        self._troubles = {what: weight * self.rng.choice((0.1, 1.0, 2.0)) for what, weight in TROUBLES.items()}
        self.crashes = 0
        self.copies_accepted = Counter[int]()

    async def live(self) -> Broadcast:
        """Trouble first, peace afterwards, until the broadcast is at rest; answers it."""
        loop = asyncio.get_running_loop()
        self.telegram.faults, self.server.faults = 0.04, 0.02
        for name in ("api", "dispatcher-0", "dispatcher-1", "revoker-0"):
            self._start(name)
        self._press(self.broadcasts.send)
        if self.loses_at is not None:
            loop.call_at(self.loses_at, self.server.lose, LEDGER.name, RECALL_LEDGER.name, JOBS.name)
        while loop.time() < TROUBLE_SECONDS:
            await asyncio.sleep(self.rng.uniform(0.02, 0.4))
            self._trouble()
        self.telegram.faults = self.server.faults = 0.0
        recall = self.rng.random() < 0.4
        answer = self.rng.choice([None, None, *Answer])
        while loop.time() < PEACE_SECONDS:
            match self.status:
                case Status.STOPPED:
                    self._press(self.broadcasts.recall if recall else self.broadcasts.resume)
                case Status.SENT if answer:
                    self._answer(answer)
                    answer = None
                case Status.SENT if recall:
                    self._press(self.broadcasts.recall)
                case Status.SENT | Status.CREATED:
                    break
            await asyncio.sleep(1)
        frozen = max(process.frozen for process in self.processes.values())
        await asyncio.sleep(frozen + ACK_WAIT + LEASE.seconds + SWEEP)  # late facts and repeated jobs
        for process in self.processes.values():
            process.kill()
        for _ in range(20):  # let every cancelled task come to its end
            await asyncio.sleep(0)
        broadcast = self.broadcast
        self.store.close()
        return broadcast

    @property
    def broadcast(self) -> Broadcast:
        """As the event store has it."""
        return self.store.broadcast(self.id)

    @property
    def freezes(self) -> int:
        """How often a process was frozen."""
        return sum(process.freezes for process in self._ever)

    # -- trouble

    def _trouble(self) -> None:
        name = self.rng.choice(list(self.processes))
        (what,) = self.rng.choices(list(self._troubles), list(self._troubles.values()))
        match what:
            case "crash":
                self.crashes += 1
                self._start(name)
            case "freeze":
                self.processes[name].freeze(self.rng.choice([0.5, 1.4, 2.0, 8.0, LONGEST_FREEZE]))
            case "stop":
                self._press(self.broadcasts.stop)
            case "resume":
                self._press(self.broadcasts.resume)
            case "recall":
                self._press(self.broadcasts.recall)
            case "answer":
                self._answer(self.rng.choice([Answer.DELIVERED, Answer.LEAVE, Answer.RESEND]))
            case "hand out again":
                self.server.hand_out_again()
            case "lose a job" if jobs := list(self.server.streams[JOBS.name].messages):
                self.server.streams[JOBS.name].remove(self.rng.choice(jobs))

    def _press(self, command: Callable[[UUID, Call], Broadcast]) -> None:
        with contextlib.suppress(Refused):
            broadcast = command(self.id, OFFICIAL)
            self._note(broadcast)

    def _answer(self, answer: Answer) -> None:
        """An official decides about everybody who is open; after a resend each of them may get one copy more."""
        with self.database.read() as connection:
            about = connection.scalars(select(deliveries.c.chat_id).where(unanswered)).all()
        self._press(lambda id, call: self.broadcasts.answer(id, answer, None, call))
        if answer is Answer.RESEND and self.status is Status.SENDING:
            self.copies_accepted.update(about)

    def _note(self, broadcast: Broadcast) -> None:
        self.status = broadcast.status

    def _on_letter(self, letter: Letter) -> None:
        if self.status is not Status.SENDING:
            self.violations.append(f"{letter.chat} was sent a message while {self.status}")

    def _on_attempt(self, chat: int) -> None:
        """Whoever is attempted is in flight in the log at that moment: opened before, and not resolved yet."""
        batch, i = divmod(chat - 1000, BATCH_SIZE)
        if self.loses_at is not None and asyncio.get_running_loop().time() >= self.loses_at:
            return  # what the logs said until then is lost
        if not any(i in log.in_flight for key, log in self.logs.items() if key.batch == batch):
            self.violations.append(f"{chat} was attempted without an open attempt in the log")

    def _on_store(self, stored: Stored) -> None:
        if stored.subject.startswith(LEDGER_PREFIX):
            key = batch_of(stored.subject)
            log = self.logs.setdefault(key, Fold("send"))
            log.apply(Entry(stored.seq, decode_record(stored.data)))

    # -- processes

    def _start(self, name: str) -> None:
        """Start a process; the one that had the name is killed."""
        if old := self.processes.get(name):
            old.kill()
        process = self.processes[name] = Process(name, self.rng.uniform(*CLOCKS))
        self._ever.append(process)
        kind = name.partition("-")[0]
        work = {"api": self._api, "dispatcher": self._dispatcher, "revoker": self._revoker}[kind]
        process.spawn(work(process))

    async def _api(self, process: Process) -> None:
        settings = DutySettings(
            bots=("main",),
            batch_size=BATCH_SIZE,
            window_batches=self._window_batches,
            sweep_seconds=SWEEP,
            lease_seconds=LEASE.seconds,
            lease_grace_seconds=LEASE.grace,
        )
        client: Any = SimpleNamespace(jetstream=lambda timeout: Client(self.server, process))
        self._duties = Duties(settings, self.database, self.store, self.runs, client, client)
        await self._duties.work()

    def _wake(self) -> None:
        if self._duties is not None:
            self._duties.wake()

    async def _dispatcher(self, process: Process) -> None:
        ledger = JetStreamLedger(Client(self.server, process), LEDGER)  # type: ignore[arg-type]
        hints = _Hints(self.server, process)
        worker = Worker(ledger, owner=process.name, lease=LEASE, window=WINDOW, stopped=hints.stopped)
        pace = Pace(process, self.server, self._freezing)
        line: Any = Line(self.telegram, process)
        files: Any = Uploaded()
        slots: Any = pace
        carrier = Carrier(line, files, slots, request_seconds=LEASE.attempt_timeout, seconds=5.0)

        async def deliver(job: SendJobV1) -> None:
            content = job.content.model_copy(update={"files": self.files})

            async def attempt(i: int, hold: Hold) -> Verdict:
                if not self.files:
                    return await self.telegram.send(process, content, job.chats[i])
                return await carrier.carry(content, plan(content), job.chats[i], hold)

            await worker.work(batch_to_send(job), pace, attempt)

        process.spawn(hints.listen())
        await self._serve(process, "send", SendJobV1, deliver)

    async def _revoker(self, process: Process) -> None:
        ledger = JetStreamLedger(Client(self.server, process), RECALL_LEDGER)  # type: ignore[arg-type]
        hints = _Hints(self.server, process)
        worker = Worker(ledger, owner=process.name, lease=LEASE, window=WINDOW, stopped=hints.stopped)
        pace = Pace(process, self.server, self._freezing)

        async def delete(chat: int, messages: list[int], sent_at: int) -> Verdict:
            return await self.telegram.delete(process, messages)

        account: Any = SimpleNamespace(pace=pace, messenger=SimpleNamespace(delete=delete))

        async def recall(job: RecallJobV1) -> None:
            await worker.work(batch_to_recall(job), *deleter(job, account))

        process.spawn(hints.listen())
        await self._serve(process, "recall", RecallJobV1, recall)

    async def _serve(
        self, process: Process, lane: Lane, kind: type[Any], work: Callable[[Any], Awaitable[None]]
    ) -> None:
        pull = await Client(self.server, process).pull_subscribe_bind(job_consumer(lane, "main").durable, "JOBS")

        async def handle(message: Delivered) -> None:
            beat = process.spawn(_keep_alive(message))
            try:
                await work(decode(kind, message.data))
            finally:
                beat.cancel()
            await message.ack()

        while True:
            with contextlib.suppress(TimeoutError):
                for message in await pull.fetch(1, timeout=2):
                    process.spawn(handle(message))


def _empty(database: Database) -> None:
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))


async def _keep_alive(message: Delivered) -> None:
    while True:
        await asyncio.sleep(ACK_WAIT / 3)
        await message.in_progress()


class _Watched(Runs):
    """Tells the world what became of a broadcast whenever a duty records something."""

    def __init__(self, store: EventStore, views: Views, note: Callable[[Broadcast], None]) -> None:
        super().__init__(store, views)
        self._events, self._tell = store, note

    def _record(self, broadcast_id: UUID, decide: Callable[[Broadcast], None]) -> None:
        super()._record(broadcast_id, decide)
        self._tell(self._events.broadcast(broadcast_id))


class _Hints:
    """The control bucket as a worker sees it: a little late, or never, since it is only a hint."""

    def __init__(self, server: Server, process: Process) -> None:
        self._server, self._process = server, process
        self._deaf = server.rng.random() < 0.4
        self._seen: dict[str, RunControlV1] = {}

    def stopped(self, key: BatchKey, leg: int) -> bool:
        control = self._seen.get(control_key(key.broadcast_id, key.run))
        return control is not None and control.stopped and control.leg >= leg

    async def listen(self) -> None:
        while not self._deaf:
            await self._process.gate()
            for key, (_, value) in self._server.buckets[CONTROL.name].items():
                self._seen[key] = decode(RunControlV1, value)
            await asyncio.sleep(0.3)


@contextlib.contextmanager
def virtual_clocks() -> Any:
    """Every clock that the code under test reads is that of its simulated process."""

    async def nothing(*_: Any, **__: Any) -> None: ...

    with (
        patch("broadcast_delivery.worker._now", now),
        patch("broadcast_telegram.carrier.CHAT_SECONDS", 0.1),
        patch("broadcast_api.duties.settle.time", SimpleNamespace(monotonic=now)),
        patch("broadcast_api.duties.run.ensure", nothing),
        patch("broadcast_api.duties.run.POLL_SECONDS", 3.0),
    ):
        yield
