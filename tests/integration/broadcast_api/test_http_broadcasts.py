"""Drawing up, listing, reading, editing and deleting."""

import asyncio
from typing import Any
from uuid import UUID

from tests.support.broadcast_api import Api, key
from tests.support.identity import bearer


async def test_a_new_broadcast_is_shown_as_it_was_drawn_up(api: Api) -> None:
    headers = {**bearer(api.app, name="Иванов", position="HR"), "Accept-Language": "ru"}
    draft = await api.draft(
        name="  Собрание ", text="<b>Завтра</b>", parse_mode="HTML", silent=True, link_preview=False
    )
    answer = await api.http.post("/v1/broadcasts", json=draft, headers=headers)
    created = answer.json()
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1/broadcasts/{created['id']}"
    assert {name: created[name] for name in ("name", "text", "parse_mode", "silent", "link_preview", "bot")} == {
        "name": "Собрание",
        "text": "<b>Завтра</b>",
        "parse_mode": "HTML",
        "silent": True,
        "link_preview": False,
        "bot": "main",
    }
    assert created["audience"] == {"id": draft["audience_id"], "name": "Все"}
    assert created["created_by"] == {"name": "Иванов", "position": "HR"}
    assert (created["status"], created["status_label"], created["run"], created["sent_at"]) == (
        "created",
        "создана",
        0,
        None,
    )
    assert set(created["counts"].values()) == {0}
    assert await api.get(created["id"]) == {**created, "status_label": "created"}


async def test_who_does_not_say_who_they_are_is_the_operator(api: Api) -> None:
    assert (await api.broadcast())["created_by"] == {"name": "Operator", "position": ""}


async def test_an_edit_needs_the_version_that_was_seen(api: Api) -> None:
    broadcast = await api.broadcast()
    path = f"/v1/broadcasts/{broadcast['id']}"
    missing = await api.http.patch(path, json={"name": "Новое"})
    assert (missing.status_code, missing.json()["type"]) == (428, "urn:broadcasts:problem:if_match_required")
    edited = await api.http.patch(path, json={"name": "Новое"}, headers={"If-Match": '"1"'})
    assert (edited.status_code, edited.json()["name"], edited.headers["etag"]) == (200, "Новое", '"2"')
    stale = await api.http.patch(path, json={"name": "Третье"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["etag"], stale.json()["version"]) == (412, '"2"', 2)
    assert stale.json()["current"]["name"] == "Новое"
    assert (await api.get(broadcast["id"]))["name"] == "Новое"


async def test_what_is_no_etag_of_ours_never_matches(api: Api) -> None:
    path = f"/v1/broadcasts/{(await api.broadcast())['id']}"
    for tag in ('W/"1"', "1", "nonsense", '"999999999999"'):
        assert (await api.http.patch(path, json={"name": "x"}, headers={"If-Match": tag})).status_code == 412, tag


async def test_an_edit_of_whatever_there_is_says_so_with_a_star(api: Api) -> None:
    path = f"/v1/broadcasts/{(await api.broadcast())['id']}"
    for n in (2, 3):
        edited = await api.http.patch(path, json={"name": f"n{n}"}, headers={"If-Match": "*"})
        assert edited.headers["etag"] == f'"{n}"'


async def test_an_edit_that_changes_nothing_leaves_the_version(api: Api) -> None:
    broadcast = await api.broadcast()
    path, match = f"/v1/broadcasts/{broadcast['id']}", {"If-Match": '"1"'}
    assert (await api.http.patch(path, json={}, headers=match)).headers["etag"] == '"1"'
    assert (await api.http.patch(path, json={"name": "Собрание"}, headers=match)).headers["etag"] == '"1"'


async def test_every_field_of_a_draft_can_be_edited(api: Api) -> None:
    broadcast = await api.broadcast()
    other = (await api.audience(name="Другие"))["id"]
    changes: dict[str, Any] = {
        "name": "Иначе",
        "text": "*жирно*",
        "parse_mode": "MarkdownV2",
        "link_preview": False,
        "silent": True,
        "audience_id": other,
    }
    path, match = f"/v1/broadcasts/{broadcast['id']}", {"If-Match": '"1"'}
    edited = (await api.http.patch(path, json=changes, headers=match)).json()
    assert edited["audience"] == {"id": other, "name": "Другие"}
    assert {name: edited[name] for name in changes if name != "audience_id"} == {
        name: value for name, value in changes.items() if name != "audience_id"
    }


async def test_a_button_pressed_on_an_old_version_changes_nothing(api: Api) -> None:
    id = await api.in_state("created")
    for button in ("send", "stop", "resume", "recall"):
        answer = await api.press(button, id, **{"If-Match": '"7"'})
        assert answer.status_code == 412, button
        assert answer.json()["current"]["status"] == "created"
    assert (await api.get(id))["version"] == 1


async def test_send_on_the_version_that_was_seen_goes(api: Api) -> None:
    id = await api.in_state("created")
    assert (await api.press("send", id, **{"If-Match": '"1"'})).status_code == 202


async def test_a_deleted_broadcast_is_gone_but_its_history_stays(api: Api) -> None:
    id = (await api.broadcast())["id"]
    same = key()
    for _ in range(2):  # the repeat under the same key succeeds too
        assert (await api.http.delete(f"/v1/broadcasts/{id}", headers=same)).status_code == 204
    assert (await api.http.get(f"/v1/broadcasts/{id}")).status_code == 404
    assert (await api.http.delete(f"/v1/broadcasts/{id}")).status_code == 404
    assert (await api.press("send", id)).status_code == 404
    assert (await api.http.get("/v1/broadcasts")).json() == {"items": [], "next": None}
    history = (await api.http.get(f"/v1/broadcasts/{id}/history")).json()["items"]
    assert [entry["what"] for entry in history] == ["created", "deleted"]


async def test_creating_twice_under_one_key_is_one_broadcast(api: Api) -> None:
    draft, same = await api.draft(), key()
    first = await api.http.post("/v1/broadcasts", json=draft, headers=same)
    again = await api.http.post("/v1/broadcasts", json=draft, headers=same)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await api.http.post("/v1/broadcasts", json={**draft, "name": "Иное"}, headers=same)
    assert (other.status_code, other.json()["type"]) == (422, "urn:broadcasts:problem:key_reused")
    assert len((await api.http.get("/v1/broadcasts")).json()["items"]) == 1


async def test_twenty_creations_at_once_under_one_key_are_one_broadcast(api: Api) -> None:
    draft, same = await api.draft(), key()
    posts = [api.http.post("/v1/broadcasts", json=draft, headers=same) for _ in range(20)]
    answers = await asyncio.gather(*posts)
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, answers[0].json()["id"])}


