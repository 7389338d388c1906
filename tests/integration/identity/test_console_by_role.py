"""No official sees a button or a link that would be refused to them."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.routing import Match

from broadcast_api.domain.identity import Role
from broadcast_api.entrypoints.http.policy import policy_of
from broadcast_api.entrypoints.http.policy_table import routes_of
from tests.integration.identity.conftest import Browser
from tests.support.broadcast_api import Api
from tests.support.console import Seen
from tests.support.identity import sign_in


def offered(page: Seen) -> Iterator[tuple[str, str]]:
    """Method and path of whatever can be pressed."""
    for tag, attributes in page.tags:
        if tag == "a" and attributes.get("href", "").startswith("/"):
            yield "GET", attributes["href"].partition("?")[0]
        if tag == "form" and "action" in attributes:
            yield attributes.get("method", "get").upper(), attributes["action"].partition("?")[0]
        if "formaction" in attributes:
            yield "POST", attributes["formaction"]


def needed(app: FastAPI, method: str, path: str) -> Role | None:
    """The role that the route asks for; None for everybody."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    route = next(route for route in routes_of(app) if route.matches(scope)[0] is Match.FULL)
    policy = policy_of(route)
    assert policy is not None
    return policy.role


async def pages(api: Api) -> list[str]:
    """With a broadcast in each of the states that rest, people who were imported, and people to be invited."""
    await api.http.put("/v1/recipients", json={"bot": "main", "recipients": [{"external_id": "7", "first_name": "А"}]})
    audience = (await api.audience({"kind": "attributes", "where": {"department": ["IT"]}}, name="IT"))["id"]
    states = [await api.in_state(state) for state in ("created", "sending", "stopped", "sent")]
    lists = ["/broadcasts", "/audiences", "/audiences?archived=true", "/people", "/people/invite"]
    return [*lists, *(f"/broadcasts/{id}" for id in states), f"/audiences/{audience}"]


@pytest.mark.parametrize("held", Role)
async def test_whatever_is_offered_is_allowed(api: Api, browser: Browser, held: Role) -> None:
    reader = browser(api.app)
    sign_in(reader.http, api.app, f"main={held}")
    own = {Role.AUTHOR: ["/broadcasts/new", "/audiences/new"], Role.ADMIN: ["/people/import", "/people/keys", "/audit"]}
    refused = []
    for path in [*await pages(api), *own.get(held, [])]:
        page = await reader.open(path)
        assert page.status == 200, path
        roles = {(method, to): needed(api.app, method, to) for method, to in offered(page)}
        refused += [(path, to) for to, role in roles.items() if role not in (held, Role.VIEWER, None)]
    assert refused == []


async def test_where_two_bots_are_seen_only_those_are_offered_on_which_one_may_act(api: Api, browser: Browser) -> None:
    await api.audience(bot="other", name="Чужая")
    await api.audience(name="Своя")
    reader = browser(api.app)
    sign_in(reader.http, api.app, "main=author+admin,other=viewer")
    compose = await reader.open("/broadcasts/new")
    assert ("Своя" in compose.text, "Чужая" in compose.text) == (True, False)
    for path in ("/audiences/new", "/audiences/new?bot=other", "/people/import"):
        assert (await reader.open(path)).value("bot") == "main", path


async def test_who_may_not_change_an_audience_sees_it_with_nothing_to_press(api: Api, browser: Browser) -> None:
    audience = (await api.audience())["id"]
    reader, author = browser(api.app), browser(api.app)
    sign_in(reader.http, api.app, "main=viewer")
    sign_in(author.http, api.app, "main=author")
    fixed, free = await reader.open(f"/audiences/{audience}"), await author.open(f"/audiences/{audience}")
    assert [('<fieldset class="same" disabled>' in page.raw) for page in (fixed, free)] == [True, False]
    assert "нужна роль «готовит» бота main" in fixed.text
