"""A content of several requests, from the object store to the chat: every way it can go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from pydantic import SecretStr

from broadcast_contracts import Cause, Content, File, FileIdV1, FileKind, Outcome, encode
from broadcast_contracts.topology import ATTACHMENTS, FILES, file_key
from broadcast_delivery import Verdict
from broadcast_delivery.topology import ensure
from broadcast_telegram.carrier import Carrier
from broadcast_telegram.files import Files
from broadcast_telegram.messenger import Messenger
from broadcast_telegram.pacing import KvPace
from broadcast_telegram.plan import plan
from tests.support.files import file_of, stored
from tests.support.nats import NatsServer, nats_server  # noqa: F401
from tests.telegram_emulator import Emulator, Limits

TOKEN = "42:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
PHOTO, VIDEO, AUDIO, DOCUMENT = FileKind


@dataclass
class Held:
    """An attempt whose owner is alive and whose run goes on, unless a test says otherwise."""

    covered: bool = True
    wanted: bool = True

    def covers(self, seconds: float) -> bool:
        return self.covered


@dataclass
class World:
    """One bot, its Telegram and as many processes as a test wants."""

    emulator: Emulator
    url: str
    js: JetStreamContext
    stack: AsyncExitStack
    nats_url: str
    hold: Held = field(default_factory=Held)

    def __post_init__(self) -> None:
        self.bot = self.emulator.emulation.world.bots[TOKEN]
        self.chat, *self.others = [person.id for person in self.emulator.emulation.add_people(12)]

    async def process(self, **more: Any) -> Carrier:
        """A carrier as a process of its own has it."""
        client = await nats.connect(self.nats_url)
        self.stack.push_async_callback(client.close)
        messenger = Messenger(SecretStr(TOKEN), base_url=self.url, timeout=2.0)
        self.stack.push_async_callback(messenger.close)
        pace = KvPace(client, "main", 0)
        self.stack.push_async_callback(pace.close)
        await asyncio.sleep(0.2)
        while pace.paused:  # the key of the pace was just made
            await asyncio.sleep(0.05)
        files = Files(client.jetstream(), "main", f"process {id(client)}")
        return Carrier(messenger, files, pace, **{"request_seconds": 2.0, "seconds": 8.0, **more})

    async def content(self, *kinds: FileKind, text: str = "Завтра", size: int = 2_000) -> Content:
        files = [await stored(self.js, kind, n, size) for n, kind in enumerate(kinds)]
        return Content(text=text, files=tuple(files))

    def fails(self, kind: str, **more: Any) -> None:
        self.emulator.emulation.faults.add({"kind": kind, **more})

    def seen(self, chat: int | None = None) -> list[tuple[str, str]]:
        """What the person has: kinds and texts, in order."""
        history, chat = self.bot.history, chat or self.chat
        left = [history.current(each) for each in history.of_chat(chat) if history.in_chat(chat, each)]
        return [(content.kind, content.text) for content in left]

    def calls(self, method: str) -> int:
        return self.bot.calls.get(method, 0)


@pytest.fixture
async def world(nats_server: NatsServer) -> AsyncIterator[World]:  # noqa: F811
    emulator = Emulator(TOKEN, limits=Limits(rate=0))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(emulator.serve())
        client = await nats.connect(nats_server.url)
        stack.push_async_callback(client.close)
        await ensure(client.jetstream(), ("main",))
        yield World(emulator, url, client.jetstream(), stack, nats_server.url)


async def carry(carrier: Carrier, content: Content, chat: int, world: World) -> Verdict:
    return await carrier.carry(content, plan(content), chat, world.hold)


@pytest.mark.parametrize(
    ("kinds", "text", "expected"),
    [
        ([PHOTO], "hi", [("photo", "hi")]),
        ([VIDEO], "", [("video", "")]),
        ([DOCUMENT] * 2, "hi", [("document", "hi"), ("document", "")]),
        ([AUDIO, PHOTO], "hi", [("audio", "hi"), ("photo", "")]),
        ([DOCUMENT] * 10, "", [("document", "")] * 10),
        (
            [PHOTO] * 3 + [DOCUMENT] * 2,
            "x" * 1025,
            [("text", "x" * 1025), *[("photo", "")] * 3, *[("document", "")] * 2],
        ),
    ],
    ids=["photo", "silent video", "documents", "mixture", "ten documents", "long text"],
)
async def test_every_mixture_arrives_whole_and_every_message_is_known(
    world: World, kinds: Sequence[FileKind], text: str, expected: list[tuple[str, str]]
) -> None:
    verdict = await carry(await world.process(), await world.content(*kinds, text=text), world.chat, world)
    assert world.seen() == expected
    assert verdict == Verdict(Outcome.DELIVERED, tuple(world.bot.history.of_chat(world.chat)))


async def test_a_file_is_uploaded_once_for_all_recipients_of_all_processes(world: World) -> None:
    one, other = await world.process(), await world.process()
    content = await world.content(PHOTO, PHOTO, DOCUMENT)
    chats = [world.chat, *world.others]
    verdicts = await asyncio.gather(*(carry((one, other)[n % 2], content, chat, world) for n, chat in enumerate(chats)))
    assert {verdict.outcome for verdict in verdicts} == {Outcome.DELIVERED}
    assert world.bot.uploads == 3
    assert world.bot.uploaded_bytes == sum(file.size for file in content.files)
    assert all(world.seen(chat) == [("photo", "Завтра"), ("photo", ""), ("document", "")] for chat in chats)


async def test_what_others_see_is_the_name_it_was_attached_under(world: World) -> None:
    carrier, file = await world.process(), await stored(world.js, DOCUMENT, 1)
    renamed = file.model_copy(update={"name": "План на год.pdf"})
    for each in (file, renamed):
        await carry(carrier, Content(text="", files=(each,)), world.chat, world)
    names = [content.file.name for content in world.bot.history.contents if content.file]
    assert names == ["document 1.pdf", "План на год.pdf"]


async def test_a_file_id_that_telegram_rejects_is_uploaded_anew_once(world: World) -> None:
    carrier, content = await world.process(), await world.content(DOCUMENT)
    await carry(carrier, content, world.chat, world)
    world.bot.files.clear()
    verdicts = await asyncio.gather(*(carry(carrier, content, chat, world) for chat in world.others))
    assert {verdict.outcome for verdict in verdicts} == {Outcome.DELIVERED}
    assert world.bot.uploads == 2


async def test_ids_that_became_worthless_are_replaced_while_everybody_uses_them(world: World) -> None:
    one, other = await world.process(), await world.process()
    album = await world.content(*[DOCUMENT] * 10)
    for carrier in (one, other):
        await carry(carrier, album, world.chat, world)
    world.bot.files.clear()

    async def later(n: int, chat: int) -> Outcome:
        await asyncio.sleep(n * 0.003)  # some come while others are still learning that the ids are worthless
        return (await carry((one, other)[n % 2], album, chat, world)).outcome

    assert {await each for each in asyncio.as_completed(map(later, range(11), world.others))} == {Outcome.DELIVERED}


async def test_what_a_process_remembers_and_what_the_bucket_has_may_both_have_become_worthless(world: World) -> None:
    one, other, content = await world.process(), await world.process(), await world.content(DOCUMENT)
    for carrier, chat in ((one, world.chat), (other, world.others[0]), (one, world.others[1])):
        assert (await carry(carrier, content, chat, world)).outcome is Outcome.DELIVERED
        world.bot.files.clear()
    assert world.bot.uploads == 3


async def test_worthless_ids_among_new_files_refuse_nothing_and_cost_few_uploads(world: World) -> None:
    processes = [await world.process(seconds=60.0) for _ in range(2)]
    old = await stored(world.js, DOCUMENT, 99, 2000)
    for n in range(3):
        new = [await stored(world.js, DOCUMENT, 100 * (n + 1) + k, 2000) for k in range(2)]
        content, before = Content(text="", files=(new[0], old, new[1])), world.bot.uploads
        chats = enumerate([world.chat, *world.others] * 2)
        verdicts = await asyncio.gather(*(carry(processes[k % 2], content, chat, world) for k, chat in chats))
        assert {verdict.outcome for verdict in verdicts} == {Outcome.DELIVERED}
        assert world.bot.uploads - before <= len(content.files) * len(processes) * 2
        world.bot.files.clear()


async def test_a_bucket_that_was_lost_counts_from_one_again_and_holds_up_nobody(world: World) -> None:
    carrier, content = await world.process(), await world.content(DOCUMENT, DOCUMENT)
    for chat in world.others[:3]:
        await carry(carrier, content, chat, world)
        world.bot.files.clear()
    await world.js.delete_key_value(FILES.name)
    await ensure(world.js, ("main",))
    assert (await carry(carrier, content, world.chat, world)).outcome is Outcome.DELIVERED
    more = content.model_copy(update={"files": (*content.files, await stored(world.js, DOCUMENT, 9))})
    async with asyncio.timeout(5):
        assert (await carry(carrier, more, world.others[3], world)).outcome is Outcome.DELIVERED


async def test_a_file_id_that_is_always_rejected_refuses_the_content(world: World) -> None:
    carrier, content = await world.process(), await world.content(DOCUMENT)
    await carry(carrier, content, world.chat, world)
    world.fails("file_id_rejected")
    verdict = await carry(carrier, content, world.others[0], world)
    assert (verdict.outcome, verdict.halt) == (Outcome.UNATTEMPTED, Cause.CONTENT_REFUSED)


async def test_a_missing_object_refuses_the_content_and_blames_nobody(world: World) -> None:
    verdict = await carry(await world.process(), Content(text="", files=(file_of(PHOTO, 1),)), world.chat, world)
    assert (verdict.outcome, verdict.halt) == (Outcome.UNATTEMPTED, Cause.CONTENT_REFUSED)
    assert "photo 1.png" in verdict.reason
    assert "attach it again" in verdict.reason
    assert world.seen() == []


async def test_a_claimer_that_died_is_taken_over_after_its_time(world: World) -> None:
    content = await world.content(DOCUMENT)
    bucket = await world.js.key_value(FILES.name)
    now = world.emulator.emulation.clock.now()
    claim = FileIdV1(uploading_by="gone", until=now + 1.5)
    await bucket.put(file_key("main", content.files[0]), encode(claim))
    verdict = await carry(await world.process(), content, world.chat, world)
    assert verdict.outcome is Outcome.DELIVERED
    assert world.emulator.emulation.clock.now() >= claim.until


async def test_nobody_waits_for_an_upload_after_a_stop(world: World) -> None:
    content = await world.content(DOCUMENT)
    bucket = await world.js.key_value(FILES.name)
    claim = FileIdV1(uploading_by="other", until=world.emulator.emulation.clock.now() + 60)
    await bucket.put(file_key("main", content.files[0]), encode(claim))
    waiting = asyncio.create_task(carry(await world.process(), content, world.chat, world))
    await asyncio.sleep(0.5)
    world.hold.wanted = False
    assert (await waiting).outcome is Outcome.UNATTEMPTED


async def test_one_whose_first_call_is_refused_got_nothing_and_the_next_one_uploads(world: World) -> None:
    carrier, content = await world.process(), await world.content(PHOTO, DOCUMENT)
    world.fails("forbidden_blocked", chat_id=world.chat)
    verdict = await carry(carrier, content, world.chat, world)
    assert verdict == Verdict(Outcome.BLOCKED, reason="Forbidden: bot was blocked by the user")
    assert (await carry(carrier, content, world.others[0], world)).outcome is Outcome.DELIVERED


async def test_a_refusal_after_something_arrived_is_partly_and_keeps_the_messages(world: World) -> None:
    world.fails("forbidden_blocked", skip=1)
    verdict = await carry(await world.process(), await world.content(PHOTO, DOCUMENT), world.chat, world)
    assert verdict == Verdict(Outcome.PARTLY, (1,), reason="Forbidden: bot was blocked by the user")
    assert world.seen() == [("photo", "Завтра")]


async def test_a_lost_answer_after_something_arrived_is_unconfirmed_and_keeps_the_messages(world: World) -> None:
    world.fails("reset_after", skip=1)
    verdict = await carry(await world.process(), await world.content(PHOTO, DOCUMENT), world.chat, world)
    assert (verdict.outcome, verdict.messages) == (Outcome.UNCONFIRMED, (1,))
    assert world.seen() == [("photo", "Завтра"), ("document", "")]


async def test_a_429_after_something_arrived_is_waited_out_and_nothing_comes_twice(world: World) -> None:
    world.fails("rate_limited", skip=1, next=1, retry_after=2)
    verdict = await carry(await world.process(), await world.content(PHOTO, DOCUMENT), world.chat, world)
    assert verdict.outcome is Outcome.DELIVERED
    assert world.seen() == [("photo", "Завтра"), ("document", "")]


async def test_a_429_that_lasts_too_long_leaves_a_part(world: World) -> None:
    world.fails("rate_limited", skip=1, retry_after=600)
    verdict = await carry(await world.process(), await world.content(PHOTO, DOCUMENT), world.chat, world)
    assert verdict == Verdict(Outcome.PARTLY, (1,), reason="Too Many Requests")


async def test_a_429_at_the_first_call_is_the_workers_business(world: World) -> None:
    world.fails("rate_limited", retry_after=5)
    verdict = await carry(await world.process(), await world.content(PHOTO, DOCUMENT), world.chat, world)
    assert verdict == Verdict(Outcome.UNATTEMPTED, reason="Too Many Requests", pause=5)


async def test_no_request_starts_that_the_lease_does_not_cover(world: World) -> None:
    world.hold.covered = False
    verdict = await carry(await world.process(), await world.content(DOCUMENT), world.chat, world)
    assert verdict.outcome is Outcome.UNATTEMPTED
    assert world.calls("sendDocument") == 0


async def test_a_group_that_moved_gets_the_rest_in_its_new_chat(world: World) -> None:
    group = world.emulator.emulation.add_people(1, "group")[0].id
    moved = world.bot.migrate(world.bot.chats[group])
    verdict = await carry(await world.process(), await world.content(PHOTO, DOCUMENT), group, world)
    assert (verdict.outcome, verdict.chat) == (Outcome.DELIVERED, moved.id)
    assert world.seen(moved.id) == [("photo", "Завтра"), ("document", "")]


async def test_an_upload_chat_takes_the_files_and_recipients_get_ids(world: World) -> None:
    storage = world.others[0]
    content = await world.content(PHOTO, DOCUMENT, DOCUMENT)
    carrier = await world.process(upload_chat=storage)
    assert (await carry(carrier, content, world.chat, world)).outcome is Outcome.DELIVERED
    assert sorted(kind for kind, _ in world.seen(storage)) == ["document", "document", "photo"]
    assert world.bot.uploads == 3
    assert world.seen() == [("photo", "Завтра"), ("document", ""), ("document", "")]


async def test_without_its_upload_chat_the_file_goes_with_the_message(world: World) -> None:
    carrier = await world.process(upload_chat=999)
    assert (await carry(carrier, await world.content(PHOTO), world.chat, world)).outcome is Outcome.DELIVERED


async def test_an_object_that_vanishes_in_the_middle_of_an_upload_delivers_nothing(world: World) -> None:
    """The request is never completed, so Telegram cannot have taken it."""
    content = await world.content(DOCUMENT, DOCUMENT, size=1_000_000)
    carrier, last = await world.process(), content.files[1]
    read = carrier.files.read

    async def vanishing(file: File) -> bytes:
        if file == last:
            await (await world.js.object_store(ATTACHMENTS.name)).delete(file.sha256)
        return await read(file)

    carrier.files.read = vanishing  # type: ignore[method-assign]
    verdict = await carry(carrier, content, world.chat, world)
    assert (verdict.outcome, verdict.halt) == (Outcome.UNATTEMPTED, Cause.CONTENT_REFUSED)
    assert world.seen() == []
