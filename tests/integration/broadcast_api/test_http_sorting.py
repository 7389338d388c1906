"""The orders of the list of broadcasts, by pages, with search and filter."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from broadcast_api.adapters.schema import runs
from broadcast_contracts import Counts
from tests.support.broadcast_api import Api, Json

DELIVERED = {"Весна": 5, "Август": 90, "Гроза": 5}


async def stage(api: Api) -> None:
    """Three that were sent, with so many delivered, and two that never were; all in an order of their own."""
    await api.people(1)
    audience = (await api.audience())["id"]
    for name in ("Яблоко", *DELIVERED, "Ёлка"):
        id = (await api.broadcast(name=name, audience_id=audience))["id"]
        if name in DELIVERED:
            await api.press("send", id)
            with api.database.write() as connection:
                mine = runs.c.broadcast_id == UUID(id)
                connection.execute(update(runs).where(mine).values(delivered=DELIVERED[name]))


async def read(api: Api, limit: int = 2, **query: Any) -> list[Json]:
    """The whole list, page by page."""
    items: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.http.get("/v1/broadcasts", params={"limit": limit, **query, **cursor})
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if answer.json()["next"] is None:
            return items
        cursor = {"cursor": answer.json()["next"]}


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("-created", ["Ёлка", "Гроза", "Август", "Весна", "Яблоко"]),
        ("created", ["Яблоко", "Весна", "Август", "Гроза", "Ёлка"]),
        ("name", ["Август", "Весна", "Гроза", "Яблоко", "Ёлка"]),
        ("-name", ["Ёлка", "Яблоко", "Гроза", "Весна", "Август"]),
        ("-sent", ["Гроза", "Август", "Весна", "Ёлка", "Яблоко"]),
        ("sent", ["Весна", "Август", "Гроза", "Ёлка", "Яблоко"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_every_order_is_kept_over_pages_of_any_size(api: Api, sort: str, names: list[str], limit: int) -> None:
    await stage(api)
    assert [item["name"] for item in await read(api, limit, sort=sort)] == names


@pytest.mark.parametrize("sort", ["delivered", "-delivered"])
@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_equal_numbers_of_delivered_lose_nobody_and_what_was_never_sent_comes_last(
    api: Api, sort: str, limit: int
) -> None:
    await stage(api)
    items = await read(api, limit, sort=sort)
    numbers = [item["counts"]["delivered"] for item in items[:3]]
    assert numbers == sorted(DELIVERED.values(), reverse=sort[0] == "-")
    assert {item["name"] for item in items[:3]} == set(DELIVERED)
    assert [item["name"] for item in items[3:]] == ["Ёлка", "Яблоко"]


@pytest.mark.parametrize("sort", ["name", "-name", "-sent", "delivered"])
async def test_search_and_filter_hold_in_every_order(api: Api, sort: str) -> None:
    await stage(api)
    assert [item["name"] for item in await read(api, 1, sort=sort, text="ВЕС")] == ["Весна"]
    assert {item["name"] for item in await read(api, 1, sort=sort, status="sending")} == set(DELIVERED)
    assert {item["name"] for item in await read(api, 1, sort=sort, status="created")} == {"Ёлка", "Яблоко"}


async def test_only_the_latest_run_counts(api: Api) -> None:
    await stage(api)
    id = UUID((await read(api, text="Гроза"))[0]["id"])
    with api.database.write() as connection:
        old = {"broadcast_id": id, "run": 7, "bot": "main", "audience_id": id, "content": {}, "state": "recalled"}
        first = connection.execute(runs.select().where(runs.c.broadcast_id == id)).one()
        connection.execute(runs.insert().values(**old, started_at=first.started_at, batch_size=1, delivered=1_000))
    assert len(await read(api, sort="-delivered")) == 5


async def test_a_recalled_broadcast_keeps_its_place_by_send_time(api: Api) -> None:
    id = await api.in_state("recalling")
    api.runs.record_recalled(UUID(id), 1, Counts(total=1, delivered=1, recalled=1))
    unsent = (await api.broadcast())["id"]
    assert [item["id"] for item in await read(api, 1, sort="sent", status="created")] == [id, unsent]


async def test_a_cursor_of_another_order_is_refused(api: Api) -> None:
    await stage(api)
    first = (await api.http.get("/v1/broadcasts?limit=1&sort=name")).json()
    for sort, status in (("name", 200), ("-name", 422), ("sent", 422)):
        answer = await api.http.get("/v1/broadcasts", params={"sort": sort, "cursor": first["next"]})
        assert answer.status_code == status, sort


async def test_an_order_that_does_not_exist_is_refused(api: Api) -> None:
    assert (await api.http.get("/v1/broadcasts?sort=luck")).status_code == 422


async def test_the_longest_name_fits_into_a_cursor(api: Api) -> None:
    names = [f"{'я' * 199}{letter}" for letter in "абв"]
    for name in names:
        await api.broadcast(name=name)
    items = await read(api, 1, sort="name")
    assert all(one["name"] < other["name"] for one, other in pairwise(items))
    assert len(items) == 3
