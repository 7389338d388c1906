"""The directory: tags, invitations by external id, changes to one person, groups, and forgetting somebody."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from broadcast_api.adapters.schema import audience_members, deliveries, recipient_tags, recipients
from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api, Json
from tests.support.identity import bearer


async def put(api: Api, *people: Json) -> httpx.Response:
    return await api.http.put("/v1/recipients", json={"bot": "main", "recipients": list(people)})


async def listed(api: Api, **params: Any) -> list[Json]:
    found: list[Json] = (await api.http.get("/v1/recipients", params=params)).json()["items"]
    return found


async def test_tags_are_kept_in_lower_case_each_once_and_only_replaced_when_given(api: Api) -> None:
    await put(api, {"chat_id": 1, "tags": ["ВИП", "вип ", "профком"]}, {"chat_id": 2, "tags": []})
    assert [person["tags"] for person in await listed(api)] == [["вип", "профком"], []]
    await put(api, {"chat_id": 1, "first_name": "A"})
    assert [person["chat_id"] for person in await listed(api, tag="Вип")] == [1]
    await put(api, {"chat_id": 1, "tags": ["новый"]})
    assert await listed(api, tag="вип") == []


async def test_one_person_is_changed_in_parts(api: Api) -> None:
    (id,) = await api.people(1, department="IT", last_name="Иванов", joined_at="2026-01-31T10:00:00+03:00")
    path = f"/v1/recipients/{id}"
    changed = await api.http.patch(path, json={"department": "HR", "last_name": "Ёлкин", "tags": ["новый"]})
    assert changed.status_code == 200
    person = (await api.http.get(path)).json()
    assert (person["department"], person["first_name"], person["tags"]) == ("HR", "N1", ["новый"])
    assert person["joined_at"] == "2026-01-31T07:00:00Z"
    assert [found["id"] for found in await listed(api, text="ёлк")] == [id]
    assert await listed(api, text="иванов") == []
    assert (await api.http.patch(path, json={"chat_id": 2})).status_code == 422
    assert (await api.http.patch("/v1/recipients/999999", json={"department": "HR"})).status_code == 404


async def test_who_is_invited_by_external_id_becomes_the_person_who_comes(api: Api) -> None:
    invited = {"external_id": "E-1", "last_name": "Петров", "department": "IT", "tags": ["новый"]}
    assert (await put(api, invited, invited)).json() == {"upserted": 1, "created": 1, "updated": 0}
    (waiting,) = await listed(api)
    assert (waiting["chat_id"], waiting["status"]) == (None, "not_started")
    refused = await api.http.patch(f"/v1/recipients/{waiting['id']}", json={"status": "active"})
    assert refused.json()["type"].endswith(":not_connected")

    await put(api, {"chat_id": 7, "external_id": "E-1", "last_name": "Петров"})
    (come,) = await listed(api)
    assert (come["id"], come["chat_id"], come["status"], come["tags"]) == (waiting["id"], 7, "active", ["новый"])
    assert (await put(api, {**invited, "department": "HR"})).json() == {"upserted": 1, "created": 0, "updated": 1}
    assert [(person["chat_id"], person["department"]) for person in await listed(api)] == [(7, "HR")]


async def test_an_invitation_and_a_chat_that_turn_out_to_be_one_person_are_joined(api: Api) -> None:
    (chat,) = await api.people(7, tags=["a"])
    await put(api, {"external_id": "E-1", "department": "IT", "tags": ["a", "b"]})
    audience = await api.audience({"kind": "list", "recipient_ids": [chat]})
    await put(api, {"chat_id": 7, "external_id": "E-1", "department": "IT"})
    (person,) = await listed(api)
    assert (person["chat_id"], person["status"], person["tags"]) == (7, "active", ["a", "b"])
    found = (await api.http.get(f"/v1/audiences/{audience['id']}")).json()
    assert found["definition"]["recipient_ids"] == [person["id"]]


async def test_what_nobody_could_be_is_refused_with_its_place(api: Api) -> None:
    bad: dict[str, Json] = {
        "a name of 5,000 characters": {"chat_id": 1, "first_name": "я" * 5_000},
        "nobody at all": {"first_name": "A"},
        "reachable without a chat": {"external_id": "E", "status": "active"},
        "an empty tag": {"chat_id": 1, "tags": [" "]},
        "a time without a zone": {"chat_id": 1, "joined_at": "2026-01-31T10:00:00"},
        "a time as a number": {"chat_id": 1, "joined_at": 2026},
        "a time before all others": {"chat_id": 1, "joined_at": "0001-01-01T00:00:00+14:00"},
    }
    for case, person in bad.items():
        answer = await put(api, {"chat_id": 5}, person)
        assert answer.status_code == 422, case
        assert answer.json()["errors"][0]["pointer"].startswith("/recipients/1"), case
    assert await listed(api) == []


async def test_groups_are_recipients_only_where_the_settings_say_so(
    api: Api, database_url: str, event_store_url: str
) -> None:
    refused = await put(api, {"chat_id": 5}, {"chat_id": -100123})
    assert refused.status_code == 422
    assert (refused.json()["errors"][0]["pointer"], await listed(api)) == ("/recipients/1/chat_id", [])
    app = build(Settings(database_url=database_url, event_store=event_store_url, groups=True))
    async with app.router.lifespan_context(app), client(app) as http:
        assert (await put(Api(http, app), {"chat_id": -100123})).status_code == 200


async def test_who_is_erased_is_nowhere_and_the_counts_stay(api: Api, event_store_url: str, tmp_path: Path) -> None:
    chat, name = 777_000_777, "Незабудкина"
    erased, other = await api.people(chat, 5, last_name=name, tags=["x"])
    audience = await api.audience({"kind": "list", "recipient_ids": [erased, other]})
    broadcast = await api.broadcast(audience_id=audience["id"])
    await api.press("send", broadcast["id"])
    assert (await api.http.post(f"/v1/broadcasts/{broadcast['id']}/test", json={"recipient_id": erased})).is_error
    with api.database.write() as connection:
        rows = [(1, 0, erased, chat, "delivered"), (1, 1, other, 5, "delivered"), (1, 2, 999, chat, "blocked")]
        names = ("run_id", "position", "recipient_id", "chat_id", "outcome")
        connection.execute(deliveries.insert(), [dict(zip(names, row, strict=True)) for row in rows])

    assert (await api.http.delete(f"/v1/recipients/{erased}", params={"erase": 1})).status_code == 204
    with api.database.read() as connection:
        found = connection.execute(select(deliveries).order_by(deliveries.c.position)).all()
        assert [(row.recipient_id, row.chat_id, row.outcome) for row in found] == [
            (0, 0, "delivered"),
            (other, 5, "delivered"),
            (0, 0, "blocked"),
        ]
        for table in (recipients, recipient_tags, audience_members):
            column = table.c.id if table is recipients else table.c.recipient_id
            assert erased not in connection.scalars(select(column)).all(), table.name
    assert (await api.http.delete(f"/v1/recipients/{erased}", params={"erase": 1})).status_code == 404

    stored = everything_stored(api, event_store_url, tmp_path)
    assert "Собрание".encode() in stored, "words can be found in there"
    assert str(chat).encode() not in stored
    assert name.encode() not in stored


def everything_stored(api: Api, url: str, folder: Path) -> bytes:
    """The bytes of the event store."""
    if url.startswith("sqlite"):
        return b"".join(file.read_bytes() for file in folder.glob("events.db*"))
    found = api.store.recorder.select_notifications(0, 1_000)
    return b"".join(notification.topic.encode() + notification.state for notification in found)


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api", headers=bearer(app))


@pytest.mark.parametrize("erase", [0, 1])
async def test_nobody_cannot_be_taken_out(api: Api, erase: int) -> None:
    assert (await api.http.delete("/v1/recipients/1", params={"erase": erase})).status_code == 404
