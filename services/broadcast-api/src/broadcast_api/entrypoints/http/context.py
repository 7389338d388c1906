"""What every handler may ask for: the services, who calls, in which language, on which version."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated
from uuid import UUID

from eventsourcing.domain import AggregateEvent
from fastapi import Depends, Header, Request

from broadcast_api.adapters.audit import Audit
from broadcast_api.adapters.directory import Directory
from broadcast_api.adapters.identity import Identity
from broadcast_api.adapters.imports import Imports
from broadcast_api.adapters.queries import Queries
from broadcast_api.adapters.vault import Vault
from broadcast_api.application.attachments import Attachments
from broadcast_api.application.audiences import Audiences
from broadcast_api.application.broadcasts import Broadcasts
from broadcast_api.application.record import Record
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.errors import NotFound
from broadcast_api.domain.identity import EVERYTHING, Principal, Scope
from broadcast_api.entrypoints.http.catalogue import Language, language_of
from broadcast_api.entrypoints.http.feed import Feed
from broadcast_api.entrypoints.http.policy import caller, scope
from broadcast_api.entrypoints.http.problems import Problem
from broadcast_delivery import tracing


@dataclass(frozen=True, slots=True)
class Services:
    """What the door opens to. `faults` names what keeps this replica from being ready; empty when nothing does.

    `groups` lets groups and channels be recipients. `usernames` are those of the bots, where they are known.
    A request gets them narrowed to the `scope` of who calls.
    """

    bots: Sequence[str]
    broadcasts: Broadcasts
    attachments: Attachments
    vault: Vault
    audiences: Audiences
    directory: Directory
    imports: Imports
    queries: Queries
    history: Callable[[UUID], Sequence[AggregateEvent]]
    audit: Audit
    record: Record
    feed: Feed
    faults: Callable[[], dict[str, str]]
    test_wait_seconds: float
    heartbeat_seconds: float
    identity: Identity
    groups: bool = False
    usernames: Mapping[str, str] = field(default_factory=dict)
    scope: Scope = EVERYTHING

    def within(self, scope: Scope) -> "Services":
        """The same, where nothing exists that is out of sight."""
        return replace(
            self,
            bots=[bot for bot in self.bots if scope.sees(bot)],
            directory=self.directory.within(scope.visible),
            queries=self.queries.within(scope.visible),
            scope=scope,
        )

    def require_broadcast(self, id: UUID) -> None:
        """Raises `NotFound` unless there is, or was, such a broadcast in sight."""
        if not (events := self.history(id)) or not self.scope.sees(getattr(events[0], "bot", "")):
            raise NotFound("broadcast", id)


def services_of(request: Request) -> Services:
    """The services as far as who calls may see."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services.within(scope(request))


def _language(accept_language: Annotated[str | None, Header()] = None) -> Language:
    return language_of(accept_language)


async def _headless(
    request: Request,
    idempotency_key: Annotated[str | None, Header(description="the same key, the same answer: safe to repeat")] = None,
) -> Call:
    """Who calls and under which key, the body not read: who reads it fills in the digest."""
    if idempotency_key is not None and not re.fullmatch(r"[\x20-\x7e]{1,200}", idempotency_key):
        raise Problem(422, "bad_key")
    return replace(call_of(request), key=idempotency_key or "")


Headless = Annotated[Call, Depends(_headless)]


async def _call(request: Request, call: Headless) -> Call:
    if not call.key:
        return call
    asked = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return call.about(asked)


def call_of(request: Request) -> Call:
    """A request without a key, of whoever signed in."""
    request_id = str(request.scope["state"]["request_id"])
    return Call(actor_of(caller(request)), request_id, scope=scope(request), trace=tracing.current())


def actor_of(principal: Principal) -> Actor:
    """How events name who gave a command."""
    return Actor(principal.name, principal.position, principal.id)


_IfMatch = Annotated[str | None, Header(description="the ETag of what you saw, or * for whatever there is")]


def _version(if_match: _IfMatch = None) -> int | None:
    """The version in If-Match: None for any, -1 for what can be no version of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'"(\d{1,9})"', if_match.strip())
    return int(found[1]) if found else -1


def _required_version(if_match: _IfMatch = None) -> int | None:
    if if_match is None:
        raise Problem(428, "if_match_required")
    return _version(if_match)


Door = Annotated[Services, Depends(services_of)]
InLanguage = Annotated[Language, Depends(_language)]
Caller = Annotated[Call, Depends(_call)]
By = Annotated[Call, Depends(call_of)]
"""Who calls, where a repeat does no harm and no key is asked for."""

IfMatch = Annotated[int | None, Depends(_version)]
IfMatchRequired = Annotated[int | None, Depends(_required_version)]


def etag(version: int) -> str:
    """A strong validator: the version of the aggregate."""
    return f'"{version}"'
