"""The oracle: what each chat received, how often, what was deleted, when."""

import asyncio
import json
import time
from typing import Any

from tests.telegram_emulator.emulation import Emulation
from tests.telegram_emulator.limits import Limits

from .conftest import Telegram


async def delivered(telegram: Telegram, text: str) -> dict[int, dict[str, int]]:
    async with telegram.http.get(f"{telegram.url}/_control/deliveries", params={"text_contains": text}) as answer:
        rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    return {row.pop("chat_id"): row for row in rows}


async def test_deliveries_count_per_chat_what_came_and_what_stayed(telegram: Telegram) -> None:
    once, twice, gone, never = telegram.people[:4]
    for person in (once, twice, twice, gone):
        message = await telegram.bot.send_message(person, "Собрание в 10:00")
    await telegram.bot.delete_message(gone, message.message_id)
    await telegram.bot.send_message(never, "Другое")
    assert await delivered(telegram, "Собрание") == {
        once: {"received": 1, "deleted": 0, "present": 1},
        twice: {"received": 2, "deleted": 0, "present": 2},
        gone: {"received": 1, "deleted": 1, "present": 0},
    }


async def test_the_state_adds_everything_up(telegram: Telegram) -> None:
    first, second = telegram.people[:2]
    for person in (first, second, first, first):
        message = await telegram.bot.send_message(person, "x")
    await telegram.bot.delete_message(first, message.message_id)
    state = await telegram.control("GET", "state?bot=42")
    assert {key: state[key] for key in ("chats", "sent", "deleted", "present", "duplicates", "http_429")} == {
        "chats": 40, "sent": 4, "deleted": 1, "present": 3, "duplicates": 2, "http_429": 0,
    }  # fmt: skip
    assert state["calls"] == {"sendMessage": 4, "deleteMessage": 1}
    assert state["first_sent_at"] <= state["last_sent_at"] <= time.time()


async def test_what_a_person_writes_is_not_counted_as_sent(telegram: Telegram) -> None:
    await telegram.control("POST", "people/all/start")
    assert telegram.account.history.sent == 0
    assert await delivered(telegram, "/start") == {}


async def test_an_edited_message_is_found_by_what_was_received(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "before")
    await telegram.bot.edit_message_text("after", chat_id=person, message_id=message.message_id)
    assert list(await delivered(telegram, "before")) == [person]
    assert await delivered(telegram, "after") == {}


async def test_send_times_are_on_the_clock_that_this_machine_shares(telegram: Telegram) -> None:
    began = time.monotonic()
    for person in telegram.people[:3]:
        await telegram.bot.send_message(person, "x")
    middle = time.monotonic()
    await telegram.bot.send_message(telegram.people[3], "late")
    times = await telegram.control("GET", "send_times")
    assert times["chat_id"] == telegram.people[:4]
    assert times["monotonic"] == sorted(times["monotonic"])
    assert began <= times["monotonic"][0] < middle < times["monotonic"][3] <= time.monotonic()
    assert (await telegram.control("GET", f"send_times?after={middle}"))["chat_id"] == [telegram.people[3]]


async def test_chats_are_read_page_by_page(telegram: Telegram) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await telegram.control("GET", f"chats?limit=15&cursor={cursor}")
        seen += [chat["chat_id"] for chat in page["chats"]]
        cursor = page["next_cursor"]
    assert seen == sorted(telegram.people)


async def test_explicit_people_are_taken_as_given(telegram: Telegram) -> None:
    given: dict[str, Any] = {
        "chat_id": 77,
        "first_name": "Ада",
        "last_name": "Л.",
        "username": "ada",
        "language_code": "en",
    }
    await telegram.control("POST", "people", {"people": [given, {"chat_id": 78, "status": "blocked"}]})
    chat = await telegram.control("GET", "chats/77")
    assert {key: chat[key] for key in given} == given
    assert (await telegram.control("GET", "chats/78"))["status"] == "blocked"
    assert "unknown fields: age" in (await telegram.control("POST", "people", {"age": 3}))["error"]


async def test_a_reset_forgets_messages_and_keeps_people_and_files(telegram: Telegram) -> None:
    await telegram.bot.send_message(telegram.people[0], "x")
    await telegram.control("POST", "clock", {"advance_seconds": 100})
    await telegram.control("POST", "reset")
    state = await telegram.control("GET", "state")
    assert (state["sent"], state["chats"], state["calls"]) == (0, 40, {})
    assert abs(state["now"] - time.time()) < 5
    await telegram.control("POST", "reset", {"people": True})
    assert (await telegram.control("GET", "state"))["chats"] == 0


async def test_what_does_not_exist_is_404(telegram: Telegram) -> None:
    for path in ("chats/1", "nothing", "state?bot=7"):
        async with telegram.http.get(f"{telegram.url}/_control/{path}") as answer:
            assert (path, answer.status) == (path, 404)


async def test_concurrent_sends_are_all_counted(telegram: Telegram) -> None:
    await asyncio.gather(*(telegram.bot.send_message(person, "x") for person in telegram.people * 5))
    assert {row["received"] for row in (await delivered(telegram, "x")).values()} == {5}
    assert telegram.account.history.duplicates == 4 * 40


def test_people_are_the_same_for_the_same_seed() -> None:
    first, same, other = (
        list(Emulation(["1:A"], people=300, limits=Limits(), seed=seed).world.bots["1:A"].chats.values())
        for seed in (1, 1, 2)
    )
    assert first == same != other
    assert len({chat.id for chat in first}) == 300
    assert all(chat.id > 2**32 for chat in first)
    assert {chat.language_code for chat in first} == {"ru", "en"}
