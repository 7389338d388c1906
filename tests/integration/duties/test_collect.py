"""Bytes that nothing uses are deleted after their grace, and never those that somebody is about to use."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from nats.js import JetStreamContext

from broadcast_api.adapters.vault import CHUNKS, Kept, Vault, delete, stored
from broadcast_api.domain.call import SYSTEM
from broadcast_api.duties.collect import Collector
from broadcast_contracts import Counts, File, FileKind
from tests.integration.duties.stage import Stage
from tests.support.nats import NatsServer

GRACE = 100.0


@dataclass
class Shelf:
    """Files in the object store, and a collector with a clock of its own."""

    js: JetStreamContext
    stage: Stage
    vault: Vault
    time: float = 0.0
    collector: Collector = field(init=False)

    def __post_init__(self) -> None:
        self.collector = Collector(self.js, self.stage.database, GRACE, lambda: self.time)

    async def keep(self, content: bytes) -> Kept:
        return await self.vault.keep(hashlib.sha256(content).hexdigest(), len(content), io.BytesIO(content))

    async def broadcast(self, content: bytes) -> UUID:
        """A broadcast with this file."""
        kept = await self.keep(content)
        file = File(
            sha256=kept.sha256, name="a.pdf", kind=FileKind.DOCUMENT, media_type="application/pdf", size=len(content)
        )
        id = self.stage.broadcast()
        broadcast = self.stage.store.broadcast(id)
        broadcast.attach(file, 10, SYSTEM)
        self.stage._stored(broadcast)
        return id

    async def after(self, seconds: float) -> int:
        """How many objects are left when so much time has passed, looked at before and after."""
        await self.collector.step()
        self.time += seconds
        await self.collector.step()
        return len((await stored(self.js))[0])


@pytest.fixture
async def shelf(js: JetStreamContext, stage: Stage, nats_server: NatsServer) -> AsyncIterator[Shelf]:
    vault = Vault({"servers": nats_server.url})
    yield Shelf(js, stage, vault)
    await vault.close()


async def test_what_nothing_uses_goes_when_its_grace_is_over(shelf: Shelf) -> None:
    await shelf.keep(b"unused" * 50_000)
    assert [await shelf.after(GRACE - 1), await shelf.after(1)] == [1, 0]
    assert await stored(shelf.js) == (set(), set())


async def test_the_file_of_a_broadcast_stays_until_it_is_deleted(shelf: Shelf) -> None:
    id = await shelf.broadcast(b"used")
    assert await shelf.after(10 * GRACE) == 1
    shelf.stage.press("delete", id)
    assert await shelf.after(GRACE) == 0


async def test_a_file_that_was_taken_away_goes_and_one_attached_again_meanwhile_stays(shelf: Shelf) -> None:
    id = await shelf.broadcast(b"once")
    broadcast = shelf.stage.store.broadcast(id)
    file = broadcast.draft.files[0]
    broadcast.remove_file(file.sha256, SYSTEM)
    shelf.stage._stored(broadcast)
    assert await shelf.after(GRACE - 1) == 1
    broadcast.attach(file, 10, SYSTEM)
    shelf.stage._stored(broadcast)
    assert await shelf.after(10 * GRACE) == 1


async def test_the_files_of_a_run_stay_while_it_may_still_send(shelf: Shelf) -> None:
    id = await shelf.broadcast(b"sent")
    shelf.stage.people(1)
    shelf.stage.press("send", id)
    assert await shelf.after(10 * GRACE) == 1
    shelf.stage.press("stop", id)
    shelf.stage.runs.record_stopped(id, 1, 1, Counts(total=1, pending=1))
    assert await shelf.after(10 * GRACE) == 1


async def test_storing_the_same_bytes_again_begins_a_new_grace(shelf: Shelf) -> None:
    await shelf.keep(b"again")
    await shelf.after(GRACE - 1)
    await shelf.keep(b"again")
    assert await shelf.after(2) == 1


async def test_what_was_stored_again_after_it_was_seen_unused_is_not_deleted(shelf: Shelf) -> None:
    old = await shelf.keep(b"raced")
    new = await shelf.keep(b"raced")
    assert (old.created, new.created) == (True, False)
    assert not await delete(shelf.js, old)
    assert await shelf.vault.read(old.sha256) == b"raced"


async def test_chunks_without_a_head_go_too(shelf: Shelf) -> None:
    await shelf.broadcast(b"used")
    await shelf.js.publish(CHUNKS + "killed", b"half of a file")
    assert await shelf.after(GRACE) == 1
    names, chunks = await stored(shelf.js)
    assert (len(names), len(chunks)) == (1, 1)


async def test_what_was_refused_after_its_bytes_were_kept_is_forgotten_unless_it_is_used(shelf: Shelf) -> None:
    for content in (b"mine", b"shared"):
        kept = await shelf.keep(content)
        if content == b"shared":
            await shelf.keep(content)
        await shelf.vault.forget(kept)
    names, chunks = await stored(shelf.js)
    assert names == {hashlib.sha256(b"shared").hexdigest()}
    assert len(chunks) == 1
