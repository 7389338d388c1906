"""One budget for each bot, shared by every replica: slots reserved by compare-and-set on a key of the pacing bucket.

When NATS cannot be reached nothing is granted; a key or bucket that was lost is made anew with a pause of a second.
"""

import asyncio
import logging
import random
import time
from collections import deque
from contextlib import suppress

import nats.errors
from nats.aio.client import Client
from nats.js import api
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KeyValue

from broadcast_contracts import Malformed, PacingV1, decode, encode
from broadcast_contracts.topology import PACING
from broadcast_delivery import Pace, Slots
from broadcast_telegram.gcra import Budget, Grant

log = logging.getLogger(__name__)

LATE_SECONDS = 0.01
"""A slot may be used so late; the other half of the margin is left for the way to Telegram."""

LOST_PAUSE_SECONDS = 1.0
"""After the key was lost: whoever still holds slots of the old one has used them by then."""

NATS_SECONDS = 2.0
RETRY_SECONDS = 0.5
CLOSE_SECONDS = 0.5
TICK_SECONDS = 1.0
JITTER_SECONDS = 0.02

QUIET_SECONDS = 2.0
"""A watch that says nothing for so long is checked: it may be dead, which nats-py does not tell."""

_Unreachable = (nats.errors.Error, JetStreamError, TimeoutError, OSError)