async def test_a_repeated_edit_under_one_key_answers_the_present_state(api: Api) -> None:
    path = f"/v1/broadcasts/{(await api.broadcast())['id']}"
    headers = {**key(), "If-Match": '"1"'}
    for _ in range(2):
        answer = await api.http.patch(path, json={"name": "Новое"}, headers=headers)
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (await api.http.patch(path, json={"name": "Иное"}, headers=headers)).status_code == 422


async def test_a_key_used_for_send_cannot_be_used_for_stop(api: Api) -> None:
    id, same = await api.in_state("created"), key()
    assert (await api.press("send", id, **same)).status_code == 202
    assert (await api.press("stop", id, **same)).json()["type"] == "urn:broadcasts:problem:key_reused"
    assert (await api.get(id))["stopping"] is False


async def test_a_repeated_stop_under_one_key_is_no_refusal(api: Api) -> None:
    id, same = await api.in_state("sending"), key()
    assert [(await api.press("stop", id, **same)).status_code for _ in range(2)] == [202, 202]


async def test_the_list_stands_still_while_broadcasts_are_added(api: Api) -> None:
    draft = await api.draft()
    ids = [(await api.broadcast(**draft))["id"] for _ in range(7)][::-1]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = (await api.http.get("/v1/broadcasts", params={"limit": 3, **cursor})).json()
        seen += [item["id"] for item in answer["items"]]
        await api.broadcast(**draft)
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    assert seen == ids


async def test_the_list_is_filtered_by_status_and_by_part_of_a_name_in_any_case(api: Api) -> None:
    await api.people(1)
    draft = await api.draft()
    one = await api.broadcast(**{**draft, "name": "Годовое СОБРАНИЕ 100%"})
    two = await api.broadcast(**{**draft, "name": "Отпуск"})
    await api.press("send", two["id"])

    async def ids(**params: str) -> list[str]:
        answer = await api.http.get("/v1/broadcasts", params=params)
        return [item["id"] for item in answer.json()["items"]]

    assert await ids(text="собрание") == [one["id"]]
    assert await ids(text="0%") == [one["id"]]
    assert await ids(text="%о%") == []
    assert await ids(status="sending") == [two["id"]]
    assert await ids(status="sending", text="собрание") == []
    assert await ids() == [two["id"], one["id"]]


async def test_history_says_who_did_what_and_under_which_request(api: Api) -> None:
    id = await api.in_state("created")
    await api.press("send", id, **{**bearer(api.app, name="Petrova"), "X-Request-Id": "req-7", **key()})
    api.runs.record_frozen(UUID(id), 1, 3, 1)
    created, sent, frozen = (await api.http.get(f"/v1/broadcasts/{id}/history")).json()["items"]
    assert (created["what"], created["version"], created["details"]["name"]) == ("created", 1, "Собрание")
    assert (sent["what"], sent["by"], sent["request_id"]) == (
        "sending_started",
        {"name": "Petrova", "position": ""},
        "req-7",
    )
    assert (frozen["what"], frozen["by"], frozen["details"]) == (
        "audience_frozen",
        None,
        {"run": 1, "total": 3, "unreachable": 1},
    )


async def test_there_is_no_history_of_what_is_no_broadcast(api: Api) -> None:
    audience = await api.audience()
    assert (await api.http.get(f"/v1/broadcasts/{audience['id']}/history")).status_code == 404
    assert (await api.http.get(f"/v1/broadcasts/{audience['id']}")).status_code == 404
    assert (await api.press("send", audience["id"])).status_code == 404
