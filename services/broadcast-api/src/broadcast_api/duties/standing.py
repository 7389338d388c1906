"""How far behind the system is, for Prometheus: looked up every few seconds by the replica that leads."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError
from sqlalchemy import func, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import deliveries, exceptional, positions, runs
from broadcast_api.duties.relay import READER
from broadcast_contracts import Outcome
from broadcast_contracts.topology import (
    LANES,
    LEDGER,
    PROJECTION,
    RECALL_LEDGER,
    RECALL_PROJECTION,
    Consumer,
    Lane,
    job_consumer,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """As of a moment ago. Bytes of a ledger stream come with the size at which it refuses.

    `ledger_seconds` is the age of the oldest ledger record that is not projected, 0 where all are.
    """

    jobs: dict[tuple[str, Lane], int] = field(default_factory=dict)
    unconfirmed: dict[str, int] = field(default_factory=dict)
    unpublished: int = 0
    unprojected: int = 0
    ledger_seconds: float = 0.0
    ledgers: dict[str, tuple[int, int]] = field(default_factory=dict)


PROJECTIONS = (PROJECTION, RECALL_PROJECTION)


def _waiting(info: ConsumerInfo) -> int:
    """Not delivered yet, or delivered and not acknowledged."""
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


class Lookout:
    """`look` answers how things stand. Raises errors of NATS and SQL."""

    def __init__(self, js: JetStreamContext, database: Database, store: EventStore, bots: tuple[str, ...]) -> None:
        self._js, self._database, self._store, self._bots = js, database, store, bots

    async def look(self) -> Standing:
        lanes = [(bot, lane) for bot in self._bots for lane in LANES]
        projections = [await self._consumer(projection) for projection in PROJECTIONS]
        unconfirmed, unpublished = await asyncio.to_thread(self._in_sql)
        return Standing(
            jobs={(bot, lane): _waiting(await self._consumer(job_consumer(lane, bot))) for bot, lane in lanes},
            unconfirmed=unconfirmed,
            unpublished=unpublished,
            unprojected=sum(map(_waiting, projections)),
            ledger_seconds=max([await self._oldest(projection) for projection in projections]),
            ledgers={stream.name: await self._bytes(stream.name) for stream in (LEDGER, RECALL_LEDGER)},
        )

    async def _consumer(self, consumer: Consumer) -> ConsumerInfo:
        info: ConsumerInfo = await self._js.consumer_info(consumer.stream, consumer.durable)
        return info

    async def _oldest(self, info: ConsumerInfo) -> float:
        """Seconds since what is not acknowledged was stored, by NATS' clock against ours."""
        after = info.ack_floor.stream_seq if info.ack_floor else 0
        try:
            message = await self._js.get_msg(
                info.stream_name, seq=after + 1, subject=info.config.filter_subject, next=True
            )
        except NotFoundError:
            return 0.0
        return max(0.0, (datetime.now(UTC) - message.time).total_seconds()) if message.time else 0.0

    async def _bytes(self, stream: str) -> tuple[int, int]:
        info = await self._js.stream_info(stream)
        return info.state.bytes, info.config.max_bytes or 0

    def _in_sql(self) -> tuple[dict[str, int], int]:
        with self._database.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(_DOUBTFUL)}
            last = connection.scalar(_PUBLISHED) or 0
        return found, max(0, self._store.max_notification_id() - last)


_DOUBTFUL = (
    select(runs.c.bot, func.count())
    .join(deliveries, deliveries.c.run_id == runs.c.id)
    .where(runs.c.unconfirmed > 0, exceptional)
    .where(deliveries.c.outcome == Outcome.UNCONFIRMED.value, deliveries.c.answer.is_(None))
    .group_by(runs.c.bot)
)
_PUBLISHED = select(positions.c.notification_id).where(positions.c.reader == READER)
