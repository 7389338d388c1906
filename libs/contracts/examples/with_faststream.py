"""Follow every broadcast with FastStream: `NATS_URL=nats://USER:PASSWORD@host:4222 python with_faststream.py`.

The durable consumer `my-service` keeps the place in the stream; where to begin (here: the first message that is kept)
counts only when it is made. Give `DeliverPolicy.BY_START_SEQUENCE` and `opt_start_seq`, or `BY_START_TIME` and
`opt_start_time`, to begin elsewhere.
"""

import asyncio
import logging
import os
import sqlite3
from urllib.parse import urlsplit

from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.js.api import ConsumerConfig, DeliverPolicy

from broadcast_contracts import BroadcastEvent, decode_event

TABLE = "CREATE TABLE IF NOT EXISTS seen (broadcast TEXT PRIMARY KEY, version INTEGER, last TEXT)"
SEEN = "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, last = excluded.last"

log = logging.getLogger("my-service")
url = os.environ["NATS_URL"]
inbox = f"_INBOX_{urlsplit(url).username}"  # the only one in which this user may receive answers
broker = NatsBroker(url, inbox_prefix=inbox, max_reconnect_attempts=-1)
app = FastStream(broker)
database = sqlite3.connect("my-service.db", check_same_thread=False)
database.execute(TABLE)


@broker.subscriber(
    "broadcasts.event.>",
    stream=JStream("BROADCASTS", declare=False),  # the stream is the platform's: never declare it
    durable="my-service",
    pull_sub=PullSub(batch_size=1),
    inbox_prefix=f"{inbox}.".encode(),  # the broker's does not reach a pull consumer
    config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_wait=30, max_ack_pending=1),
    ack_policy=AckPolicy.NACK_ON_ERROR,  # FastStream's default would drop a message whose handler failed
)
async def on_event(message: NatsMessage) -> None:
    """One at a time, so that the order holds through redeliveries."""
    if event := decode_event(message.headers.get("ce-type", ""), message.body):
        take(event)


def take(event: BroadcastEvent) -> None:
    """Everything about one event, in one transaction: a repeat does nothing."""
    with database:
        row = database.execute("SELECT version FROM seen WHERE broadcast = ?", [str(event.broadcast_id)]).fetchone()
        if row and event.version <= row[0]:
            return
        if row and event.version > row[0] + 1:
            log.warning("lost: events %s to %s - read the broadcast over HTTP", row[0] + 1, event.version - 1)
        database.execute(SEEN, [str(event.broadcast_id), event.version, event.name])


if __name__ == "__main__":
    asyncio.run(app.run())