class KvPace:
    """The `Pace` of one bot in this process. Make it in a running event loop; `close` it in the end."""

    def __init__(self, client: Client, bot: str, rate: float) -> None:
        """`rate` is in messages per second; 0 means unlimited, with pauses still honoured."""
        self._js = client.jetstream(timeout=NATS_SECONDS)
        self._bot = bot
        self._budget = Budget(rate) if rate else None
        self._kv: KeyValue | None = None
        self._state = PacingV1()
        self._revision = 0
        self._paused_until = 0.0
        self.refused = 0
        """How often Telegram said that it was too much."""
        self._turnstile = asyncio.Lock()
        self._waiting = 0
        self._exchange = asyncio.Lock()
        self._late = 0
        self._spare: deque[float] = deque()
        self._announcements: set[asyncio.Task[None]] = set()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop watching; slots that are not used yet are lost."""
        tasks = {self._watching, *self._announcements}
        while tasks:  # on Python 3.11 `asyncio.wait_for`, which nats-py uses, may swallow a cancellation: say it again
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    # -- the port

    async def reserve(self, want: int, weight: int = 1) -> Slots:
        """Wait for the next permits, at least one and at most `want`; first come, first served within a process.

        Each permits `weight` messages.

        Those who wait share a chunk, so that a single message does not wait behind a crowd of batches.
        """
        self._waiting += 1
        try:
            async with self._turnstile:
                while True:
                    if self.paused:
                        await asyncio.sleep(min(TICK_SECONDS, self._paused_until - time.time()))
                    elif slots := await self._try(want, weight):
                        return slots
        finally:
            self._waiting -= 1

    async def turn(self, slots: Slots, k: int) -> None:
        """Sleep until slot k may be used. A slot that is over is exchanged for a new one: nobody bunches up.

        Comes back at once during a pause: what was opened is to be handed back.
        """
        loop = asyncio.get_running_loop()
        when: float | None = slots.first + k * slots.interval
        while when is not None and not self.paused:
            await asyncio.sleep(when - loop.time())
            if self._budget is None or loop.time() <= when + LATE_SECONDS:
                return
            when = await self._exchanged(slots.weight)

    async def pause(self, seconds: float) -> None:
        """Telegram asked the bot to be silent: at once here, and for every replica as soon as NATS has it."""
        self.refused += 1
        until = time.time() + seconds
        if until <= self._paused_until + JITTER_SECONDS:
            return  # one of many answers that say the same
        self._paused_until = until
        task = asyncio.create_task(self._announce(until))
        self._announcements.add(task)
        task.add_done_callback(self._announcements.discard)
        await asyncio.wait([task], timeout=NATS_SECONDS)

    @property
    def paused(self) -> bool:
        """Whether a pause is in force: unused slots must be handed back."""
        return time.time() < self._paused_until

    @property
    def paused_for(self) -> float:
        """Seconds that are left of a pause."""
        return max(0.0, self._paused_until - time.time())

    # -- slots

    def weighing(self, weight: int) -> Pace:
        """The same budget for sends of so many messages each."""
        return self if weight == 1 else _Weighing(self, weight)

    async def _try(self, want: int, weight: int) -> Slots | None:
        """Reserve once; None when there was something to wait for first."""
        loop = asyncio.get_running_loop()
        if self._budget is None:
            return Slots(loop.time(), 0.0, want, weight)
        try:
            if not self._revision:
                await self._load()
            share = max(1, self._budget.chunk(weight) // max(1, self._waiting))
            plan = self._budget.plan(self._state, min(want, share), time.time(), weight)
            if not isinstance(plan, Grant):
                jitter = random.uniform(0, JITTER_SECONDS)  # no secret  # nosec B311
                await asyncio.sleep(min(TICK_SECONDS, plan + jitter))
                return None
            if await self._swap(plan.then):
                first = loop.time() + plan.first - time.time()
                return Slots(first, self._budget.interval * weight, plan.count, weight)
        except _Unreachable as error:
            await self._lost(error)
        return None

    async def _exchanged(self, weight: int) -> float | None:
        """A new slot for one that is over, on the loop's clock; None when a pause began meanwhile."""
        loop = asyncio.get_running_loop()
        if weight > 1:
            async with self._exchange:
                while not self.paused:
                    if slots := await self._try(1, weight):
                        return slots.first
            return None
        self._late += 1
        try:
            async with self._exchange:
                while not self.paused:
                    while self._spare:
                        if (when := self._spare.popleft()) >= loop.time():
                            return when
                    if slots := await self._try(self._late, 1):
                        self._spare.extend(slots.first + k * slots.interval for k in range(slots.count))
        finally:
            self._late -= 1
        return None

    async def _announce(self, until: float) -> None:
        """Write a pause into the key, however often it takes."""
        while time.time() < until:
            try:
                if not self._revision:
                    await self._load()
                if self._state.paused_until >= until:
                    return
                if await self._swap(self._state.model_copy(update={"paused_until": until})):
                    return
            except _Unreachable as error:
                await self._lost(error)

    # -- the key

    async def _swap(self, state: PacingV1) -> bool:
        """Compare-and-set on the revision we know; on a conflict read the key again and answer False."""
        if self._paused_until > state.paused_until:
            state = state.model_copy(update={"paused_until": self._paused_until})
        try:
            revision = await (await self._bucket()).update(self._bot, encode(state), last=self._revision)
        except KeyWrongLastSequenceError:
            await self._load()
            return False
        if revision > self._revision:
            self._know(revision, state)
        return True

    async def _load(self) -> None:
        """Read the key, or make it with a short pause where it was lost."""
        bucket = await self._bucket()
        try:
            entry = await bucket.get(self._bot)
            self._know(entry.revision or 0, decode(PacingV1, entry.value or b""))
        except (KeyNotFoundError, Malformed) as error:
            log.warning("pacing_key_made", extra={"bot": self._bot, "error": str(error)})
            after = time.time() + LOST_PAUSE_SECONDS
            fresh = PacingV1(next_slot=after, paused_until=max(after, self._paused_until))
            if isinstance(error, Malformed):
                self._know(await bucket.put(self._bot, encode(fresh)), fresh)
                return
            with suppress(KeyWrongLastSequenceError):  # somebody else was quicker: the next try reads it
                self._know(await bucket.create(self._bot, encode(fresh)), fresh)

    def _know(self, revision: int, state: PacingV1) -> None:
        self._revision, self._state = revision, state
        self._paused_until = max(self._paused_until, state.paused_until)

    async def _bucket(self) -> KeyValue:
        if self._kv is None:
            try:
                self._kv = await self._js.key_value(PACING.name)
            except BucketNotFoundError:
                log.warning("pacing_bucket_made", extra={"bot": self._bot})
                config = api.KeyValueConfig(
                    bucket=PACING.name, history=1, max_bytes=PACING.max_bytes, storage=api.StorageType.MEMORY
                )
                self._kv = await self._js.create_key_value(config)
        return self._kv

    async def _lost(self, error: Exception) -> None:
        """Forget what we knew and wait: without the key nothing may be sent."""
        log.warning("pacing_unreachable", extra={"bot": self._bot, "error": f"{type(error).__name__}: {error}"})
        self._kv, self._revision = None, 0
        await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self) -> None:
        """Keep the local view fresh: the pauses that other replicas were asked for."""
        while True:
            try:
                await self._follow()
            except _Unreachable as error:
                await self._lost(error)

    async def _follow(self) -> None:
        """Until the watch ends or turns out to be dead."""
        if not self._revision:
            await self._load()
        watcher = await (await self._bucket()).watch(self._bot)
        heard = 0
        try:
            while True:
                try:
                    entry = await watcher.updates(timeout=QUIET_SECONDS)  # type: ignore[no-untyped-call]
                except nats.errors.TimeoutError:
                    await self._load()
                    if self._revision != heard:
                        return
                    continue
                if entry is None:
                    continue
                if not isinstance(entry, KeyValue.Entry):
                    return
                heard = entry.revision or 0
                if entry.operation:
                    self._revision = 0
                elif heard > self._revision:
                    with suppress(Malformed):
                        self._know(heard, decode(PacingV1, entry.value or b""))
        finally:
            with suppress(*_Unreachable):
                await watcher.stop()  # type: ignore[no-untyped-call]


class _Weighing:
    """A pace of which every slot permits several messages."""

    def __init__(self, pace: KvPace, weight: int) -> None:
        self._pace, self._weight = pace, weight

    async def reserve(self, want: int) -> Slots:
        return await self._pace.reserve(want, self._weight)

    async def turn(self, slots: Slots, k: int) -> None:
        await self._pace.turn(slots, k)

    async def pause(self, seconds: float) -> None:
        await self._pace.pause(seconds)

    @property
    def paused(self) -> bool:
        return self._pace.paused
