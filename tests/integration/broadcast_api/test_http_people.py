"""The directory, the audiences and the bots."""

import asyncio
from typing import Any
from uuid import UUID

from tests.support.broadcast_api import Api, key


async def test_the_bots_are_those_of_the_settings(api: Api) -> None:
    assert (await api.http.get("/v1/bots")).json() == {"items": [{"name": "main"}, {"name": "other"}]}


async def test_people_are_entered_changed_read_and_taken_out(api: Api) -> None:
    (id,) = await api.people(77, department="IT", username="ann")
    assert await api.people(77, department="HR") == [id]
    person = (await api.http.get(f"/v1/recipients/{id}")).json()
    assert {name: person[name] for name in ("chat_id", "department", "username", "status", "kind")} == {
        "chat_id": 77,
        "department": "HR",
        "username": None,
        "status": "active",
        "kind": "employee",
    }
    assert (await api.http.delete(f"/v1/recipients/{id}")).status_code == 204
    assert (await api.http.get(f"/v1/recipients/{id}")).status_code == 404
    assert (await api.http.delete(f"/v1/recipients/{id}")).status_code == 404


async def test_an_import_without_status_unblocks_nobody(api: Api) -> None:
    (id,) = await api.people(77, status="blocked")
    await api.people(77)
    assert (await api.http.get(f"/v1/recipients/{id}")).json()["status"] == "blocked"
    await api.people(77, status="active")
    assert (await api.http.get(f"/v1/recipients/{id}")).json()["status"] == "active"


async def test_the_same_chat_with_two_bots_is_two_recipients(api: Api) -> None:
    (one,), (two,) = await api.people(77), await api.people(77, bot="other")
    assert one != two


async def test_of_two_entries_for_one_chat_the_last_one_counts(api: Api) -> None:
    rows = [{"chat_id": 5, "first_name": "A"}, {"chat_id": 5, "first_name": "B", "status": "blocked"}]
    assert (await api.http.put("/v1/recipients", json={"bot": "main", "recipients": rows})).json() == {
        "upserted": 1,
        "created": 1,
        "updated": 0,
    }
    (person,) = (await api.http.get("/v1/recipients")).json()["items"]
    assert (person["first_name"], person["status"]) == ("B", "blocked")


async def test_ten_thousand_people_go_in_at_once_and_again_from_two_sides(api: Api) -> None:
    rows = [{"chat_id": n, "first_name": f"Имя{n}", "last_name": "Ф" * 20} for n in range(1, 10_001)]
    answers = await asyncio.gather(
        api.http.put("/v1/recipients", json={"bot": "main", "recipients": rows}),
        api.http.put("/v1/recipients", json={"bot": "main", "recipients": rows[::-1]}),
    )
    assert [answer.json()["upserted"] for answer in answers] == [10_000] * 2
    too_many = {"bot": "main", "recipients": [*rows, {"chat_id": 10_001}]}
    assert (await api.http.put("/v1/recipients", json=too_many)).status_code == 422


async def test_bad_people_are_refused_together_with_the_good(api: Api) -> None:
    bad: dict[str, dict[str, Any]] = {
        "group": {"chat_id": -100123},
        "zero": {"chat_id": 0},
        "too large": {"chat_id": 2**52},
        "huge": {"chat_id": 10**30},
        "text": {"chat_id": "x"},
        "NUL": {"chat_id": 5, "first_name": "a\0"},
        "status": {"chat_id": 5, "status": "gone"},
        "unknown field": {"chat_id": 5, "salary": 1},
    }
    for case, person in bad.items():
        body = {"bot": "main", "recipients": [{"chat_id": 1}, person]}
        problem = await api.http.put("/v1/recipients", json=body)
        assert problem.status_code == 422, case
        assert problem.json()["errors"][0]["pointer"].startswith("/recipients/1/"), case
    group = {"bot": "main", "recipients": [bad["group"]]}
    assert "group or channel" in (await api.http.put("/v1/recipients", json=group)).json()["errors"][0]["detail"]
    assert (await api.http.get("/v1/recipients")).json()["items"] == []


