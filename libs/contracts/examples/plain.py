"""Follow every broadcast with nats-py: `NATS_URL=nats://USER:PASSWORD@host:4222 python plain.py NAME [BEGIN]`.

JetStream keeps the place under NAME; BEGIN counts only when NAME is new. The last event of each broadcast is kept in
NAME.db, in the transaction of whatever else you do about it: a repeat does nothing. USER has an inbox of its own.
"""

import asyncio
import os
import sqlite3
import sys
from urllib.parse import urlsplit

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

from broadcast_contracts import BroadcastEvent, decode_event

TABLE = "CREATE TABLE IF NOT EXISTS seen (broadcast TEXT PRIMARY KEY, version INTEGER, last TEXT)"
SEEN = "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, last = excluded.last"


def begin(given: str) -> ConsumerConfig:
    """From the first message that is kept, a sequence of the stream, or a time such as 2026-11-24T09:00:00Z."""
    strictly = ConsumerConfig(ack_wait=30, max_ack_pending=1)  # one at a time keeps the order through redeliveries
    if not given or given.isdigit():
        return strictly.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=int(given or 1))
    return strictly.evolve(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=given)


def take(database: sqlite3.Connection, event: BroadcastEvent) -> None:
    """Everything about one event, in one transaction."""
    with database:
        row = database.execute("SELECT version FROM seen WHERE broadcast = ?", [str(event.broadcast_id)]).fetchone()
        if row and event.version <= row[0]:
            return  # come again
        if row and event.version > row[0] + 1:
            print(f"lost: events {row[0] + 1} to {event.version - 1} - read the broadcast over HTTP", file=sys.stderr)
        database.execute(SEEN, [str(event.broadcast_id), event.version, event.name])
        print(event.broadcast_id, event.version, event.name, flush=True)


async def main(url: str, name: str, start: str = "", once: str = "") -> None:
    (database := sqlite3.connect(f"{name}.db")).execute(TABLE)
    client = await nats.connect(url, inbox_prefix=f"_INBOX_{urlsplit(url).username}", max_reconnect_attempts=-1)
    events = await client.jetstream().pull_subscribe("broadcasts.event.>", name, "BROADCASTS", begin(start))
    while True:
        try:
            (message,) = await events.fetch(1, timeout=1 if once else 30)
        except TimeoutError:
            if once:
                return await client.close()
            continue
        if event := decode_event((message.headers or {}).get("ce-type", ""), message.data):
            take(database, event)
        await message.ack()


if __name__ == "__main__":
    asyncio.run(main(os.environ["NATS_URL"], *sys.argv[1:]))
