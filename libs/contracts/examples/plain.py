"""Follow every broadcast with nats-py: `python plain.py nats://host:4222 NAME [SEQUENCE or ISO TIME] [--once]`.

The place in the stream is kept by JetStream under NAME; where to begin is read only when NAME is new. The last
event of each broadcast is kept in NAME.db, in the transaction of whatever else you do about it: a repeat does nothing.
"""

import asyncio
import sqlite3
import sys

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
            print(
                "lost: events", row[0] + 1, "to", event.version - 1, "- read the broadcast over HTTP", file=sys.stderr
            )
        database.execute(SEEN, [str(event.broadcast_id), event.version, event.name])
        print(event.broadcast_id, event.version, event.name, flush=True)


async def main(url: str, name: str, start: str = "", *, once: bool) -> None:
    (database := sqlite3.connect(f"{name}.db")).execute(TABLE)
    client = await nats.connect(url, max_reconnect_attempts=-1)
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
    asyncio.run(main(*[one for one in sys.argv[1:] if one != "--once"], once="--once" in sys.argv))
