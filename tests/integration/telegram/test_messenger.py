"""The messenger against the local Telegram: every way a call can end."""

import asyncio
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from broadcast_contracts import Cause, Content, Outcome, ParseMode
from broadcast_delivery import Verdict
from broadcast_telegram.messenger import Messenger, NoBot
from tests.telegram_emulator import Emulator, Limits

TOKEN = "42:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
HELLO = Content(text="<b>Здравствуйте</b>", parse_mode=ParseMode.HTML)


class Telegram:
    """The local Telegram, a messenger of its bot and one person."""

    def __init__(self, emulator: Emulator, messenger: Messenger) -> None:
        self.emulation = emulator.emulation
        self.bot = self.emulation.world.bots[TOKEN]
        self.messenger = messenger
        self.chat = self.emulation.add_people(1)[0].id
        self.now = time.time

    def fails(self, kind: str, **more: Any) -> None:
        self.emulation.faults.add({"kind": kind, **more})

    def calls(self, method: str) -> int:
        return self.bot.calls.get(method, 0)

    def seen(self) -> list[dict[str, Any]]:
        """The messages that the person still has, as the Bot API shows them."""
        chat, history = self.bot.chats[self.chat], self.bot.history
        return [self.bot.message(chat, each) for each in history.of_chat(self.chat) if history.in_chat(self.chat, each)]

    async def sent(self, count: int = 1) -> list[int]:
        verdicts = [await self.messenger.send(HELLO, self.chat) for _ in range(count)]
        return [verdict.messages[0] for verdict in verdicts]


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    emulator = Emulator(TOKEN, limits=Limits(rate=0))
    async with emulator.serve() as url:
        messenger = Messenger(SecretStr(TOKEN), base_url=url, timeout=0.5, now=emulator.emulation.clock.now)
        yield Telegram(emulator, messenger)
        await messenger.close()


async def test_the_bot_says_its_name(telegram: Telegram) -> None:
    assert await telegram.messenger.me() == telegram.bot.user["username"]


async def test_a_text_arrives_formatted_and_the_verdict_has_its_id(telegram: Telegram) -> None:
    verdict = await telegram.messenger.send(HELLO, telegram.chat)
    (message,) = telegram.seen()
    assert verdict == Verdict(Outcome.DELIVERED, (message["message_id"],))
    assert message["text"] == "Здравствуйте"
    assert [entity["type"] for entity in json.loads(telegram.bot.history.contents[0].entities)] == ["bold"]


async def test_plain_text_stays_plain(telegram: Telegram) -> None:
    assert (await telegram.messenger.send(Content(text="<b> & _x_"), telegram.chat)).outcome is Outcome.DELIVERED
    assert [message["text"] for message in telegram.seen()] == ["<b> & _x_"]


@asynccontextmanager
async def answering(reply: web.Response | None = None) -> AsyncIterator[tuple[Messenger, list[dict[str, Any]]]]:
    """A server that notes what it is asked and gives one answer."""
    asked: list[dict[str, Any]] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(json.loads(await request.read()))
        return reply or web.json_response({"ok": True, "result": True})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    messenger = Messenger(SecretStr(TOKEN), base_url=f"http://127.0.0.1:{runner.addresses[0][1]}", paid_broadcast=True)
    yield messenger, asked
    await messenger.close()
    await runner.cleanup()


async def test_options_are_asked_for_and_the_rest_is_left_out() -> None:
    async with answering() as (messenger, asked):
        await messenger.send(Content(text="x", link_preview=False, silent=True), 7)
        await messenger.send(Content(text="x", parse_mode=ParseMode.MARKDOWN_V2), 7)
    always = {"chat_id": 7, "text": "x", "allow_paid_broadcast": True}
    assert asked == [
        always | {"link_preview_options": {"is_disabled": True}, "disable_notification": True},
        always | {"parse_mode": "MarkdownV2"},
    ]


