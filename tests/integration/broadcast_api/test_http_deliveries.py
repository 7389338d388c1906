"""What became of each recipient, test messages, and the counts that are shown."""

import asyncio
import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from broadcast_api.adapters.schema import deliveries, runs
from tests.support.broadcast_api import Api


async def sent_to(api: Api, *rows: dict[str, Any]) -> str:
    """A broadcast being sent whose run has these delivery rows."""
    id = await api.in_state("sending")
    with api.database.write() as connection:
        run_id = connection.scalar(select(runs.c.id).where(runs.c.run == 1))
        for position, row in enumerate(rows):
            values = {"run_id": run_id, "position": position, "recipient_id": 900 + position, "chat_id": 70, **row}
            connection.execute(insert(deliveries).values(values))
    return id


async def test_deliveries_come_in_pages_and_by_outcome(api: Api) -> None:
    (known,) = await api.people(1001)
    id = await sent_to(
        api,
        {"recipient_id": known, "outcome": "delivered", "message_ids": "5,6", "sent_at": 1_700_000_000},
        {"outcome": "blocked", "reason": "Forbidden: bot was blocked by the user"},
        {},
        {"outcome": "unconfirmed"},
    )
    path = f"/v1/broadcasts/{id}/deliveries"
    first = (await api.http.get(path, params={"limit": 3})).json()
    rest = (await api.http.get(path, params={"limit": 3, "cursor": first["next"]})).json()
    assert [row["outcome"] for row in first["items"] + rest["items"]] == ["delivered", "blocked", None, "unconfirmed"]
    assert first["items"][0]["message_ids"] == [5, 6]
    assert first["items"][0]["first_name"] == "N1001"
    assert first["items"][0]["sent_at"] == "2023-11-14T22:13:20Z"
    assert first["items"][1]["reason"].startswith("Forbidden")
    for outcome, expected in {"pending": 1, "delivered": 1, "blocked": 1, "unconfirmed": 1, "refused": 0}.items():
        found = (await api.http.get(path, params={"outcome": outcome})).json()["items"]
        assert len(found) == expected, outcome
    assert (await api.http.get(path, params={"run": 2})).status_code == 404
    assert (await api.http.get(path, params={"outcome": "unattempted"})).status_code == 422


@pytest.mark.parametrize("few", [0, 1_000])
async def test_somebody_is_found_by_name_username_external_id_or_chat(
    api: Api, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("broadcast_api.adapters.queries.FEW", few)  # both ways to search find the same
    (anna,) = await api.people(2001, last_name="Петрова", username="anna_p", external_id="T-17")
    (ivan,) = await api.people(2002, last_name="Петров")
    await api.people(2003, last_name="Петренко")  # not in this run
    people: list[dict[str, Any]] = [
        {"recipient_id": anna, "chat_id": 2001, "outcome": "delivered"},
        {"recipient_id": ivan, "chat_id": 2002},
    ]
    id = await sent_to(api, *people, {"chat_id": 4_000})
    expected = {"ПЕТР": [anna, ivan], "петрова": [anna], "@anna_p": [anna], "t-17": [anna], "2002": [ivan]}
    for text, ids in {**expected, "4000": [902], "петренко": [], "9" * 30: [], "%": []}.items():
        found = (await api.http.get(f"/v1/broadcasts/{id}/deliveries", params={"text": text})).json()["items"]
        assert [row["recipient_id"] for row in found] == ids, text
    query = {"text": "петр", "outcome": "pending", "format": "csv"}
    lines = (await api.http.get(f"/v1/broadcasts/{id}/deliveries", params=query)).text.splitlines()
    assert len(lines) == 2, "a file has what the list has"
    assert "Петров," in lines[1]


async def test_a_broadcast_never_sent_has_no_deliveries(api: Api) -> None:
    id = (await api.broadcast())["id"]
    for accept in ("application/json", "text/csv", "application/x-ndjson"):
        answer = await api.http.get(f"/v1/broadcasts/{id}/deliveries", headers={"Accept": accept})
        assert answer.status_code == 200, accept


async def test_an_export_has_every_recipient_and_no_formula(api: Api) -> None:
    (known,) = await api.people(1002, last_name="=HYPERLINK(1)", department='IT, "1"')
    id = await sent_to(api, {"recipient_id": known, "outcome": "delivered", "message_ids": "5,6"}, *[{}] * 4_999)
    path = f"/v1/broadcasts/{id}/deliveries"
    table = await api.http.get(path, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text.removeprefix("\ufeff"))))
    assert len(rows) == 5_000
    assert (rows[0]["last_name"], rows[0]["message_ids"], rows[0]["department"]) == (
        "'=HYPERLINK(1)",
        "5 6",
        'IT, "1"',
    )
    assert table.headers["content-disposition"].startswith("attachment")
    lines = (await api.http.get(path, headers={"Accept": "application/x-ndjson"})).text.splitlines()
    assert len(lines) == 5_000
    assert json.loads(lines[0])["message_ids"] == [5, 6]
    blocked = await api.http.get(path, params={"outcome": "blocked"}, headers={"Accept": "application/x-ndjson"})
    assert blocked.text == ""


