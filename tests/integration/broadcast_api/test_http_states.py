"""Every button in every state: what it does, and how it is refused where it does not fit."""

import asyncio
from uuid import UUID

import httpx
import pytest

from broadcast_contracts import Cause, Counts
from tests.support.broadcast_api import Api, key

REFUSALS = {
    "created": {
        "stop": "not_sending",
        "resume": "not_stopped",
        "answer": "not_at_rest",
        "resend": "not_sent",
        "recall": "not_recallable",
    },
    "sending": {
        "edit": "not_created",
        "delete": "not_created",
        "test": "not_created",
        "send": "not_created",
        "resume": "not_stopped",
        "answer": "not_at_rest",
        "resend": "not_sent",
        "recall": "not_recallable",
    },
    "stopping": {
        "edit": "not_created",
        "delete": "not_created",
        "test": "not_created",
        "send": "not_created",
        "stop": "already_stopping",
        "resume": "not_stopped",
        "answer": "not_at_rest",
        "resend": "not_sent",
        "recall": "not_recallable",
    },
    "stopped": {
        "edit": "not_created",
        "delete": "not_created",
        "test": "not_created",
        "send": "not_created",
        "stop": "not_sending",
        "resend": "not_sent",
    },
    "sent": {
        "edit": "not_created",
        "delete": "not_created",
        "test": "not_created",
        "send": "not_created",
        "stop": "not_sending",
        "resume": "not_stopped",
    },
    "recalling": {
        "edit": "not_created",
        "delete": "not_created",
        "test": "not_created",
        "send": "not_created",
        "stop": "not_sending",
        "resume": "not_stopped",
        "answer": "not_at_rest",
        "resend": "not_sent",
        "recall": "not_recallable",
    },
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_command_that_does_not_fit_the_state_is_refused_with_the_state(api: Api, status: str) -> None:
    id = await api.in_state(status)
    before = await api.get(id)
    for command, code in REFUSALS[status].items():
        problem = await _do(api, command, id, before["version"])
        shown = {"stopping": "sending"}.get(status, status)
        assert problem.status_code == 409, command
        assert problem.json()["type"] == f"urn:broadcasts:problem:{code}", command
        assert problem.json()["status_now"] == shown
        assert problem.json()["stopping"] is (status == "stopping")
    assert await api.get(id) == before


async def _do(api: Api, command: str, id: str, version: int) -> httpx.Response:
    path, match = f"/v1/broadcasts/{id}", {"If-Match": f'"{version}"'}
    if command == "edit":
        return await api.http.patch(path, json={"name": "Другое"}, headers=match)
    if command == "delete":
        return await api.http.delete(path, headers=match)
    if command == "test":
        (somebody,) = await api.people(1001)
        return await api.http.post(f"{path}/test", json={"recipient_id": somebody})
    if command == "answer":
        return await api.http.post(f"{path}/unconfirmed", json={"answer": "leave", "recipients": "all"})
    return await api.press(command, id)


async def test_a_broadcast_goes_all_the_way_round_and_gets_a_second_run(api: Api) -> None:
    await api.people(1, 2)
    id = (await api.broadcast())["id"]

    sending = await api.press("send", id)
    assert (sending.status_code, sending.json()["status"], sending.json()["run"]) == (202, "sending", 1)
    stopping = (await api.press("stop", id)).json()
    assert (stopping["status"], stopping["stopping"], stopping["stop_cause"]) == ("sending", True, None)
    api.runs.record_stopped(UUID(id), 1, 1, Counts(total=2, pending=2))
    assert (await api.get(id))["status"] == "stopped"
    assert (await api.press("resume", id)).json()["status"] == "sending"
    api.runs.record_sent(UUID(id), 1, 2, Counts(total=2, delivered=2))
    assert (await api.get(id))["status"] == "sent"
    assert (await api.press("recall", id)).json()["status"] == "recalling"
    api.runs.record_recalled(UUID(id), 1, Counts(total=2, delivered=2, recalled=2))
    assert (await api.get(id))["status"] == "created"
    assert (await api.press("send", id)).json()["run"] == 2


async def test_everybody_accounted_for_before_the_stop_took_effect_means_sent(api: Api) -> None:
    id = await api.in_state("stopping")
    api.runs.record_sent(UUID(id), 1, 1, Counts(total=1, delivered=1))
    assert (await api.get(id))["status"] == "sent"
    assert (await api.get(id))["stopping"] is False


async def test_what_the_system_stopped_says_why(api: Api) -> None:
    id = await api.in_state("sending")
    api.runs.halt(UUID(id), 1, Cause.CONTENT_REFUSED, "can't parse entities")
    api.runs.halt(UUID(id), 1, Cause.BOT_UNAUTHORIZED, "too late")
    found = await api.get(id)
    assert (found["stop_cause"], found["stop_detail"]) == ("content_refused", "can't parse entities")


async def test_facts_about_another_run_or_a_passed_state_are_ignored(api: Api) -> None:
    id = await api.in_state("sent")
    before = await api.get(id)
    for run in (1, 2):
        api.runs.record_frozen(UUID(id), run, 5, 0)
        api.runs.record_stopped(UUID(id), run, 1, Counts())
        api.runs.record_sent(UUID(id), run, 1, Counts())
        api.runs.record_recalled(UUID(id), run, Counts())
        api.runs.halt(UUID(id), run, Cause.CONTENT_REFUSED, "")
    assert await api.get(id) == before


async def test_an_audience_with_nobody_in_it_is_refused_at_send(api: Api) -> None:
    id = (await api.broadcast())["id"]
    problem = await api.press("send", id)
    assert (problem.status_code, problem.json()["title"]) == (409, "Audience is empty")
    await api.people(5, status="blocked")
    assert (await api.press("send", id)).status_code == 202


async def test_an_archived_audience_is_refused_at_send(api: Api) -> None:
    await api.people(5)
    broadcast = await api.broadcast()
    assert (await api.http.delete(f"/v1/audiences/{broadcast['audience']['id']}")).status_code == 204
    assert (await api.press("send", broadcast["id"])).json()["type"].endswith(":audience_archived")


async def test_fifty_sends_at_once_under_one_key_are_one_run_and_all_succeed(api: Api) -> None:
    id = await api.in_state("created")
    same = key()
    answers = await asyncio.gather(*(api.press("send", id, **same) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["run"] for answer in answers} == {1}
    assert (await _events(api, id)).count("sending_started") == 1


async def test_fifty_sends_at_once_without_a_key_are_one_run(api: Api) -> None:
    id = await api.in_state("created")
    answers = await asyncio.gather(*(api.press("send", id) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 49
    assert (await _events(api, id)).count("sending_started") == 1


async def _events(api: Api, id: str) -> list[str]:
    history = (await api.http.get(f"/v1/broadcasts/{id}/history")).json()["items"]
    return [entry["what"] for entry in history]