@pytest.mark.parametrize(
    "reply",
    [
        web.Response(text="<html>"),
        web.Response(body=b"\xff\xfe"),
        web.json_response({"ok": True}),
        web.json_response({"ok": True, "result": {"message_id": "?"}}),
        web.json_response({"ok": False}, status=503),
        web.Response(status=302, headers={"Location": "/elsewhere"}),
    ],
)
async def test_a_reply_that_says_nothing_leaves_the_send_unconfirmed(reply: web.Response) -> None:
    async with answering(reply) as (messenger, asked):
        assert (await messenger.send(HELLO, 7)).outcome is Outcome.UNCONFIRMED
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("blocked", Outcome.BLOCKED),
        ("deactivated", Outcome.DEACTIVATED),
        ("not_started", Outcome.NOT_STARTED),
    ],
)
async def test_who_cannot_be_reached_is_told_apart(telegram: Telegram, status: str, outcome: Outcome) -> None:
    chat = telegram.emulation.add_people(1, status)[0].id
    assert (await telegram.messenger.send(HELLO, chat)).outcome is outcome


async def test_an_unknown_chat_is_refused(telegram: Telegram) -> None:
    verdict = await telegram.messenger.send(HELLO, 404)
    assert verdict == Verdict(Outcome.REFUSED, reason="Bad Request: chat not found")


async def test_a_group_that_became_a_supergroup_gets_the_text_there(telegram: Telegram) -> None:
    group = telegram.bot.chats[telegram.emulation.add_people(1, "group")[0].id]
    upgraded = telegram.bot.migrate(group)
    verdict = await telegram.messenger.send(HELLO, group.id)
    assert (verdict.outcome, verdict.chat) == (Outcome.DELIVERED, upgraded.id)
    assert telegram.bot.history.in_chat(upgraded.id, verdict.messages[0])


@pytest.mark.parametrize(
    "fault",
    [
        "server_error_before",
        "server_error_after",
        "restart",
        "bad_gateway_html",
        "timeout_before",
        "timeout_after",
        "reset_before",
        "reset_after",
    ],
)
async def test_a_send_is_never_repeated_when_it_may_have_arrived(telegram: Telegram, fault: str) -> None:
    await telegram.sent()  # the connection that the next request meets is a used one
    telegram.fails(fault, next=1)
    assert (await telegram.messenger.send(HELLO, telegram.chat)).outcome is Outcome.UNCONFIRMED
    assert telegram.calls("sendMessage") == 2


async def test_a_server_that_is_not_there_was_never_asked(telegram: Telegram) -> None:
    messenger = Messenger(SecretStr(TOKEN), base_url="http://127.0.0.1:9", timeout=1.0)
    for verdict in (await messenger.send(HELLO, 1), await messenger.delete(1, [1], int(time.time()))):
        assert verdict == Verdict(Outcome.UNATTEMPTED, reason="no connection to Telegram: ClientConnectorError")
    await messenger.close()


