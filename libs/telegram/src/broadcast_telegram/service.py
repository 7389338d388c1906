"""The shell of a worker process: NATS, a pace and a messenger per bot, job handling, health, draining."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import nats.errors
from faststream import AckPolicy
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.security import NatsSecurity, NatsUserPassword
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from prometheus_client import CONTENT_TYPE_LATEST

from broadcast_contracts import Job, Malformed, Message, Outcome, decode
from broadcast_contracts.topology import JOBS, Lane, Stream, job_consumer
from broadcast_delivery import Attempt, Batch, End, Fold, Pace, Worker, tracing
from broadcast_delivery.control import StopHints
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.logs import about, of_batch
from broadcast_delivery.publish import park
from broadcast_telegram.calls import sampled
from broadcast_telegram.carrier import Carrier
from broadcast_telegram.counts_feed import CountsFeed
from broadcast_telegram.files import Files
from broadcast_telegram.messenger import Messenger, NoBot
from broadcast_telegram.metrics import WorkerMetrics
from broadcast_telegram.pacing import KvPace
from broadcast_telegram.settings import BotSettings, WorkerSettings

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 4
"""Well below the consumers' ack_wait."""

SETTLE_SECONDS = 0.1
"""What NATS delivered before it knew that we listen no longer has reached its handler by then."""

HALTED_RETRY_SECONDS = 30
FAILED_RETRY_SECONDS = 5

J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Account:
    """What a process has of one bot."""

    worker: Worker
    pace: KvPace
    messenger: Messenger
    carrier: Carrier


@dataclass(frozen=True, slots=True)
class Craft(Generic[J]):
    """What makes a worker a dispatcher or a revoker."""

    name: str
    lanes: tuple[Lane, ...]
    job: type[J]
    ledger: Stream
    outcomes: frozenset[Outcome]
    batch: Callable[[J], Batch]
    attempt: Callable[[J, Account], tuple[Pace, Attempt]]
    counts: Callable[[Batch, Fold], tuple[str, Message]]
    """The subject and the message that tell the world how a batch stands."""