async def test_the_counts_of_the_latest_run_add_up(api: Api) -> None:
    id = await sent_to(api)
    row = {"total": 10, "delivered": 4, "failed": 2, "blocked": 1, "unconfirmed": 1, "skipped": 1, "frozen": True}
    with api.database.write() as connection:
        connection.execute(update(runs).where(runs.c.run == 1).values(row))
    shown = await api.get(id)
    assert shown["counts"] == {
        "total": 10,
        "delivered": 4,
        "failed": 2,
        "blocked": 1,
        "unconfirmed": 1,
        "skipped": 1,
        "pending": 2,
        "recalled": 0,
        "unrecalled": 0,
    }
    assert shown["audience_frozen"] is True


async def test_a_test_message_is_waited_for_and_its_outcome_told(api: Api) -> None:
    (somebody,) = await api.people(1001)
    id = (await api.broadcast())["id"]
    pressed = asyncio.create_task(api.http.post(f"/v1/broadcasts/{id}/test", json={"recipient_id": somebody}))
    while not (row := await asyncio.to_thread(_trial, api)):
        await asyncio.sleep(0.01)
    assert (row.position, row.recipient_id, row.chat_id, row.outcome) == (1, somebody, 1001, None)
    with api.database.write() as connection:
        connection.execute(update(deliveries).values(outcome="delivered", message_ids="8"))
    answer = await pressed
    assert answer.status_code == 200
    assert answer.json() == {"test": 1, "outcome": "delivered", "reason": None, "message_ids": [8]}
    assert (await api.get(id))["run"] == 0


def _trial(api: Api) -> Any:
    with api.database.read() as connection:
        return connection.execute(select(deliveries)).one_or_none()


async def test_a_test_message_that_takes_long_can_be_asked_for_later(api: Api) -> None:
    (somebody,) = await api.people(1001)
    id = (await api.broadcast())["id"]
    same = {"Idempotency-Key": "try"}
    for _ in range(2):  # the repeat waits for the same message
        answer = await api.http.post(f"/v1/broadcasts/{id}/test", json={"recipient_id": somebody}, headers=same)
        assert (answer.status_code, answer.json()["test"], answer.json()["outcome"]) == (202, 1, None)
        assert answer.headers["location"] == f"/v1/broadcasts/{id}/test/1"
    assert (await api.http.get(answer.headers["location"])).json()["test"] == 1
    second = await api.http.post(f"/v1/broadcasts/{id}/test", json={"recipient_id": somebody})
    assert second.json()["test"] == 2
    assert (await api.http.get(f"/v1/broadcasts/{id}/test/3")).status_code == 404


async def test_a_test_message_to_nobody_we_know_is_refused(api: Api) -> None:
    (foreign,) = await api.people(1, bot="other")
    broadcast = await api.broadcast()
    for recipient in (foreign, 999):
        answer = await api.http.post(f"/v1/broadcasts/{broadcast['id']}/test", json={"recipient_id": recipient})
        assert (answer.status_code, answer.json()["ids"]) == (422, [recipient])
    assert (await api.get(broadcast["id"]))["version"] == 1


async def test_a_test_message_says_what_the_broadcast_says_when_it_is_asked_for(api: Api) -> None:
    (somebody,) = await api.people(1001)
    path = f"/v1/broadcasts/{(await api.broadcast(text='one'))['id']}"
    await api.http.post(f"{path}/test", json={"recipient_id": somebody})
    await api.http.patch(path, json={"text": "two"}, headers={"If-Match": '"2"'})
    await api.http.post(f"{path}/test", json={"recipient_id": somebody})
    with api.database.read() as connection:
        assert [row.content["text"] for row in connection.execute(select(runs))] == ["two"]
