"""What `nats stream backup` and `nats stream restore` ask of a server, for a stream that fits into memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client

CHUNK_BYTES = 128 * 1024
WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Backup:
    """A stream at one moment: its configuration and state, and the chunks of what the server packed."""

    stream: str
    described: dict[str, Any]
    chunks: Sequence[bytes]


async def back_up(client: Client, stream: str) -> Backup:
    """The stream may be in use."""
    inbox, chunks = client.new_inbox(), list[bytes]()
    arriving = await client.subscribe(inbox)
    described = await _ask(
        client,
        f"$JS.API.STREAM.SNAPSHOT.{stream}",
        json.dumps({"deliver_subject": inbox, "chunk_size": CHUNK_BYTES}).encode(),
    )
    while (message := await arriving.next_msg(WAIT_SECONDS)).data:
        chunks.append(message.data)
        if message.reply:  # the server goes on when it is answered
            await message.respond(b"")
    await arriving.unsubscribe()
    return Backup(stream, {name: described[name] for name in ("config", "state")}, chunks)


async def restore(client: Client, backup: Backup) -> None:
    """Where no stream of that name is; raises AssertionError with what the server says."""
    wanted = json.dumps(backup.described).encode()
    subject = (await _ask(client, f"$JS.API.STREAM.RESTORE.{backup.stream}", wanted))["deliver_subject"]
    for chunk in backup.chunks:
        await client.request(subject, chunk, timeout=WAIT_SECONDS)
    await _ask(client, subject, b"")


async def _ask(client: Client, subject: str, body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((await client.request(subject, body, timeout=WAIT_SECONDS)).data)
    assert "error" not in answer, answer
    return answer
