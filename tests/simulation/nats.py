"""A JetStream in memory with the semantics that the protocol stands on, and with every fault a client can meet."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import nats.errors
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError

from broadcast_contracts.topology import STREAMS
from tests.simulation.process import Process

WRONG_LAST_SEQUENCE = 10071
NEVER = float("inf")

LATEST_SECONDS = 8.0
"""A request that was given up after its timeout may still arrive, so late at the most."""


@dataclass(slots=True)
class Stored:
    """A message in a stream."""

    seq: int
    subject: str
    data: bytes
    headers: dict[str, str]


@dataclass
class Stream:
    """Messages by sequence and by subject."""

    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    last: int = 0
    messages: dict[int, Stored] = field(default_factory=dict)
    of_subject: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[str, int] = field(default_factory=dict)
    waiting: dict[asyncio.Future[None], None] = field(default_factory=dict)
    """In the order of their coming: the order of a set would be another in each replay."""

    def begin_anew(self) -> None:
        """Empty, as on the first day, and numbered by the time."""
        self.created, self.last = datetime.now(UTC), self.last + 1_000_000
        for kept in (self.messages, self.of_subject, self.ids):
            kept.clear()
        self.tell()

    def remove(self, seq: int) -> None:
        if stored := self.messages.pop(seq, None):
            self.of_subject[stored.subject].remove(seq)

    async def news(self, seconds: float) -> None:
        """Until a message is stored or the time is over."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self.waiting[waiter] = None
        timer = loop.call_later(seconds, _release, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiting.pop(waiter, None)

    def tell(self) -> None:
        """Wake whoever waits for news."""
        for waiter in self.waiting:
            _release(waiter)


@dataclass
class Consumer:
    """A durable: where it is, and what it handed out and when that comes again.

    `echoes` come again whatever the receiver says: a consumer that was deleted and made anew does that.
    """

    stream: str
    filter_subject: str
    next_seq: int = 1
    pending: dict[int, float] = field(default_factory=dict)
    echoes: dict[int, float] = field(default_factory=dict)

    def begin_anew(self) -> None:
        """It has handed out nothing yet."""
        self.next_seq = 1
        self.pending.clear()
        self.echoes.clear()

    def due(self, seq: int) -> float:
        """When what was handed out comes again."""
        return min(self.pending[seq], self.echoes.get(seq, NEVER))

    def settle(self, seq: int) -> None:
        """It was acknowledged."""
        self.pending.pop(seq, None)
        self.echoes.pop(seq, None)


class Server:
    """`faults` is the probability of each fault; 0 makes it a perfect server."""

    fenced = True

    def __init__(self, rng: random.Random, ack_wait: float, on_store: Callable[[Stored], None]) -> None:
        """`on_store` sees each message at the moment when it is stored."""
        self.rng, self.ack_wait, self._on_store = rng, ack_wait, on_store
        self.faults = 0.0
        self.unanswered: list[tuple[str, bytes]] = []
        """Subject and body of what was published by somebody who then waited in vain for an answer."""
        self.streams: dict[str, Stream] = {stream.name: Stream() for stream in STREAMS}
        self.buckets: dict[str, dict[str, tuple[int, bytes]]] = defaultdict(dict)
        self.consumers: dict[tuple[str, str], Consumer] = {}
        self._revision = 0
        self._stream_of: dict[str, str] = {}

    def chance(self, weight: float = 1.0) -> bool:
        """Whether a fault happens here."""
        return self.rng.random() < self.faults * weight

    def stream_of(self, subject: str) -> str:
        """The stream that stores a subject."""
        if subject not in self._stream_of:
            self._stream_of[subject] = next(
                stream.name for stream in STREAMS if any(_matches(pattern, subject) for pattern in stream.subjects)
            )
        return self._stream_of[subject]

    def store(self, subject: str, data: bytes, headers: dict[str, str]) -> tuple[str, int]:
        """What the server does with a publish; raises APIError when an expectation is not met."""
        name = self.stream_of(subject)
        stream = self.streams[name]
        last_of_subject = stream.of_subject[subject][-1] if stream.of_subject[subject] else 0
        expected_subject = headers.get("Nats-Expected-Last-Subject-Sequence")
        expected_stream = headers.get("Nats-Expected-Last-Sequence")
        if self.fenced and (
            (expected_subject is not None and int(expected_subject) != last_of_subject)
            or (expected_stream is not None and int(expected_stream) != stream.last)
        ):
            raise APIError(code=400, err_code=WRONG_LAST_SEQUENCE, description="wrong last sequence")
        message_id = headers.get("Nats-Msg-Id")
        if message_id and message_id in stream.ids:
            return name, stream.ids[message_id]
        if headers.get("Nats-Rollup") == "sub":
            for seq in list(stream.of_subject[subject]):
                stream.remove(seq)
        if name == "COUNTS":
            for seq in list(stream.of_subject[subject]):
                stream.remove(seq)
        stream.last += 1
        stored = stream.messages[stream.last] = Stored(stream.last, subject, data, headers)
        stream.of_subject[subject].append(stream.last)
        if message_id:
            stream.ids[message_id] = stream.last
        self._on_store(stored)
        stream.tell()
        return name, stream.last

    def store_late(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        """The sender has given this request up, and does not learn what became of it."""
        with contextlib.suppress(APIError):
            self.store(subject, data, headers)

    def hand_out_again(self) -> None:
        """Every consumer forgets what it handed out, as one does that was deleted and made anew."""
        now = asyncio.get_running_loop().time()
        for consumer in self.consumers.values():
            consumer.echoes = dict.fromkeys(consumer.pending, now)
            self.streams[consumer.stream].tell()

    def lose(self, *names: str) -> None:
        """The disks of these streams are gone: they are made anew, with their consumers."""
        for name in names:
            self.streams[name].begin_anew()
        for consumer in self.consumers.values():
            if consumer.stream in names:
                consumer.begin_anew()

    def revision(self) -> int:
        self._revision += 1
        return self._revision


class Client:
    """What a process has of the server: the part of nats-py's JetStream context that the code uses."""

    def __init__(self, server: Server, process: Process) -> None:
        self._server, self._process = server, process

    async def _latency(self) -> None:
        await self._process.gate()
        await asyncio.sleep(self._server.rng.uniform(0.0002, 0.004))
        await self._process.gate()

    async def publish(
        self, subject: str, payload: bytes = b"", timeout: float = 5, stream: str | None = None, headers: Any = None
    ) -> SimpleNamespace:
        await self._latency()
        if self._server.chance():
            self._server.unanswered.append((subject, payload))
            if self._server.rng.random() < 0.5:  # the request is on its way for long, else it was lost
                late = self._server.rng.uniform(0.0, LATEST_SECONDS)
                asyncio.get_running_loop().call_later(
                    late, self._server.store_late, subject, payload, dict(headers or {})
                )
            await asyncio.sleep(timeout)
            raise nats.errors.TimeoutError
        name, seq = self._server.store(subject, payload, dict(headers or {}))
        if self._server.chance():
            self._server.unanswered.append((subject, payload))
            await asyncio.sleep(timeout)
            raise nats.errors.TimeoutError  # the acknowledgement was lost
        await asyncio.sleep(self._server.rng.uniform(0.0002, 0.002))
        return SimpleNamespace(stream=name, seq=seq)

    async def get_msg(
        self, stream: str, seq: int | None = None, subject: str | None = None, direct: bool = False, next: bool = False
    ) -> SimpleNamespace:
        await self._latency()
        kept = self._server.streams[stream]
        if subject is None:
            found = seq if seq in kept.messages else None
        elif next:
            found = min((s for s in kept.of_subject[subject] if s >= (seq or 1)), default=None)
        else:
            found = max(kept.of_subject[subject], default=None)
        if found is None:
            raise NotFoundError(code=404, err_code=10037, description="no message found")
        stored = kept.messages[found]
        return SimpleNamespace(seq=stored.seq, subject=stored.subject, data=stored.data, headers=stored.headers)

    async def get_last_msg(self, stream: str, subject: str, direct: bool = False) -> SimpleNamespace:
        return await self.get_msg(stream, subject=subject)

    async def stream_info(self, name: str) -> SimpleNamespace:
        await self._latency()
        stream = self._server.streams[name]
        return SimpleNamespace(state=SimpleNamespace(last_seq=stream.last), created=stream.created)

    async def key_value(self, name: str) -> "BucketOf":
        return BucketOf(self._server, self, name)

    async def pull_subscribe_bind(self, durable: str, stream: str) -> "Pull":
        return Pull(self._server, self, self._server.consumers[stream, durable])


class BucketOf:
    """A key-value bucket."""

    def __init__(self, server: Server, client: Client, name: str) -> None:
        self._server, self._client, self._name = server, client, name

    async def get(self, key: str) -> SimpleNamespace:
        await self._client._latency()
        if key not in self._server.buckets[self._name]:
            raise KeyNotFoundError
        revision, value = self._server.buckets[self._name][key]
        return SimpleNamespace(revision=revision, value=value)

    async def create(self, key: str, value: bytes) -> int:
        return await self.update(key, value, 0)

    async def update(self, key: str, value: bytes, last: int = 0) -> int:
        await self._client._latency()
        if self._server.buckets[self._name].get(key, (0, b""))[0] != last:
            raise KeyWrongLastSequenceError
        revision = self._server.revision()
        self._server.buckets[self._name][key] = (revision, value)
        return revision


class Pull:
    """A pull subscription. Whatever was handed out and not acknowledged comes again, sometimes at once."""

    def __init__(self, server: Server, client: Client, consumer: Consumer) -> None:
        self._server, self._client, self._consumer = server, client, consumer

    async def fetch(self, batch: int = 1, timeout: float = 5) -> list["Delivered"]:
        await self._client._latency()
        loop, stream = asyncio.get_running_loop(), self._server.streams[self._consumer.stream]
        deadline = loop.time() + timeout
        while not (ready := self._ready(loop.time())[:batch]):
            if loop.time() >= deadline:
                raise nats.errors.TimeoutError
            due = min((self._consumer.due(seq) for seq in self._consumer.pending), default=NEVER)
            await stream.news(max(0.0, min(deadline, due) - loop.time()))
            await self._client._process.gate()
        if self._server.chance(4):
            self._server.rng.shuffle(ready)
        for seq in ready:
            self._consumer.pending[seq] = loop.time() + self._server.ack_wait
            self._consumer.echoes.pop(seq, None)
            if self._server.chance(3):
                self._consumer.echoes[seq] = loop.time() + self._server.rng.uniform(0.0, 2.0)
        return [Delivered(stream.messages[seq], self._server, self._client, self._consumer) for seq in ready]

    def _ready(self, now: float) -> list[int]:
        kept, consumer = self._server.streams[self._consumer.stream], self._consumer
        for seq in [seq for seq in consumer.pending if seq not in kept.messages]:
            consumer.settle(seq)
        while consumer.next_seq <= kept.last:
            stored = kept.messages.get(consumer.next_seq)
            if stored and _matches(consumer.filter_subject, stored.subject):
                consumer.pending[stored.seq] = now + (1.0 if self._server.chance(2) else 0.0)
            consumer.next_seq += 1
        return [seq for seq in consumer.pending if consumer.due(seq) <= now]


class Delivered:
    """A message as a consumer sees it."""

    def __init__(self, stored: Stored, server: Server, client: Client, consumer: Consumer) -> None:
        self._stored, self._server, self._client, self._consumer = stored, server, client, consumer
        self.subject, self.data, self.headers = stored.subject, stored.data, stored.headers
        self.metadata = SimpleNamespace(sequence=SimpleNamespace(stream=stored.seq))

    async def ack(self) -> None:
        await self._client._process.gate()
        if self._server.chance():
            return  # lost: it will come again
        self._consumer.settle(self._stored.seq)
        if self._consumer.stream == "JOBS":
            self._server.streams["JOBS"].remove(self._stored.seq)

    async def term(self) -> None:
        await self.ack()

    async def nak(self, delay: float = 0) -> None:
        await self._client._process.gate()
        if self._stored.seq in self._consumer.pending:
            self._consumer.pending[self._stored.seq] = asyncio.get_running_loop().time() + (delay or 0)

    async def in_progress(self) -> None:
        await self._client._process.gate()
        if self._stored.seq in self._consumer.pending:
            self._consumer.pending[self._stored.seq] = asyncio.get_running_loop().time() + self._server.ack_wait


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _matches(pattern: str, subject: str) -> bool:
    wanted, given = pattern.split("."), subject.split(".")
    for n, token in enumerate(wanted):
        if token == ">":
            return len(given) > n
        if n >= len(given) or token not in ("*", given[n]):
            return False
    return len(wanted) == len(given)
