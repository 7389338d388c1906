"""What files cost: uploaded to Telegram once, then as fast as the slots allow, in little memory."""

import hashlib
from dataclasses import dataclass

from tests.bench.parts import enter_emulated_people, peak_megabytes, span, system
from tests.bench.report import Table, ratio
from tests.support.system import System

MIB = 1024**2
FILES, FILE_BYTES = 10, 5 * MIB


@dataclass(frozen=True)
class Cost:
    """Bytes that left for Telegram, MB of the dispatcher at its peak, messages a second of the album and of a text."""

    uploaded: int
    memory: float
    album_rate: float
    text_rate: float


async def run(people: int, rate: float, file_bytes: int = FILE_BYTES) -> Cost:
    """Ten documents to everybody, beside a text to the same people."""
    async with system(rate=rate, people=people) as running:
        await enter_emulated_people(running)
        everyone = await running.audience()
        text = await running.broadcast(everyone, "plain")
        await running.press("send", text)
        await running.until_status(text, "sent", 300)
        count, seconds = await span(running, "plain")
        album = await running.broadcast(everyone, "album")
        for n in range(FILES):
            await attach(running, album, n, file_bytes)
        await running.press("send", album)
        sent = await running.until_status(album, "sent", 600)
        assert sent["counts"]["delivered"] == people
        albums, album_seconds = await span(running, "album")
        dispatcher = running.stack.parts["dispatcher-0"].pid
        assert dispatcher is not None
        totals = await running.totals()
        assert totals["uploads"] == FILES
        return Cost(
            totals["uploaded_bytes"],
            peak_megabytes(dispatcher),
            albums * FILES / album_seconds,
            count / seconds,
        )


async def attach(running: System, broadcast: str, n: int, size: int) -> None:
    """A document that is like no other."""
    body = b"%PDF-1.7\n" + hashlib.shake_256(f"file {n}".encode()).digest(size - 9)
    address = f"{running.api_url}/v1/broadcasts/{broadcast}/attachments"
    answer = await running.http.post(address, files={"file": (f"file {n}.pdf", body)})
    assert answer.status_code == 201, answer.text


async def measure() -> Table:
    """The table."""
    people, rate = 1000, 100.0
    cost = await run(people, rate)
    once = FILES * FILE_BYTES
    return Table(
        "files",
        "Files",
        f"{FILES} documents of 5 MB to {people:,} people at {rate:.0f} messages a second; an album takes a slot for"
        " each of its messages. The first recipient's request carries the bytes, and everybody else waits for it.",
        ("", "", "ratio"),
        (
            ("bytes uploaded", f"{cost.uploaded / MIB:.1f} MiB", f"{ratio(cost.uploaded / once)} to the files once"),
            ("messages/s in albums", f"{cost.album_rate:.0f}", f"{ratio(cost.album_rate / cost.text_rate)} to texts"),
            ("peak memory of the dispatcher", f"{cost.memory:.0f} MB", ""),
        ),
    )