class Service(Generic[J]):
    """One worker process."""

    def __init__(self, craft: Craft[J], settings: WorkerSettings) -> None:
        self._craft, self._settings = craft, settings
        self._bots = tuple(settings.accounts)
        self._draining = False
        self._busy, self._idle = 0, asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[Any]] = []
        self._metrics = WorkerMetrics(craft.outcomes)
        connection = settings.nats_options()
        self._inbox = connection.get("inbox_prefix", "_INBOX")
        self.broker = NatsBroker(
            connection["servers"],
            security=_security(connection),
            inbox_prefix=self._inbox,
            name=craft.name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            graceful_timeout=1,  # `_drain` has waited by then
            logger=None,
        )

    def app(self) -> AsgiFastStream:
        """The ASGI application: health over HTTP, work over NATS."""
        stream = JStream(JOBS.name, declare=False)
        for bot in self._bots:
            for lane in self._craft.lanes:
                consumer = job_consumer(lane, bot)
                subscriber = self.broker.subscriber(
                    consumer.filter_subject,
                    stream=stream,
                    durable=consumer.durable,
                    pull_sub=PullSub(batch_size=1),
                    max_workers=self._settings.concurrency,
                    ack_policy=AckPolicy.MANUAL,
                    inbox_prefix=f"{self._inbox}.".encode(),  # the broker's does not reach it, nor its dot
                )
                subscriber(self._handler(bot))
        return AsgiFastStream(
            self.broker,
            logger=None,
            on_startup=[self._start],
            on_shutdown=[self._drain],
            after_shutdown=[self._close],
            asgi_routes=[
                ("/livez", livez),
                ("/readyz", get(self._readyz)),
                ("/healthz", get(self._readyz)),
                ("/metrics", get(self._page)),
            ],
        )

    # -- life

    async def _start(self) -> None:
        client = await self.broker.connect()
        self._js: JetStreamContext = client.jetstream(timeout=5)
        await self._await_consumers()
        self._hints = StopHints(client)
        self._counts = CountsFeed(self._js, self._craft.name, self._craft.counts)
        ledger = JetStreamLedger(self._js, self._craft.ledger)
        self._accounts = {
            name: self._account(client, ledger, name, bot) for name, bot in self._settings.accounts.items()
        }
        running = (self._hints.listen(), self._greet(), self._metrics.lag.watch())
        self._tasks = [asyncio.create_task(each) for each in running]

    def _account(self, client: Client, ledger: JetStreamLedger, name: str, bot: BotSettings) -> Account:
        settings, owner = self._settings, f"{self._craft.name}@{socket.gethostname()}:{os.getpid()}"
        worker = Worker(
            ledger,
            owner=owner,
            lease=settings.lease,
            window=settings.window_of(bot),
            stopped=self._hints.stopped,
            on_step=self._note,
        )
        pace = KvPace(client, name, bot.rate)
        self._metrics.know(name, bot.rate, pace)
        messenger = Messenger(
            bot.token,
            base_url=settings.telegram_url,
            timeout=settings.attempt_timeout_seconds,
            paid_broadcast=bot.paid,
        )
        carrier = Carrier(
            messenger,
            Files(self._js, name, owner),
            pace,
            request_seconds=settings.attempt_timeout_seconds,
            seconds=settings.files_timeout_seconds,
            album_weight=settings.album_weight,
            upload_chat=bot.upload_chat,
        )
        return Account(worker, pace, messenger, carrier)

    async def _greet(self) -> None:
        """Say which bots these are, and open a connection for each before the first message needs it."""
        for name, account in self._accounts.items():
            try:
                log.info("bot_ready", extra={"bot": name, "username": await account.messenger.me()})
            except NoBot as error:
                log.error("bot_unavailable", extra={"bot": name, "error": str(error)})

    async def _await_consumers(self) -> None:
        """Streams and consumers are made by the api's bootstrap; wait for it rather than make our own."""
        while True:
            try:
                await self._check_consumers()
            except (JetStreamError, nats.errors.Error, TimeoutError) as error:
                log.warning("waiting_for_streams", extra={"error": str(error)})
                await asyncio.sleep(1)
            else:
                return

    async def _check_consumers(self) -> None:
        for bot in self._bots:
            for lane in self._craft.lanes:
                await self._js.consumer_info(JOBS.name, job_consumer(lane, bot).durable)

    async def _drain(self) -> None:
        """Take no more jobs and wait until those we have are handed back.

        FastStream asks for jobs until it stops and then drops what it was given: a job handed back would come to this
        very process again, and be lost until `ack_wait` is over. So NATS is told first that nobody listens here.
        """
        self._draining = True
        for account in self._accounts.values():
            account.worker.drain()
        with contextlib.suppress(TimeoutError, nats.errors.Error):
            async with asyncio.timeout(self._settings.shutdown_seconds):
                await self._stop_listening()
                await asyncio.sleep(SETTLE_SECONDS)
                await self._idle.wait()

    async def _stop_listening(self) -> None:
        client = await self.broker.connect()
        for subscriber in self.broker.subscribers:
            if isinstance(subscriber, PullStreamSubscriber) and subscriber.subscription:
                # The subscription stays on our side, or what is already on its way would have no reader.
                await client._send_unsubscribe(subscriber.subscription._sub._id)
        await client.flush()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for account in self._accounts.values():
            await account.pace.close()
            await account.messenger.close()
        await asyncio.to_thread(tracing.stop)

    async def _readyz(self, scope: object) -> AsgiResponse:
        """Ready when NATS answers, the consumers are there and the process is not on its way out."""
        if self._draining:
            return AsgiResponse(b"draining", 503)
        try:
            await asyncio.wait_for(self._check_consumers(), 2)
        except (JetStreamError, nats.errors.Error, TimeoutError) as error:
            return AsgiResponse(f"nats: {error}".encode(), 503)
        return AsgiResponse(b"ready", 200)

    async def _page(self, scope: object) -> AsgiResponse:
        return AsgiResponse(self._metrics.page(), 200, {"Content-Type": CONTENT_TYPE_LATEST})

    # -- work

    def _note(self, batch: Batch, state: Fold) -> None:
        self._counts.note(batch, state)
        self._metrics.note(batch, state)

    def _handler(self, bot: str) -> Callable[[NatsMessage], Awaitable[None]]:
        async def on_job(message: NatsMessage) -> None:
            self._busy += 1
            self._idle.clear()
            try:
                await self._handle(message, bot)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

        return on_job

    async def _handle(self, message: NatsMessage, bot: str) -> None:
        try:
            job = self._read(message, bot)
        except Malformed as error:
            log.error("job_parked", extra={"subject": message.raw_message.subject, "error": str(error)})
            await park(
                self._js,
                self._craft.name,
                message.raw_message.subject,
                message.raw_message.data,
                str(error),
                message.raw_message.headers,
            )
            await message.reject()
            return
        with about(**of_batch(job.key)):
            await self._carry_out(message, job, bot)

    async def _carry_out(self, message: NatsMessage, job: J, bot: str) -> None:
        if job.not_after < datetime.now(UTC):
            log.warning("job_expired")
            await message.ack()
            return
        parent = (message.raw_message.headers or {}).get("traceparent")
        try:
            async with keep_alive(message):
                end = await self._work(job, bot, parent)
        except Exception:
            log.exception("job_failed")
            await message.nack(delay=FAILED_RETRY_SECONDS)
            return
        match end:
            case End.HANDED_BACK:
                await message.nack()
            case End.HALTED:
                await message.nack(delay=HALTED_RETRY_SECONDS)
            case _:
                await message.ack()

    def _read(self, message: NatsMessage, bot: str) -> J:
        job = decode(self._craft.job, message.raw_message.data)
        if job.bot != bot:
            raise Malformed(f"{job.type}: bot: {job.bot!r} on the lane of {bot!r}")
        return job

    async def _work(self, job: J, bot: str, parent: str | None) -> End:
        batch = self._craft.batch(job)
        named = {**tracing.of_batch(batch.key, bot), "broadcast.recipients": len(batch.indices)}
        with tracing.continued(f"{batch.purpose} batch", parent, named, kind="CONSUMER") as note, sampled():
            with self._hints.follow(batch.key):
                account = self._accounts[bot]
                pace, attempt = self._craft.attempt(job, account)
                end = await account.worker.work(batch, pace, self._metrics.counting(bot, attempt))
            self._metrics.leave(batch.key)
            await self._counts.flush(batch.key)
            note("broadcast.end", end.value)
            log.info("batch_left", extra={"bot": bot, "end": end.value})
        return end


@contextlib.asynccontextmanager
async def keep_alive(message: NatsMessage) -> AsyncIterator[None]:
    """Tell NATS that the job is being worked on, for as long as it is."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            with contextlib.suppress(nats.errors.Error):
                await message.in_progress()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


def _security(connection: dict[str, Any]) -> NatsSecurity | None:
    tls = connection.get("tls")
    first = bool(tls)  # as `broadcast_delivery.connection` says
    if "user" in connection:
        user, password = connection["user"], connection["password"]
        return NatsUserPassword(user, password, ssl_context=tls, tls_handshake_first=first)
    return NatsSecurity(ssl_context=tls, tls_handshake_first=first) if tls else None


@get
async def livez(scope: object) -> AsgiResponse:
    """Checks nothing outside: a process that answers is alive."""
    return AsgiResponse(b"alive", 200)
