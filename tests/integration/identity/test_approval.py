"""A broadcast to more than two people needs a second person here, whichever way it is sent."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from broadcast_contracts import Counts
from tests.integration.identity.conftest import Build, client
from tests.support.broadcast_api import Api, Json
from tests.support.identity import bearer
from tests.support.oidc_provider import AUDIENCE, CLIENT_ID, OidcProvider

ABOVE = 2


@pytest.fixture
def app(built: Build, provider: OidcProvider) -> FastAPI:
    return built(
        approval_above=ABOVE,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_audience=AUDIENCE,
        oidc_claims={"roles": "groups"},
        oidc_roles={"approvers": "main=approver", "both": "main=author+approver"},
    )


class Person:
    """Somebody who calls HTTP v1 with a token of the provider."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def approves(self, seen: Json, **headers: str) -> httpx.Response:
        body = {"digest": seen["approval"]["digest"]}
        return await self.http.post(f"/v1/broadcasts/{seen['id']}/approve", json=body, headers=headers)

    async def withdraws(self, id: str) -> httpx.Response:
        return await self.http.delete(f"/v1/broadcasts/{id}/approval")


@pytest.fixture
async def boris(app: FastAPI, provider: OidcProvider) -> AsyncIterator[Person]:
    """Draws up and approves."""
    token = provider.token(sub="u-2", name="Борис", groups=["both"], client_id="console")
    async with client(app, {"Authorization": f"Bearer {token}"}) as http:
        yield Person(http)


def said(answer: httpx.Response) -> tuple[int, str]:
    """The status, and the code of the problem."""
    return answer.status_code, answer.json()["type"].rpartition(":")[2] if answer.is_error else ""


async def to_many(api: Api, **more: Any) -> Json:
    """A broadcast to three people, as it is read."""
    await api.people(1, 2, 3)
    return await api.get((await api.broadcast(**more))["id"])


async def test_a_broadcast_to_many_is_sent_after_a_second_person_approved_it(api: Api, boris: Person) -> None:
    seen = await to_many(api)
    refused = await api.press("send", seen["id"], **{"Accept-Language": "ru"})
    assert said(refused) == (409, "approval_needed")
    assert "больше 2" in refused.json()["detail"]
    assert (seen["approval"]["needed"], seen["approval"]["above"], seen["approval"]["given"]) == (True, ABOVE, None)

    approved = await boris.approves(seen)
    assert approved.json()["approval"]["given"]["by"] == {"name": "Борис", "position": ""}
    assert said(await api.press("send", seen["id"])) == (202, "")
    history = (await api.http.get(f"/v1/broadcasts/{seen['id']}/history")).json()["items"]
    assert [(entry["what"], entry["by"]["name"]) for entry in history][1:] == [
        ("approved", "Борис"),
        ("sending_started", "Operator"),
    ]


async def test_a_broadcast_to_few_needs_nobody_until_they_are_many_at_send(api: Api) -> None:
    await api.people(1, 2)
    id = (await api.broadcast())["id"]
    assert not (await api.get(id))["approval"]["needed"]
    await api.people(3)
    assert said(await api.press("send", id)) == (409, "approval_needed")


async def test_only_reachable_people_count(api: Api) -> None:
    seen = await to_many(api)
    people = (await api.http.get("/v1/recipients")).json()["items"]
    await api.http.patch(f"/v1/recipients/{people[0]['id']}", json={"status": "blocked"})
    assert said(await api.press("send", seen["id"])) == (202, "")


async def test_unless_a_number_is_set_nobody_is_asked(built: Build) -> None:
    app = built()
    async with client(app, bearer(app)) as http:
        api = Api(http, app)
        seen = await to_many(api)
        assert (seen["approval"]["needed"], seen["approval"]["above"]) == (False, None)
        assert said(await api.press("send", seen["id"])) == (202, "")


async def test_neither_a_key_nor_a_program_nor_who_changed_it_approves(
    api: Api, boris: Person, provider: OidcProvider
) -> None:
    seen = await to_many(api)
    assert said(await Person(api.http).approves(seen)) == (403, "not_a_person")
    token = provider.token(sub="robot", client_id="robot", groups=["approvers"])
    async with client(api.app, {"Authorization": f"Bearer {token}"}) as http:
        assert said(await Person(http).approves(seen)) == (403, "not_a_person")
    await boris.http.patch(f"/v1/broadcasts/{seen['id']}", json={"silent": True}, headers={"If-Match": "*"})
    assert said(await boris.approves(await api.get(seen["id"]))) == (403, "own_approval")


