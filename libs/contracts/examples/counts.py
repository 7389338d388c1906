"""How a broadcast stands, in one request, however late: `NATS_URL=nats://USER:PASSWORD@host:4222 python counts.py ID`.

COUNTS keeps the newest message of each batch. A direct get of the last message of every matching subject answers with
all of them; above 1,024 batches the server answers 413 and a `last_per_subject` consumer reads the same, which is what
`follow` does: it also goes on with whatever changes.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy

from broadcast_contracts import SendCountsV1, decode


async def snapshot(client: Client, broadcast_id: str) -> list[SendCountsV1]:
    """The newest counts of every batch of every run. Raises ValueError above 1,024 batches: use `follow`."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    wanted = {"multi_last": [f"broadcasts.counts.send.{broadcast_id}.>"]}
    await client.publish("$JS.API.DIRECT.GET.COUNTS", json.dumps(wanted).encode(), reply=inbox)
    found = list[SendCountsV1]()
    while (answer := await answers.next_msg(5)) and (answer.headers or {}).get("Status") is None:
        found.append(decode(SendCountsV1, answer.data))
    await answers.unsubscribe()
    if (status := (answer.headers or {})["Status"]) not in ("204", "404"):  # the end of the answers; no such batch
        raise ValueError(f"{status} {(answer.headers or {}).get('Description')}")
    return found


async def follow(client: Client, broadcast_id: str) -> AsyncIterator[SendCountsV1]:
    """The newest counts of every batch, then every change; ignore a `version` not above the one you have."""
    newest = ConsumerConfig(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT)
    subject = f"broadcasts.counts.send.{broadcast_id}.>"
    counts = await client.jetstream().subscribe(subject, stream="COUNTS", config=newest, ordered_consumer=True)
    async for message in counts.messages:
        yield decode(SendCountsV1, message.data)


async def main(url: str, broadcast_id: str) -> None:
    # The only inbox in which this user may receive answers.
    client = await nats.connect(url, inbox_prefix=f"_INBOX_{urlsplit(url).username}")
    batches = await snapshot(client, broadcast_id)
    run = [one for one in batches if one.run == max((batch.run for batch in batches), default=0)]
    for field in ("total", "delivered", "failed", "unconfirmed", "skipped", "pending"):
        print(field, sum(getattr(batch, field) for batch in run))
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(os.environ["NATS_URL"], sys.argv[1]))
