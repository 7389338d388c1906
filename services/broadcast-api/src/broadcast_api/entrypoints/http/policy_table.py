"""The policies of all routes as the table in docs/security.md: made from the code, so that it cannot be out of date."""

from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from broadcast_api.domain.identity import Role
from broadcast_api.entrypoints.http.policy import Needs, policy_of

START, END = "<!-- policies -->", "<!-- /policies -->"


def every_route(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Those of included routers too, which FastAPI keeps as they are."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from every_route(router.routes)
        else:
            yield route


def routes_of(app: FastAPI) -> Iterator[APIRoute]:
    """All but those that FastAPI adds to describe itself."""
    return (route for route in every_route(app.routes) if isinstance(route, APIRoute))


def methods_of(route: APIRoute) -> list[str]:
    """GET, POST and so on."""
    return sorted(route.methods or ())


def table(app: FastAPI) -> str:
    """Markdown, a line for each route: who may call it."""
    roles = list(Role)
    lines = ["| route | " + " | ".join(roles) + " |", "|---" * (len(roles) + 1) + "|"]
    return "\n".join(lines + [_line(route, roles) for route in routes_of(app)])


def _line(route: APIRoute, roles: list[Role]) -> str:
    policy = policy_of(route)
    assert policy is not None, route.path
    name = f"{'/'.join(methods_of(route))} `{route.path}`" + ("" if isinstance(policy, Needs) else " (console)")
    if policy.role is None:
        name = f"{'/'.join(methods_of(route))} `{route.path}`: everybody: {policy.why}"
    cells = ("✓" if policy.role in (role, Role.VIEWER, None) else "" for role in roles)
    return f"| {name} | " + " | ".join(cells) + " |"