async def test_a_host_that_does_not_answer_was_never_asked() -> None:
    """A listener whose backlog is full lets nobody connect."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, backlog=0, start_serving=False)
    port = server.sockets[0].getsockname()[1]
    server.sockets[0]._sock.listen(0)  # type: ignore[attr-defined]
    held = [asyncio.create_task(asyncio.open_connection("127.0.0.1", port)) for _ in range(4)]
    await asyncio.sleep(0.1)
    messenger = Messenger(SecretStr(TOKEN), base_url=f"http://127.0.0.1:{port}", timeout=1.0)
    verdict = await messenger.send(HELLO, 1)
    assert verdict == Verdict(Outcome.UNATTEMPTED, reason="no connection to Telegram: timed out")
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    server.close()
    await messenger.close()


@pytest.mark.parametrize(("fault", "seconds"), [("rate_limited", 7), ("hidden_429", 8)])
async def test_a_429_asks_for_a_pause(telegram: Telegram, fault: str, seconds: float) -> None:
    telegram.fails(fault, next=1, retry_after=seconds)
    verdict = await telegram.messenger.send(HELLO, telegram.chat)
    assert (verdict.outcome, verdict.pause) == (Outcome.UNATTEMPTED, seconds)


async def test_refused_content_halts_with_telegrams_words(telegram: Telegram) -> None:
    verdict = await telegram.messenger.send(Content(text="<x>", parse_mode=ParseMode.HTML), telegram.chat)
    assert verdict.halt is Cause.CONTENT_REFUSED
    assert verdict.reason == 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0'


async def test_a_dead_token_halts_the_bot(telegram: Telegram) -> None:
    telegram.fails("unauthorized")
    for verdict in (await telegram.messenger.send(HELLO, telegram.chat), await telegram.messenger.delete(1, [1, 2], 0)):
        assert verdict.outcome in (Outcome.UNATTEMPTED, Outcome.TOO_LATE)
    assert (await telegram.messenger.send(HELLO, telegram.chat)).halt is Cause.BOT_UNAUTHORIZED
    with pytest.raises(NoBot, match=r"^Unauthorized$"):
        await telegram.messenger.me()


async def test_deleting_leaves_nothing_in_one_call(telegram: Telegram) -> None:
    messages = await telegram.sent(3)
    assert await telegram.messenger.delete(telegram.chat, messages, int(time.time())) == Verdict(Outcome.RECALLED)
    assert (telegram.calls("deleteMessages"), telegram.calls("deleteMessage")) == (1, 0)
    assert not telegram.seen()


async def test_a_single_message_that_is_gone_is_said_to_be_gone(telegram: Telegram) -> None:
    (message,) = await telegram.sent()
    now = int(time.time())
    assert (await telegram.messenger.delete(telegram.chat, [message], now)).outcome is Outcome.RECALLED
    assert (await telegram.messenger.delete(telegram.chat, [message], now)).outcome is Outcome.ALREADY_GONE


async def test_what_is_too_old_in_a_private_chat_is_not_even_tried(telegram: Telegram) -> None:
    messages = await telegram.sent(2)
    sent_at = int(telegram.emulation.clock.now())
    telegram.emulation.clock.advance(48 * 3600 + 301)
    assert (await telegram.messenger.delete(telegram.chat, messages, sent_at)).outcome is Outcome.TOO_LATE
    assert telegram.calls("deleteMessages") == 0


async def test_a_message_too_old_does_not_keep_the_others(telegram: Telegram) -> None:
    old = await telegram.sent()
    telegram.emulation.clock.advance(48 * 3600 + 60)
    new = await telegram.sent(2)
    sent_at = int(telegram.emulation.clock.now()) - 48 * 3600 - 60
    verdict = await telegram.messenger.delete(telegram.chat, old + new, sent_at)
    assert verdict == Verdict(Outcome.TOO_LATE, reason="Bad Request: message can't be deleted for everyone")
    assert [message["message_id"] for message in telegram.seen()] == old


@pytest.mark.parametrize("fault", ["server_error_after", "reset_after", "timeout_before", "bad_gateway_html"])
async def test_a_delete_without_an_answer_is_repeated_until_it_is_told(telegram: Telegram, fault: str) -> None:
    messages = await telegram.sent(2)
    telegram.fails(fault, next=1)
    now = int(time.time())
    assert (await telegram.messenger.delete(telegram.chat, messages, now)).outcome is Outcome.UNATTEMPTED
    assert (await telegram.messenger.delete(telegram.chat, messages, now)).outcome is Outcome.RECALLED


async def test_a_deactivated_account_keeps_its_messages(telegram: Telegram) -> None:
    chat = telegram.emulation.add_people(1, "deactivated")[0].id
    verdict = await telegram.messenger.delete(chat, [1, 2], int(time.time()))
    assert verdict == Verdict(Outcome.RECALL_REFUSED, reason="Forbidden: user is deactivated")


async def test_the_token_appears_nowhere(telegram: Telegram, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kinds = ["server_error_before", "bad_gateway_html", "timeout_before", "reset_before", "unauthorized"]
    said = []
    for kind in kinds:
        telegram.emulation.faults.clear()
        telegram.fails(kind)
        said.append(str(await telegram.messenger.send(HELLO, telegram.chat)))
        said.append(str(await telegram.messenger.delete(telegram.chat, [1], int(time.time()))))
    assert TOKEN not in "".join([*said, caplog.text])


@pytest.mark.parametrize("body", [None, b"<html>", b"\xff\xfe"])
async def test_the_token_appears_nowhere_when_nobody_listens_or_nobody_understands(
    body: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    questions: list[Callable[[Messenger], Awaitable[object]]] = [
        lambda it: it.send(HELLO, 7),
        lambda it: it.delete(7, [1], int(time.time())),
        lambda it: it.me(),
    ]
    for ask in questions:
        async with answering(web.Response(body=body)) as (messenger, _):
            nowhere = Messenger(SecretStr(TOKEN), base_url="http://127.0.0.1:9", timeout=1.0)
            try:
                said.append(str(await ask(nowhere if body is None else messenger)))
            except NoBot:
                said.append(traceback.format_exc())
            await nowhere.close()
    assert "NoBot" in said[2]
    logged = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]  # the server's own
    assert TOKEN not in "".join([*said, *logged])
