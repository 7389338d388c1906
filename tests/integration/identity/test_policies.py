"""Every route says who may call it, and means it; what is another bot's does not exist."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from broadcast_api.domain.identity import Role
from broadcast_api.entrypoints.http.policy import Needs, Open, Policy, policy_of
from broadcast_api.entrypoints.http.policy_table import END, START, every_route, methods_of, routes_of, table
from tests.integration.identity.conftest import Browser, client
from tests.support.broadcast_api import Api
from tests.support.identity import bearer, sign_in

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"
ONLY_DESCRIBES = {"/openapi.json"}

OPEN = {
    "/livez",
    "/readyz",
    "/healthz",
    "/telegram/{bot}/webhook",
    "/assets/{version}/{name}",
    "/",
    "/preferences",
    "/sign-in",
    "/sign-in/start",
    "/sign-in/back",
    "/sign-out",
}
"""Adding one is a decision: say it here too."""


def guarded(app: FastAPI) -> Iterator[tuple[APIRoute, Policy]]:
    for route in routes_of(app):
        policy = policy_of(route)
        assert policy is not None, f"{methods_of(route)} {route.path} declares no policy"
        yield route, policy


def test_every_route_declares_who_may_call_it(app: FastAPI) -> None:
    found = list(guarded(app))
    assert len(found) > 60
    others = [route for route in every_route(app.routes) if not isinstance(route, APIRoute)]
    assert {getattr(route, "path", repr(route)) for route in others} <= ONLY_DESCRIBES
    assert {route.path for route, policy in found if isinstance(policy, Open)} == OPEN


def test_whoever_only_looks_changes_nothing(app: FastAPI) -> None:
    """But for forms that only calculate, no route that writes is open to viewers."""
    writing = {
        route.path for route, policy in guarded(app) if policy.role is Role.VIEWER and methods_of(route) != ["GET"]
    }
    calculating = {"/v1/audiences/preview", "/audiences/preview", "/broadcasts/preview"}
    assert writing == calculating


def test_the_table_in_the_documentation_is_the_one_of_the_code(app: FastAPI) -> None:
    """To write it anew: `python -m broadcast_api policies`."""
    written = DOCUMENT.read_text().split(START)[1].split(END)[0].strip()
    assert written == table(app)


def filled(route: APIRoute) -> str:
    """An address of the route where nothing is."""
    values = {"id": str(uuid4()), "test": "1", "attachment_id": "0" * 64, "bot": "main"}
    path = route.path
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", values.get(name, "x"))
    return path.replace(values["id"], "1") if path.startswith("/v1/recipients/") and "imports" not in path else path


async def test_every_route_of_http_v1_asks_for_a_token(app: FastAPI) -> None:
    async with client(app) as http:
        for route, policy in guarded(app):
            if isinstance(policy, Needs):
                for method in methods_of(route):
                    assert (await http.request(method, filled(route))).status_code == 401, (method, route.path)


@pytest.mark.parametrize("held", Role)
async def test_every_route_of_http_v1_refuses_every_other_role(app: FastAPI, held: Role) -> None:
    async with client(app, bearer(app, f"*={held}")) as http:
        for route, policy in guarded(app):
            if isinstance(policy, Needs) and policy.role not in (held, Role.VIEWER):
                for method in methods_of(route):
                    answer = await http.request(method, filled(route), headers={"If-Match": "*"})
                    problem = (answer.status_code, answer.json()["type"])
                    assert problem == (403, "urn:broadcasts:problem:forbidden_role"), (method, route.path)


async def test_every_page_asks_who_it_is_and_refuses_who_has_no_role(app: FastAPI, browser: Browser) -> None:
    nobody, stranger = browser(app), browser(app)
    sign_in(stranger.http, app, "elsewhere=viewer")
    for route, policy in guarded(app):
        if isinstance(policy, Needs | Open) or "GET" not in methods_of(route):
            continue
        answer = await nobody.http.get(filled(route))
        assert (answer.status_code, answer.headers.get("location", "")[:8]) == (303, "/sign-in"), route.path
        assert (await stranger.http.get(filled(route))).status_code == 403, route.path


async def two_bots(api: Api) -> tuple[str, str, int]:
    """A broadcast, an audience and a person of the bot `other`."""
    (person,) = await api.people(2001, bot="other")
    audience = await api.audience(bot="other", name="Тайная")
    broadcast = await api.broadcast(bot="other", name="Тайна", audience_id=audience["id"])
    return broadcast["id"], audience["id"], person


async def test_what_is_of_another_bot_does_not_exist(api: Api) -> None:
    """IDOR: with every role on one bot and the right ids of the other, each route answers as if there were nothing."""
    id, audience, person = await two_bots(api)
    ids = {"/v1/broadcasts": id, "/v1/audiences": audience, "/v1/recipients": str(person)}
    body = {"text": "x", "answer": "leave", "recipients": "all", "recipient_id": person, "name": "x", "ids": []}
    body["digest"] = "0" * 64
    asked = 0
    async with client(api.app, bearer(api.app, "main=viewer+author+sender+approver+admin")) as http:
        for route, policy in guarded(api.app):
            place = next((place for place in ids if route.path.startswith(f"{place}/{{id}}")), None)
            if not isinstance(policy, Needs) or place is None:
                continue
            path = route.path.replace("{id}", ids[place]).replace("{test}", "1").replace("{attachment_id}", "0" * 64)
            fields = _fields(route)
            sent = {name: value for name, value in body.items() if name in fields}
            sent |= {"first_name": "x"} if place == "/v1/recipients" else {}
            for method in methods_of(route):
                answer = await http.request(method, path, json=sent if fields else None, headers={"If-Match": "*"})
                assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "not_found"), (
                    method,
                    route.path,
                    answer.text,
                )
                asked += 1
    assert asked > 20
    assert (await api.get(id))["status"] == "created"


def _fields(route: APIRoute) -> set[str]:
    body = route.body_field
    return set(getattr(body.field_info.annotation, "model_fields", {})) if body else set()


async def test_lists_leave_out_what_is_of_another_bot(api: Api) -> None:
    await two_bots(api)
    async with client(api.app, bearer(api.app, "main=viewer+admin")) as http:
        for path in (
            "/v1/broadcasts",
            "/v1/broadcasts?sort=-sent",
            "/v1/audiences",
            "/v1/recipients",
            "/v1/recipients?bot=other",
        ):
            assert (await http.get(path)).json()["items"] == [], path
        assert "2001" not in (await http.get("/v1/recipients?format=csv")).text
        assert (await http.get("/v1/bots")).json()["items"] == [{"name": "main"}]


async def test_nothing_is_made_on_another_bot_nor_for_its_audience(api: Api) -> None:
    _, audience, person = await two_bots(api)
    await api.people(1)
    rule = {"kind": "rule", "rule": {"audience": audience}}
    async with client(api.app, bearer(api.app, "main=author+admin")) as http:
        other = {"bot": "other", "name": "x"}
        made = [
            ("/v1/broadcasts", {**other, "text": "x", "audience_id": audience}, "unknown_bot"),
            ("/v1/broadcasts", {"bot": "main", "name": "x", "text": "x", "audience_id": audience}, "unknown_audience"),
            ("/v1/audiences", {**other, "definition": {"kind": "everyone"}}, "unknown_bot"),
            ("/v1/audiences", {"bot": "main", "name": "x", "definition": rule}, "bad_definition"),
            ("/v1/audiences/preview", {"bot": "other", "definition": {"kind": "everyone"}}, "unknown_bot"),
        ]
        for path, body, code in made:
            answer = await http.post(path, json=body)
            assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (422, code), (path, answer.text)
        entered = await http.put("/v1/recipients", json={"bot": "other", "recipients": [{"chat_id": 5}]})
        assert entered.json()["type"].endswith("unknown_bot")
        listed = {"kind": "list", "recipient_ids": [person]}
        reach = await http.post("/v1/audiences/preview", json={"bot": "main", "definition": listed})
        assert reach.json()["total"] == 0


async def test_who_sees_a_broadcast_and_may_not_send_it_is_told_which_role_is_missing(api: Api) -> None:
    id = await api.in_state("created")
    headers = {**bearer(api.app, "main=viewer,other=sender"), "Accept-Language": "ru"}
    answer = await api.http.post(f"/v1/broadcasts/{id}/send", headers=headers)
    assert answer.status_code == 403
    assert "«sender»" in answer.json()["detail"]


async def test_the_same_idempotency_key_of_two_principals_makes_two_broadcasts(api: Api) -> None:
    draft, key = await api.draft(), {"Idempotency-Key": "the-same"}
    ours, theirs = [
        (await api.http.post("/v1/broadcasts", json=draft, headers={**key, **bearer(api.app)})).json()["id"]
        for _ in range(2)
    ]
    assert ours != theirs


async def test_the_console_shows_what_one_may_do_and_why_the_rest_is_missing(api: Api, browser: Browser) -> None:
    id = await api.in_state("created")
    looking, sending = browser(api.app), browser(api.app)
    sign_in(looking.http, api.app, "main=viewer")
    sign_in(sending.http, api.app, "main=sender")
    page = await looking.open(f"/broadcasts/{id}")
    assert not {"send", "edit", "test", "delete"} & set(page.buttons())
    assert "нужна роль «отправляет» бота main" in page.text
    page = await sending.open(f"/broadcasts/{id}")
    assert {"send"} == {"send", "edit", "test", "delete"} & set(page.buttons())
    refused = await looking.open("/broadcasts/new")
    assert (refused.status, "нужна роль «готовит»" in refused.text) == (403, True)
    assert "/broadcasts/new" not in (await looking.open("/broadcasts")).links()


async def test_the_console_shows_nothing_of_another_bot(api: Api, browser: Browser) -> None:
    id, audience, _ = await two_bots(api)
    reader = browser(api.app)
    sign_in(reader.http, api.app, "main=viewer+author+sender+admin")
    for path in ("/broadcasts", "/audiences", "/people", "/broadcasts/new", "/audiences/new?bot=other"):
        page = await reader.open(path)
        assert page.status == 200
        assert not {"Тайна", "Тайная", "N2001"} & set(page.text.split()), path
    for path in (f"/broadcasts/{id}", f"/broadcasts/{id}/send", f"/broadcasts/{id}/edit", f"/audiences/{audience}"):
        assert (await reader.open(path)).status == 404, path
    file = "0" * 64
    pressed = (
        "send",
        "stop",
        "recall",
        "delete",
        "edit",
        "attachments/remove",
        "attachments/rename",
        "attachments/order",
    )
    for button in pressed:
        page = await reader.submit(f"/broadcasts/{id}/{button}", {"id": file, "order": file, "name": "x", "text": "x"})
        assert (page.status, "files" in page.text) == (404, False), button
    assert (await reader.open(f"/broadcasts/{id}/attachments/{file}")).status == 404
    assert (await api.get(id))["status"] == "created"
