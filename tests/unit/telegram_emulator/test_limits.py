"""The strict limits: exact over a sliding second, on arrival times, with a pause that punishes impatience."""

import asyncio

import pytest
from aiogram.exceptions import TelegramRetryAfter
from hypothesis import given
from hypothesis import strategies as st

from tests.telegram_emulator.errors import BotApiError
from tests.telegram_emulator.limits import Limiter, Limits
from tests.telegram_emulator.people import Chat

from .conftest import Telegram

START = 1_000.0
UNPUNISHED = Limits(retry_after=0)


def refused_after(limiter: Limiter, at: float, chat: Chat | None = None, **options: int | bool) -> int | None:
    """The retry_after of a send at this moment, None when it is admitted."""
    try:
        limiter.send(at, chat, **options)  # type: ignore[arg-type]
    except BotApiError as error:
        return error.parameters["retry_after"]
    return None


def test_thirty_pass_and_the_thirty_first_within_the_second_does_not() -> None:
    limiter = Limiter(Limits())
    assert [refused_after(limiter, START + each / 100) for each in range(30)] == [None] * 30
    assert refused_after(limiter, START + 0.999) == 3


def test_the_second_slides_with_the_first_of_the_thirty() -> None:
    limiter = Limiter(UNPUNISHED)
    for each in range(30):
        limiter.send(START + each / 100, None)
    assert refused_after(limiter, START + 0.9999) is not None
    assert refused_after(limiter, START + 1.0) is None
    assert refused_after(limiter, START + 1.0) is not None
    assert refused_after(limiter, START + 1.01) is None


@given(st.lists(st.floats(0, 0.2), max_size=200), st.integers(1, 12))
def test_no_second_ever_holds_more_than_the_rate_and_no_send_is_refused_in_vain(gaps: list[float], rate: int) -> None:
    limiter = Limiter(Limits(rate=rate, retry_after=0))
    now, admitted = START, list[float]()
    for gap in gaps:
        now += gap
        within = sum(now - each < 1.0 for each in admitted)
        if refused_after(limiter, now) is None:
            assert within < rate
            admitted.append(now)
        else:
            assert within == rate


def test_who_keeps_sending_during_the_pause_starts_it_anew() -> None:
    limiter = Limiter(Limits(rate=1))
    limiter.send(START, None)
    assert refused_after(limiter, START + 0.5) == 3
    assert refused_after(limiter, START + 3.4) == 3
    assert refused_after(limiter, START + 6.3) == 3
    assert refused_after(limiter, START + 9.3) is None


def test_a_chat_takes_one_message_a_second_and_impatience_costs_another_second() -> None:
    limiter, chat = Limiter(Limits()), Chat(1)
    assert refused_after(limiter, START, chat) is None
    assert refused_after(limiter, START + 0.9, chat) == 1
    assert refused_after(limiter, START + 1.8, chat) == 1
    assert refused_after(limiter, START + 2.8, chat) is None


def test_a_group_takes_twenty_messages_a_minute() -> None:
    limiter, group = Limiter(Limits(per_chat=0)), Chat(-1, kind="group")
    assert [refused_after(limiter, START + each, group) for each in range(20)] == [None] * 20
    assert refused_after(limiter, START + 59, group) == 2
    assert refused_after(limiter, START + 70, group) is None


def test_an_album_fills_the_minute_of_a_group_with_every_item() -> None:
    limiter, group = Limiter(Limits(per_chat=0)), Chat(-1, kind="group")
    assert [refused_after(limiter, START + each, group, weight=10) for each in range(2)] == [None, None]
    assert refused_after(limiter, START + 30, group) is not None


def test_an_album_weighs_as_many_messages_as_it_has_items() -> None:
    limiter = Limiter(UNPUNISHED)
    assert [refused_after(limiter, START, weight=10) for _ in range(3)] == [None] * 3
    assert refused_after(limiter, START + 0.5) is not None


def test_an_album_may_be_counted_as_one() -> None:
    limiter = Limiter(Limits(album_counts_items=False))
    assert [refused_after(limiter, START, weight=10) for _ in range(30)] == [None] * 30


def test_a_paid_broadcast_may_send_a_thousand_a_second() -> None:
    limiter = Limiter(Limits())
    assert [refused_after(limiter, START, paid=True) for _ in range(1000)] == [None] * 1000
    assert refused_after(limiter, START, paid=True) == 3


def test_deletes_do_not_use_up_sends() -> None:
    limiter = Limiter(Limits())
    for _ in range(30):
        limiter.delete(START)
    with pytest.raises(BotApiError, match="retry after 3"):
        limiter.delete(START)
    assert refused_after(limiter, START) is None


def test_the_same_big_upload_again_and_again_is_slowed_down_and_then_refused() -> None:
    limiter = Limiter(Limits())
    five_mib = 5 * 1024 * 1024
    delays = [limiter.upload(START, five_mib) for _ in range(12)]
    assert delays[:2] == [0, 0]
    assert delays == sorted(delays)
    with pytest.raises(BotApiError, match="retry after 60"):
        limiter.upload(START, five_mib)
    assert limiter.upload(START, five_mib + 1) == 0


async def test_a_burst_of_31_gets_one_429_that_aiogram_understands(strict: Telegram) -> None:
    outcomes = await asyncio.gather(
        *(strict.bot.send_message(each, "x") for each in strict.people[:31]), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, TelegramRetryAfter)]
    assert [each.retry_after for each in refused] == [3]
    assert (await strict.control("GET", "state"))["http_429"] == 1
    assert strict.account.history.sent == 30


async def test_the_refusal_is_worded_as_telegram_words_it(strict: Telegram) -> None:
    await strict.call("sendMessage", chat_id=strict.people[0], text="x")
    assert await strict.call("sendMessage", chat_id=strict.people[0], text="y") == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }


async def test_moving_the_clock_does_not_help_against_limits(strict: Telegram) -> None:
    await strict.call("sendMessage", chat_id=strict.people[0], text="x")
    await strict.control("POST", "clock", {"advance_seconds": 60})
    assert (await strict.call("sendMessage", chat_id=strict.people[0], text="y"))["error_code"] == 429


async def test_limits_change_while_running(strict: Telegram) -> None:
    assert (await strict.control("POST", "limits", {"rate": 0}))["rate"] == 0
    answers = [await strict.call("sendMessage", chat_id=strict.people[0], text=str(each)) for each in range(40)]
    assert all(answer["ok"] for answer in answers)
    assert "unknown limits: speed" in (await strict.control("POST", "limits", {"speed": 1}))["error"]
