"""People come in by /start and leave by blocking the bot: each call of Telegram once, and nobody else's."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select

from broadcast_api.adapters.arrivals import Arrivals
from broadcast_api.adapters.schema import telegram_updates
from broadcast_api.app import build
from broadcast_api.entrypoints.telegram import polling
from broadcast_api.entrypoints.telegram.polling import Poller
from broadcast_api.settings import DoorTokens, Settings
from broadcast_telegram.listener import Listener, Unanswered
from tests.support.broadcast_api import Api, Json

SECRET = "s3cret-s3cret-s3cret"
TOKEN = "1000000001:AAbbCCddEEffGGhhIIjjKK"
HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


@pytest.fixture
async def app(database_url: str, event_store_url: str) -> AsyncIterator[FastAPI]:
    tokens = {"main": DoorTokens(secret=SecretStr(SECRET))}
    settings = Settings(
        database_url=database_url,
        event_store=event_store_url,
        bots=("main", "other"),
        door={"main": "webhook"},
        door_tokens=tokens,
    )
    app = build(settings)
    async with app.router.lifespan_context(app):
        yield app


def start(number: int, chat: int = 7, payload: str = "", **more: Any) -> Json:
    person = {"id": chat, "first_name": "Анна", "username": "ann", "language_code": "ru", **more}
    message = {"message_id": 1, "date": 1_000 + number, "chat": {"id": chat, "type": "private"}, "from": person}
    return {"update_id": number, "message": {**message, "text": f"/start {payload}".strip()}}


def turn(number: int, status: str, chat: int = 7) -> Json:
    told = {"chat": {"id": chat, "type": "private"}, "date": 1_000 + number, "new_chat_member": {"status": status}}
    return {"update_id": number, "my_chat_member": told}


async def call(api: Api, update: Json, **headers: str) -> httpx.Response:
    return await api.http.post("/telegram/main/webhook", json=update, headers=headers or HEADERS)


async def people(api: Api) -> list[Json]:
    found: list[Json] = (await api.http.get("/v1/recipients", params={"bot": "main"})).json()["items"]
    return found


async def test_start_enters_somebody_and_answers_in_their_language(api: Api) -> None:
    answer = await call(api, start(1))
    assert answer.json() == {"method": "sendMessage", "chat_id": 7, "text": answer.json()["text"]}
    assert answer.json()["text"].startswith("Здравствуйте")
    assert (await call(api, start(2, 8, language_code="de"))).json()["text"].startswith("Hello")
    one, two = await people(api)
    assert (one["chat_id"], one["first_name"], one["username"], one["language"], one["status"]) == (
        7,
        "Анна",
        "ann",
        "ru",
        "active",
    )
    assert two["chat_id"] == 8
    assert [person["chat_id"] for person in (await api.http.get("/v1/recipients?text=анна")).json()["items"]] == [7, 8]


async def test_a_call_without_the_secret_is_not_even_read(api: Api) -> None:
    for headers in (
        {"X-Telegram-Bot-Api-Secret-Token": "wrong"},
        {"X-Telegram-Bot-Api-Secret-Token": ""},
        {"X-Other": "1"},
    ):
        answer = await api.http.post("/telegram/main/webhook", content=b"{not json", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:broadcasts:problem:forbidden")
    for bot in ("other", "nobody"):
        assert (await api.http.post(f"/telegram/{bot}/webhook", json=start(1), headers=HEADERS)).status_code == 403
    assert await people(api) == []


async def test_what_cannot_be_an_update_changes_nothing(api: Api) -> None:
    path = "/telegram/main/webhook"
    assert (await api.http.post(path, content=b"{", headers=HEADERS)).status_code == 400
    assert (await api.http.post(path, content=b"[" * 200_000, headers=HEADERS)).status_code == 400
    assert (await api.http.post(path, content=b" " * 300_000, headers=HEADERS)).status_code == 413
    group = start(1)
    group["message"]["chat"]["type"] = "group"
    half = {"update_id": 5, "message": {"text": "/start"}}
    updates: list[Any] = [{}, [], {"update_id": "x"}, group, half, turn(6, "left")]
    for update in updates:
        answer = await api.http.post(path, json=update, headers=HEADERS)
        assert (answer.status_code, answer.content) == (200, b""), update
    assert await people(api) == []


async def test_a_repeated_call_has_no_effect(api: Api) -> None:
    await call(api, start(1))
    await call(api, turn(2, "kicked"))
    again = await call(api, start(1))
    assert (again.status_code, again.content) == (200, b"")
    assert [person["status"] for person in await people(api)] == ["blocked"]
    with api.database.read() as connection:
        assert connection.scalars(select(telegram_updates.c.update_id)).all() == [1, 2]


async def test_the_same_call_at_the_same_time_takes_effect_once(api: Api) -> None:
    answers = await asyncio.gather(*(call(api, start(1)) for _ in range(8)))
    assert sorted(len(answer.content) > 0 for answer in answers) == [False] * 7 + [True]
    assert len(await people(api)) == 1


async def test_blocking_and_coming_back_is_known_whatever_the_order_of_the_calls(api: Api) -> None:
    await call(api, start(1))
    await call(api, turn(2, "kicked"))
    assert [person["status"] for person in await people(api)] == ["blocked"]
    await call(api, turn(4, "member"))
    await call(api, turn(3, "kicked"))
    assert [person["status"] for person in await people(api)] == ["active"]
    await call(api, turn(9, "kicked", chat=99))
    assert len(await people(api)) == 1, "a stranger who blocks is not entered"


async def test_who_comes_back_keeps_what_the_organisation_knows_of_them(api: Api) -> None:
    await api.people(7, last_name="Кузнецова", department="IT", language="en", status="deactivated")
    with api.database.write() as connection:
        connection.exec_driver_sql("UPDATE recipients SET status_at = 0")
    await call(api, start(1, username="new"))
    (person,) = await people(api)
    assert (person["first_name"], person["last_name"], person["department"], person["language"]) == (
        "N7",
        "Кузнецова",
        "IT",
        "en",
    )
    assert (person["username"], person["status"]) == ("new", "active")


async def test_an_invitation_links_the_person_it_was_made_for_and_nobody_after_them(api: Api) -> None:
    rows = [{"external_id": "E-1", "last_name": "Петров", "department": "IT"}]
    await api.http.put("/v1/recipients", json={"bot": "main", "recipients": rows})
    await call(api, start(1, 7, "id-E-1"))
    await call(api, start(2, 8, "id-E-1"))
    await call(api, start(3, 9, "id-unknown"))
    await call(api, start(4, 10, "'; DROP TABLE recipients; --"))
    found = {person["chat_id"]: person for person in await people(api)}
    assert (found[7]["last_name"], found[7]["status"], found[7]["username"]) == ("Петров", "active", "ann")
    assert [(chat, found[chat]["external_id"]) for chat in (8, 9, 10)] == [(8, None), (9, None), (10, None)]


async def test_who_had_come_before_their_invitation_is_one_person_with_all_lists_and_tags(api: Api) -> None:
    await call(api, start(1, 7))
    come = (await people(api))[0]["id"]
    await api.http.patch(f"/v1/recipients/{come}", json={"tags": ["shift", "night work"]})
    rows = [{"external_id": "E-1", "last_name": "Петров", "tags": ["Moscow", "Shift"]}]
    await api.http.put("/v1/recipients", json={"bot": "main", "recipients": rows})
    await call(api, start(2, 7, "id-E-1"))
    [one] = await people(api)
    assert (one["last_name"], one["chat_id"], one["tags"]) == ("Петров", 7, ["moscow", "night work", "shift"])
    for tag in ("moscow", " Night  work", "shift"):
        definition = {"kind": "rule", "rule": {"field": "tags", "in": [tag]}}
        found = await api.http.post("/v1/audiences/preview", json={"bot": "main", "definition": definition})
        assert (found.json()["total"], tag) == (1, tag)
        listed = await api.http.get("/v1/recipients", params={"tag": tag})
        assert len(listed.json()["items"]) == 1, tag


class Telegram:
    """Just enough of a Bot API: what it is told to say, and what was asked of it."""

    def __init__(self) -> None:
        self.updates: list[Json] = []
        self.asked: list[tuple[str, Json]] = []
        self.refusal: Json | None = None

    async def answer(self, request: web.Request) -> web.Response:
        method, body = request.path.rsplit("/", 1)[1], await request.json()
        self.asked.append((method, body))
        if self.refusal:
            return web.json_response({"ok": False, **self.refusal})
        if method != "getUpdates":
            return web.json_response({"ok": True, "result": True})
        waiting = [update for update in self.updates if update["update_id"] >= body.get("offset", 0)]
        return web.json_response({"ok": True, "result": waiting})


@pytest.fixture
async def telegram() -> AsyncIterator[tuple[Telegram, Listener]]:
    telegram, application = Telegram(), web.Application()
    application.router.add_post("/{tail:.*}", telegram.answer)
    async with TestServer(application) as server:
        listener = Listener(SecretStr(TOKEN), str(server.make_url("")))
        yield telegram, listener
        await listener.close()


async def test_polling_takes_each_update_once_and_confirms_it_when_it_is_stored(
    api: Api, telegram: tuple[Telegram, Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "IDLE_SECONDS", 0.1)
    server, listener = telegram
    server.updates = [start(1), start(2, 8), turn(3, "kicked", 8), {"update_id": 4, "poll": {}}]
    arrivals = Arrivals(api.database)
    poller, successor = Poller("main", listener, arrivals), Poller("main", listener, arrivals)
    assert await poller.poll()
    assert await successor.poll(), "whoever follows a killed leader gets them again"
    assert await poller.poll() is False
    assert [(person["chat_id"], person["status"]) for person in await people(api)] == [(7, "active"), (8, "blocked")]
    while await poller.greet() or await successor.greet():
        pass
    assert [body.get("offset") for method, body in server.asked if method == "getUpdates"] == [None, None, 5]
    assert [body["chat_id"] for method, body in server.asked if method == "sendMessage"] == [7, 8]


async def test_a_greeting_that_fails_stops_nobody(
    api: Api, telegram: tuple[Telegram, Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "IDLE_SECONDS", 0.1)
    server, listener = telegram
    server.updates = [start(1)]
    poller = Poller("main", listener, Arrivals(api.database))
    await poller.poll()
    server.refusal = {"error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    assert await poller.greet()
    assert not await poller.greet()


async def test_the_token_is_in_no_error_and_no_log(
    telegram: tuple[Telegram, Listener], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server, listener = telegram
    nowhere = Listener(SecretStr(TOKEN), "http://127.0.0.1:1")
    impossible = Listener(SecretStr(TOKEN), "http://[")
    server.refusal = {"error_code": 409, "description": "Conflict: can't use getUpdates while webhook is active"}
    said = []
    for one in (listener, nowhere, impossible):
        with pytest.raises(Unanswered) as refused:
            await one.updates(0, 0)
        said.append(f"{refused.value!r} {refused.value.__cause__!r}")
        await one.close()
    assert "Conflict" in said[0]
    logged = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]  # the server's own
    assert not any(TOKEN in text for text in (*said, *logged))
    assert TOKEN not in repr(DoorTokens(token=SecretStr(TOKEN)))
