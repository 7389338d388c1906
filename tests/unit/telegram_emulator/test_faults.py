"""Scripted faults: what the client sees, and what really happened."""

import time

import pytest
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import (
    ClientDecodeError,
    RestartingTelegram,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)

from .conftest import Telegram


@pytest.mark.parametrize(
    ("kind", "error", "said", "delivered"),
    [
        ("rate_limited", TelegramRetryAfter, "retry after 3", 0),
        ("forbidden_blocked", TelegramForbiddenError, "bot was blocked by the user", 0),
        ("forbidden_deactivated", TelegramForbiddenError, "user is deactivated", 0),
        ("forbidden_not_started", TelegramForbiddenError, "bot can't initiate conversation with a user", 0),
        ("chat_not_found", TelegramBadRequest, "chat not found", 0),
        ("content_error", TelegramBadRequest, "can't parse entities", 0),
        ("hidden_429", TelegramBadRequest, "Too Many Requests: retry after 8", 0),
        ("unauthorized", TelegramUnauthorizedError, "Unauthorized", 0),
        ("restart", RestartingTelegram, "restart", 0),
        ("server_error_before", TelegramServerError, "Internal Server Error", 0),
        ("server_error_after", TelegramServerError, "Internal Server Error", 1),
        ("bad_gateway_html", ClientDecodeError, "Failed to decode", 0),
        ("reset_before", TelegramNetworkError, "isconnected|Connection reset", 0),
        ("reset_after", TelegramNetworkError, "isconnected|Connection reset", 1),
    ],
)
async def test_a_fault_strikes_once_and_the_record_knows_what_was_delivered(
    telegram: Telegram, kind: str, error: type[Exception], said: str, delivered: int
) -> None:
    await telegram.control("POST", "faults", {"kind": kind, "method": "sendMessage", "next": 1})
    with pytest.raises(error, match=said):
        await telegram.bot.send_message(telegram.people[0], "x")
    assert telegram.account.history.sent == delivered
    await telegram.bot.send_message(telegram.people[0], "y")


@pytest.mark.parametrize(("kind", "delivered"), [("timeout_before", 0), ("timeout_after", 1)])
async def test_a_timeout_leaves_the_client_in_the_dark(telegram: Telegram, kind: str, delivered: int) -> None:
    await telegram.control("POST", "faults", {"kind": kind, "next": 1})
    assert isinstance(telegram.bot.session, AiohttpSession)
    telegram.bot.session.timeout = 0.2
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await telegram.bot.send_message(telegram.people[0], "x")
    assert telegram.account.history.sent == delivered


async def test_a_hanging_connection_is_cut_after_its_delay(telegram: Telegram) -> None:
    await telegram.control("POST", "faults", {"kind": "timeout_before", "next": 1, "delay": 0.2})
    with pytest.raises(TelegramNetworkError):
        await telegram.bot.send_message(telegram.people[0], "x")


async def test_slow_is_late_but_right(telegram: Telegram) -> None:
    await telegram.control("POST", "faults", {"kind": "slow", "delay": 0.2, "next": 1})
    began = time.monotonic()
    await telegram.bot.send_message(telegram.people[0], "x")
    assert time.monotonic() - began >= 0.2
    assert telegram.texts(telegram.people[0]) == ["x"]


async def test_a_fault_can_be_aimed_at_one_chat_and_one_method(telegram: Telegram) -> None:
    aimed, other = telegram.people[:2]
    await telegram.control("POST", "faults", {"kind": "restart", "method": "SENDMESSAGE", "chat_id": aimed})
    await telegram.bot.send_message(other, "x")
    await telegram.bot.get_chat(aimed)
    for _ in range(2):
        with pytest.raises(RestartingTelegram):
            await telegram.bot.send_message(aimed, "x")
    await telegram.control("DELETE", "faults")
    await telegram.bot.send_message(aimed, "x")


async def test_a_fault_can_be_aimed_at_one_bot(telegram: Telegram) -> None:
    await telegram.control("POST", "bots", {"token": "43:OTHER"})
    await telegram.control("POST", "faults?bot=43:OTHER", {"kind": "restart"})
    await telegram.bot.get_me()
    other = telegram.new_bot("43:OTHER")
    with pytest.raises(RestartingTelegram):
        await other.get_me()
    await other.session.close()
    assert "no such bot" in (await telegram.control("POST", "faults?bot=44:NOBODY", {"kind": "restart"}))["error"]


async def test_probable_faults_are_the_same_for_the_same_seed(telegram: Telegram) -> None:
    patterns = []
    for _ in range(2):
        await telegram.control("POST", "reset")
        await telegram.control("POST", "faults", {"kind": "server_error_before", "probability": 0.3})
        answers = [await telegram.call("getMe") for _ in range(60)]
        patterns.append([answer["ok"] for answer in answers])
    assert patterns[0] == patterns[1]
    assert 5 < patterns[0].count(False) < 35


async def test_a_flood_fault_may_pause_the_whole_bot(strict: Telegram) -> None:
    await strict.control("POST", "faults", {"kind": "rate_limited", "next": 1, "retry_after": 2, "pause": True})
    answers = [await strict.call("sendMessage", chat_id=each, text="x") for each in strict.people[:2]]
    assert [answer["error_code"] for answer in answers] == [429, 429]


async def test_a_fault_nobody_knows_is_refused(telegram: Telegram) -> None:
    assert "kind must be one of" in (await telegram.control("POST", "faults", {"kind": "earthquake"}))["error"]
    assert "unknown fields: when" in (await telegram.control("POST", "faults", {"kind": "slow", "when": 1}))["error"]
