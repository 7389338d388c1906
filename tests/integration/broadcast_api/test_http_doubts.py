"""What an operator decides about the unconfirmed, and sending again to those who were not reached."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, select, update

from broadcast_api.adapters.schema import decisions, deliveries, recipients, runs
from broadcast_contracts import Counts
from tests.support.broadcast_api import Api, key
from tests.support.identity import bearer


async def sent(api: Api, *outcomes: str, **row: Any) -> tuple[str, list[int]]:
    """A sent broadcast and the directory ids of its recipients, in order."""
    id = await api.in_state("sent")
    people = await api.people(*range(2001, 2001 + len(outcomes)))
    with api.database.write() as connection:
        run_id = connection.scalar(select(runs.c.id).where(runs.c.run == 1))
        for n, outcome in enumerate(outcomes):
            values = {"run_id": run_id, "position": n, "recipient_id": people[n], "chat_id": 2001 + n, **row}
            connection.execute(insert(deliveries).values(**values, outcome=outcome))
    return id, people


async def answer(api: Api, id: str, answer: str, recipients: object, **headers: str) -> httpx.Response:
    body = {"answer": answer, "recipients": recipients}
    return await api.http.post(f"/v1/broadcasts/{id}/unconfirmed", json=body, headers=headers)


async def test_an_answer_is_recorded_with_who_and_whom(api: Api) -> None:
    id, people = await sent(api, "unconfirmed", "delivered", "unconfirmed")
    said = await answer(api, id, "leave", [people[2], people[2]], **bearer(api.app, name="Kotova"))
    assert (said.status_code, said.json()["status"]) == (202, "sent")
    (entry,) = (await api.http.get(f"/v1/broadcasts/{id}/history")).json()["items"][-1:]
    assert (entry["what"], entry["by"]["name"]) == ("unconfirmed_answered", "Kotova")
    assert entry["details"] == {"run": 1, "leg": 1, "answer": "leave", "recipients": [people[2]], "people": 1}
    with api.database.read() as connection:
        (decision,) = connection.execute(select(decisions)).all()
    assert (decision.answer, decision.recipients, decision.carried_out) == ("leave", [people[2]], False)


async def test_all_are_those_about_whom_nothing_was_decided(api: Api) -> None:
    id, _ = await sent(api, "unconfirmed", "unconfirmed", "blocked")
    with api.database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.position == 0).values(answer="leave"))
    assert (await answer(api, id, "delivered", "all")).status_code == 202
    (entry,) = (await api.http.get(f"/v1/broadcasts/{id}/history")).json()["items"][-1:]
    assert (entry["details"]["recipients"], entry["details"]["people"]) == ("all", 1)


async def test_a_resend_of_the_unconfirmed_goes_on_with_sending(api: Api) -> None:
    id, _ = await sent(api, "unconfirmed")
    assert (await answer(api, id, "resend", "all")).json()["status"] == "sending"
    api.runs.record_sent(UUID(id), 1, 2, Counts(total=1, delivered=1))
    assert (await api.get(id))["status"] == "sent"


async def test_the_same_answer_again_is_no_second_decision(api: Api) -> None:
    id, _ = await sent(api, "unconfirmed")
    same = key()
    versions = [(await answer(api, id, "resend", "all", **same)).json()["version"] for _ in range(3)]
    assert len(set(versions)) == 1


async def test_an_answer_about_somebody_else_is_refused_with_their_ids(api: Api) -> None:
    id, people = await sent(api, "unconfirmed", "delivered")
    problem = await answer(api, id, "delivered", people)
    assert (problem.status_code, problem.json()["ids"]) == (409, [people[1]])
    assert problem.json()["type"].endswith(":not_unconfirmed")


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_where_nobody_is_left_the_refusal_says_so(api: Api, language: str) -> None:
    id, _ = await sent(api, "delivered", "blocked", sent_at=2**40)
    spoken = {"Accept-Language": language}
    for code, problem in {
        "nobody_unconfirmed": await answer(api, id, "leave", "all", **spoken),
        "nobody_to_resend_to": await api.press("resend", id, **spoken),
    }.items():
        assert (problem.status_code, problem.json()["type"]) == (409, f"urn:broadcasts:problem:{code}")
        assert problem.headers["content-language"] == language


@pytest.mark.parametrize("body", [{"answer": "maybe", "recipients": "all"}, {"answer": "leave", "recipients": []}, {}])
async def test_an_answer_that_cannot_be_read_is_refused(api: Api, body: dict[str, object]) -> None:
    id, _ = await sent(api, "unconfirmed")
    assert (await api.http.post(f"/v1/broadcasts/{id}/unconfirmed", json=body)).status_code == 422


async def test_a_resend_counts_who_came_back(api: Api) -> None:
    id, people = await sent(api, "blocked", "refused", "not_started", "delivered", sent_at=1_700_000_000)
    with api.database.write() as connection:
        connection.execute(update(recipients).values(status="active", status_at=0))
        came = update(recipients).where(recipients.c.id == people[2])
        connection.execute(came.values(status_at=1_700_000_001))
    assert (await api.press("resend", id)).json()["status"] == "sending"
    (entry,) = (await api.http.get(f"/v1/broadcasts/{id}/history")).json()["items"][-1:]
    assert (entry["what"], entry["details"]) == ("resend_requested", {"run": 1, "leg": 2, "people": 2})


async def test_the_open_list_leaves_out_who_was_decided_about(api: Api) -> None:
    id, people = await sent(api, "unconfirmed", "unconfirmed")
    with api.database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.position == 0).values(answer="leave"))
    path = f"/v1/broadcasts/{id}/deliveries"
    found = (await api.http.get(path, params={"outcome": "unconfirmed"})).json()["items"]
    assert [row["answer"] for row in found] == ["leave", None]
    found = (await api.http.get(path, params={"outcome": "unconfirmed", "answered": False})).json()["items"]
    assert [row["recipient_id"] for row in found] == [people[1]]


@pytest.mark.parametrize(("format", "kind"), [("csv", "text/csv"), ("ndjson", "application/x-ndjson")])
async def test_a_link_in_a_browser_names_the_format(api: Api, format: str, kind: str) -> None:
    id, _ = await sent(api, "unconfirmed", "delivered")
    path = f"/v1/broadcasts/{id}/deliveries"
    asked = {"format": format, "outcome": "unconfirmed"}
    answer = await api.http.get(path, params=asked, headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith(kind)
    assert len(answer.text.splitlines()) == (2 if format == "csv" else 1)
    assert (await api.http.get(path, params={"format": "xls"})).status_code == 422
