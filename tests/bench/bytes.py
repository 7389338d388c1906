"""`python -m tests.bench.bytes`: what one recipient, one batch and one event cost in bytes, for docs/scale.md."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import psycopg
from nats.js import JetStreamContext
from sqlalchemy import insert

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import deliveries
from broadcast_contracts import (
    PUBLIC_EVENTS,
    BatchKey,
    Content,
    Outcome,
    ProgressV1,
    Result,
    SealV1,
    SendCountsV1,
    SendJobV1,
)
from broadcast_contracts.topology import (
    BROADCASTS,
    COUNTS,
    JOBS,
    LEDGER,
    Stream,
    counts_subject,
    event_subject,
    job_subject,
    ledger_subject,
)
from broadcast_delivery.publish import publish
from broadcast_delivery.topology import ensure
from deploy.contract.schemas import example
from tests.support.nats import NatsServer
from tests.support.postgres import PostgresServer

BATCH, BATCHES, WINDOW, ROWS = 250, 40, 25, 200_000
PEOPLE, BOTS = 100_000_000, 100
JOBS_AT_ONCE = BOTS * 4 * BATCH  # the planner keeps at most 4 batches of a run outstanding; one run for each bot
AT = 1_795_512_600
TEXT = "Завтра в 9:00 собрание. " * 40


async def on_nats() -> list[tuple[str, float, int]]:
    """Bytes of each stream, by what they are for, as the server counts them; and how many 100 million people take."""
    folder = Path(tempfile.mkdtemp(prefix="bytes-"))
    server = NatsServer(folder)
    server.start()
    client = await nats.connect(server.url)
    try:
        return await _measured(client.jetstream(timeout=10))
    finally:
        await client.close()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _measured(js: JetStreamContext) -> list[tuple[str, float, int]]:
    await ensure(js, ("main",))
    broadcast = uuid4()
    for kind in PUBLIC_EVENTS:
        payload = {**example(kind), **({"text": TEXT} if "text" in kind.model_fields else {})}
        event = kind.model_validate(payload)
        subject = event_subject(kind.name, broadcast)
        await publish(js, subject, event, message_id=uuid4().hex, source="/broadcast-api", about=str(broadcast))
    for batch in range(BATCHES):
        await _batch(js, BatchKey(broadcast, 1, batch))
    open_ledger = await _bytes(js, LEDGER)
    for batch in range(BATCHES):
        await _seal(js, BatchKey(broadcast, 1, batch))
    recipients = BATCH * BATCHES
    return [
        ("event, average of all kinds", await _bytes(js, BROADCASTS) / len(PUBLIC_EVENTS), 1_000),
        ("counts, a batch", await _bytes(js, COUNTS) / BATCHES, PEOPLE // BATCH),
        ("job, a recipient (until it is done)", await _bytes(js, JOBS) / recipients, JOBS_AT_ONCE),
        ("ledger before the seal, a recipient", open_ledger / recipients, JOBS_AT_ONCE),
        ("ledger after the seal, a recipient", await _bytes(js, LEDGER) / recipients, PEOPLE),
    ]


async def _bytes(js: JetStreamContext, stream: Stream) -> int:
    return (await js.stream_info(stream.name)).state.bytes


def _result(i: int, window: int) -> Result:
    return Result(i=i, window=window, outcome=Outcome.DELIVERED, at=AT, messages=[1_000_000 + i])


async def _batch(js: JetStreamContext, key: BatchKey) -> None:
    """A batch as a dispatcher leaves it: its job, its windows, its counts."""
    source, subject = "dispatcher", ledger_subject(LEDGER, key)
    chats = [5_000_000_000 + i for i in range(BATCH)]
    job: Any = {**example(SendJobV1), "broadcast_id": key.broadcast_id, "batch": key.batch}
    job |= {"content": Content(text=TEXT), "chats": chats}
    await publish(js, job_subject("send", "main", key), SendJobV1(**job), message_id=str(key), source=source)
    done: list[Result] = []
    for start in range(0, BATCH + 1, WINDOW):
        opened = list(range(start, min(start + WINDOW, BATCH)))
        record = ProgressV1(nonce=uuid4().hex, owner="dispatcher@host-name:17:ab12cd34", opened=opened, results=done)
        await js.publish(subject, record.model_dump_json(exclude_defaults=True).encode(), headers=_headers(record))
        done = [_result(i, 1_000_000) for i in opened]
    counts = SendCountsV1(**{**example(SendCountsV1), "broadcast_id": key.broadcast_id, "batch": key.batch})
    subject = counts_subject("send", key)
    await publish(js, subject, counts, message_id=f"{subject}:{key.batch}", source=source, about=str(key.broadcast_id))


async def _seal(js: JetStreamContext, key: BatchKey) -> None:
    record = SealV1(nonce=uuid4().hex, results=[_result(i, 0) for i in range(BATCH)])
    body = record.model_dump_json(exclude_defaults=True).encode()
    await js.publish(ledger_subject(LEDGER, key), body, headers={**_headers(record), "Nats-Rollup": "sub"})


def _headers(record: ProgressV1 | SealV1) -> dict[str, str]:
    return {"Nats-Msg-Id": record.nonce, "ce-type": record.type}


def on_sql() -> Iterator[tuple[str, float, int]]:
    """Bytes of a delivered row of `deliveries`, its indices included."""
    folder = Path(tempfile.mkdtemp(prefix="bytes-"))
    server = PostgresServer(folder)
    server.start()
    try:
        (folder / "lite").mkdir()
        lite = folder / "lite" / "broadcasts.db"
        yield "row of deliveries, SQLite", _filled(f"sqlite:///{lite}", lambda: lite.stat().st_size), PEOPLE
        url = server.dsn.replace("postgresql://", "postgresql+psycopg://")
        yield "row of deliveries, PostgreSQL", _filled(url, lambda: _relation(server.dsn)), PEOPLE
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _relation(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM deliveries")
        row = connection.execute("SELECT pg_total_relation_size('deliveries')").fetchone()
    return int(row[0]) if row else 0


def _filled(url: str, size: Any) -> float:
    database = Database(url)
    database.create_schema()
    empty = size()
    for start in range(0, ROWS, 10_000):
        rows = [
            {"run_id": 1, "position": i, "recipient_id": i, "chat_id": 5_000_000_000 + i}
            | {"outcome": "delivered", "message_ids": str(1_000_000 + i), "sent_at": AT}
            for i in range(start, start + 10_000)
        ]
        with database.write() as connection:
            connection.execute(insert(deliveries), rows)
    database.close()
    return float(size() - empty) / ROWS


def main() -> None:
    """One line each: bytes, how many there are at 100 bots and 100 million people, megabytes."""
    for name, size, many in (*asyncio.run(on_nats()), *on_sql()):
        print(f"{name:42} {size:6.0f} {many:12,} {size * many / 1e6:9,.1f} MB")


if __name__ == "__main__":
    main()