async def test_nobody_approves_what_they_did_not_see(api: Api, boris: Person) -> None:
    seen = await to_many(api)
    await api.http.patch(f"/v1/broadcasts/{seen['id']}", json={"text": "Другое"}, headers={"If-Match": "*"})
    assert said(await boris.approves(seen)) == (409, "approval_of_another")
    stale = await boris.approves(seen, **{"If-Match": '"1"'})
    assert (said(stale), stale.json()["current"]["text"]) == ((412, "stale"), "Другое")
    await boris.approves(stale.json()["current"])
    assert said(await api.press("send", seen["id"])) == (202, "")
    nonsense = {"id": seen["id"], "approval": {"digest": "x"}}
    assert said(await boris.approves(nonsense)) == (422, "invalid")


async def test_an_edit_voids_the_approval(api: Api, boris: Person) -> None:
    seen = await to_many(api)
    await boris.approves(seen)
    await api.http.patch(f"/v1/broadcasts/{seen['id']}", json={"name": "Другое"}, headers={"If-Match": "*"})
    assert (await api.get(seen["id"]))["approval"]["given"] is None
    assert said(await api.press("send", seen["id"])) == (409, "approval_needed")


async def test_so_does_a_change_of_any_audience_in_its_rule(api: Api, boris: Person) -> None:
    inner = await api.audience(name="Внутренняя")
    outer = await api.audience({"kind": "rule", "rule": {"audience": inner["id"]}}, name="Внешняя")
    seen = await to_many(api, audience_id=outer["id"])
    await boris.approves(seen)
    definition = {"kind": "rule", "rule": {"not": {"field": "department", "in": ["IT"]}}}
    await api.http.patch(f"/v1/audiences/{inner['id']}", json={"definition": definition}, headers={"If-Match": "*"})
    now = await api.get(seen["id"])
    assert (now["approval"]["given"], now["version"]) == (None, seen["version"] + 1)
    assert said(await api.press("send", seen["id"])) == (409, "approval_void")
    await boris.approves(now)
    assert said(await api.press("send", seen["id"])) == (202, "")


async def test_an_approval_is_withdrawn_until_it_is_sent(api: Api, boris: Person) -> None:
    seen = await to_many(api)
    assert said(await boris.withdraws(seen["id"])) == (409, "not_approved")
    await boris.approves(seen)
    assert said(await boris.withdraws(seen["id"])) == (200, "")
    assert said(await api.press("send", seen["id"])) == (409, "approval_needed")
    await boris.approves(seen)
    await api.press("send", seen["id"])
    assert said(await boris.withdraws(seen["id"])) == (409, "not_created")


async def test_what_was_sent_goes_on_without_a_word_and_what_was_recalled_does_not(api: Api, boris: Person) -> None:
    seen = await to_many(api)
    id = UUID(seen["id"])
    await boris.approves(seen)
    await api.press("send", seen["id"])
    await api.people(4)
    definition = {"kind": "attributes", "where": {"department": ["IT"]}}
    audience = f"/v1/audiences/{seen['audience']['id']}"
    await api.http.patch(audience, json={"definition": definition}, headers={"If-Match": "*"})
    await api.press("stop", seen["id"])
    api.runs.record_stopped(id, 1, 1, Counts(total=3, pending=3))
    assert said(await api.press("resume", seen["id"])) == (202, "")
    api.runs.record_sent(id, 1, 2, Counts(total=3, delivered=3))
    assert (await api.get(seen["id"]))["approval"]["given"]["by"]["name"] == "Борис"
    await api.press("recall", seen["id"])
    api.runs.record_recalled(id, 1, Counts(total=3, delivered=3, recalled=3))
    await api.http.patch(audience, json={"definition": {"kind": "everyone"}}, headers={"If-Match": "*"})
    assert said(await api.press("send", seen["id"])) == (409, "approval_needed")


async def test_approving_again_under_the_same_key_is_one_approval(api: Api, boris: Person) -> None:
    seen = await to_many(api)
    answers = [await boris.approves(seen, **{"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.json()["version"] for answer in answers] == [2, 2]