async def test_people_of_an_unknown_bot_are_refused(api: Api) -> None:
    answer = await api.http.put("/v1/recipients", json={"bot": "nobody", "recipients": [{"chat_id": 1}]})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:broadcasts:problem:unknown_bot")


async def test_people_are_listed_page_by_page_and_found_by_part_of_a_name(api: Api) -> None:
    ids = await api.people(*range(1, 6))
    await api.people(9, last_name="ЁЛКИНА", status="blocked")
    first = (await api.http.get("/v1/recipients", params={"limit": 4})).json()
    await api.people(10)
    rest = (await api.http.get("/v1/recipients", params={"limit": 4, "cursor": first["next"]})).json()
    assert [person["id"] for person in first["items"]] == ids[:4]
    assert [person["chat_id"] for person in rest["items"]] == [5, 9, 10]
    assert rest["next"] is None

    async def chats(**params: Any) -> list[int]:
        return [person["chat_id"] for person in (await api.http.get("/v1/recipients", params=params)).json()["items"]]

    assert await chats(text="ёлк") == [9]
    assert await chats(status="blocked") == [9]
    assert await chats(chat_id=5) == [5]
    assert await chats(bot="other") == []


async def test_an_audience_is_made_renamed_redefined_and_archived(api: Api) -> None:
    audience = await api.audience({"kind": "attributes", "where": {"department": ["IT"]}})
    path = f"/v1/audiences/{audience['id']}"
    assert audience["definition"] == {"kind": "attributes", "where": {"department": ["IT"]}}
    assert (await api.http.patch(path, json={"name": "x"})).status_code == 428
    renamed = await api.http.patch(path, json={"name": "Айти"}, headers={"If-Match": '"1"'})
    assert (renamed.json()["name"], renamed.headers["etag"]) == ("Айти", '"2"')
    stale = await api.http.patch(path, json={"name": "y"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["version"]) == (412, 2)
    redefined = await api.http.patch(path, json={"definition": {"kind": "everyone"}}, headers={"If-Match": '"2"'})
    assert redefined.json()["definition"] == {"kind": "everyone"}
    assert (await api.http.delete(path)).status_code == 204
    assert (await api.http.delete(path)).json()["type"].endswith(":audience_archived")
    assert (await api.http.get("/v1/audiences")).json()["items"] == []
    assert len((await api.http.get("/v1/audiences", params={"archived": True})).json()["items"]) == 1


async def test_making_an_audience_twice_under_one_key_is_one_audience(api: Api) -> None:
    body, same = {"bot": "main", "name": "Все", "definition": {"kind": "everyone"}}, key()
    first, again = [await api.http.post("/v1/audiences", json=body, headers=same) for _ in range(2)]
    assert first.json() == again.json()
    assert (await api.http.post("/v1/audiences", json={**body, "name": "Не все"}, headers=same)).status_code == 422


async def test_a_list_keeps_its_members_through_a_new_name_and_changes_them_with_its_definition(api: Api) -> None:
    one, two, three = await api.people(1, 2, 3)
    audience = await api.audience({"kind": "list", "recipient_ids": [two, one, two]})
    path = f"/v1/audiences/{audience['id']}"
    assert audience["definition"] == {"kind": "list", "recipient_ids": [one, two]}
    renamed = await api.http.patch(path, json={"name": "Двое"}, headers={"If-Match": '"1"'})
    assert renamed.json()["definition"]["recipient_ids"] == [one, two]
    new = {"definition": {"kind": "list", "recipient_ids": [three]}}
    assert (await api.http.patch(path, json=new, headers={"If-Match": '"2"'})).json()["definition"] == new["definition"]
    await api.http.patch(path, json={"definition": {"kind": "everyone"}}, headers={"If-Match": '"3"'})
    assert api.app.state.services.queries.members(UUID(audience["id"])) == []


async def test_a_preview_counts_who_would_be_reached_by_each_definition(api: Api) -> None:
    ids = await api.people(1, 2, department="IT", position="lead")
    await api.people(3, department="IT", status="blocked", language="en")
    await api.people(4, department="HR", status="not_started", kind="contractor")
    await api.people(5, bot="other", department="IT")
    cases: list[tuple[dict[str, Any], tuple[int, int, int, int]]] = [
        ({"kind": "everyone"}, (4, 2, 1, 1)),
        ({"kind": "attributes", "where": {"department": ["IT"]}}, (3, 2, 1, 0)),
        ({"kind": "attributes", "where": {"department": ["IT", "HR"], "kind": ["contractor"]}}, (1, 0, 0, 1)),
        ({"kind": "attributes", "where": {"department": ["IT"], "language": ["ru"]}}, (0, 0, 0, 0)),
        ({"kind": "list", "recipient_ids": [ids[0], 999_999]}, (1, 1, 0, 0)),
    ]
    for definition, expected in cases:
        preview = (await api.http.post("/v1/audiences/preview", json={"bot": "main", "definition": definition})).json()
        assert tuple(preview[name] for name in ("total", "reachable", "blocked", "not_started")) == expected, definition
        assert len(preview["sample"]) == expected[0]
    stored = await api.audience({"kind": "list", "recipient_ids": ids})
    assert (await api.http.get(f"/v1/audiences/{stored['id']}/preview")).json()["reachable"] == 2


async def test_bad_audiences_are_refused(api: Api) -> None:
    (foreign,) = await api.people(1, bot="other")
    bad: dict[str, tuple[dict[str, Any], str]] = {
        "no kind": ({}, "invalid"),
        "unknown kind": ({"kind": "vip"}, "invalid"),
        "empty list": ({"kind": "list", "recipient_ids": []}, "invalid"),
        "too long a list": ({"kind": "list", "recipient_ids": list(range(1, 10_002))}, "invalid"),
        "nobody known": ({"kind": "list", "recipient_ids": [999]}, "unknown_recipients"),
        "somebody of another bot": ({"kind": "list", "recipient_ids": [foreign]}, "unknown_recipients"),
        "no attribute": ({"kind": "attributes", "where": {}}, "bad_definition"),
        "no value": ({"kind": "attributes", "where": {"department": []}}, "invalid"),
        "unknown attribute": ({"kind": "attributes", "where": {"salary": ["1"]}}, "invalid"),
        "NUL": ({"kind": "attributes", "where": {"department": ["a\0"]}}, "invalid"),
        "members of everyone": ({"kind": "everyone", "recipient_ids": [1]}, "invalid"),
    }
    for case, (definition, code) in bad.items():
        answer = await api.http.post("/v1/audiences", json={"bot": "main", "name": "x", "definition": definition})
        assert (answer.status_code, answer.json()["type"]) == (422, f"urn:broadcasts:problem:{code}"), case
    nameless = {"bot": "main", "name": " ", "definition": {"kind": "everyone"}}
    assert (await api.http.post("/v1/audiences", json=nameless)).json()["type"].endswith(":bad_name")
    botless = {"bot": "nobody", "name": "x", "definition": {"kind": "everyone"}}
    assert (await api.http.post("/v1/audiences", json=botless)).json()["type"].endswith(":unknown_bot")


async def test_who_leaves_the_directory_leaves_every_list(api: Api) -> None:
    one, two = await api.people(1, 2)
    audience = await api.audience({"kind": "list", "recipient_ids": [one, two]})
    await api.http.delete(f"/v1/recipients/{one}")
    found = (await api.http.get(f"/v1/audiences/{audience['id']}")).json()
    assert found["definition"]["recipient_ids"] == [two]
