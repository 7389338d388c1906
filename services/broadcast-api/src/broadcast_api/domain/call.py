"""Who asks for a command, and how the same request is recognised when it comes again."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from eventsourcing.domain import Aggregate

from broadcast_api.domain.errors import KeyReused
from broadcast_api.domain.identity import EVERYTHING, NOTHING, Scope


@dataclass(frozen=True, slots=True)
class Actor:
    """An official, or a service that acts for one. `id` is that of the principal who signed in."""

    name: str
    position: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `by` is None where the system itself acts; `scope` is what it may see and change.

    `key` is the client's Idempotency-Key and `digest` the fingerprint of what was asked under it.
    """

    by: Actor | None = None
    request_id: str = ""
    key: str = ""
    digest: str = ""
    scope: Scope = NOTHING

    def about(self, asked: bytes) -> "Call":
        """The same call with the fingerprint of what is asked."""
        return replace(self, digest=hashlib.sha256(asked).hexdigest()[:32])

    def fields(self) -> dict[str, Any]:
        """What every event records of its request."""
        request = {"id": self.request_id, "key": self.key, "digest": self.digest}
        who = None if self.by is None else {"name": self.by.name, "position": self.by.position, "id": self.by.id}
        by = who and {name: value for name, value in who.items() if value or name != "id"}
        return {"by": by, "request": {name: value for name, value in request.items() if value}}


SYSTEM = Call(scope=EVERYTHING)


class Obeyed(Aggregate.Event):
    """An event that an aggregate remembers by the key of its request."""

    by: dict[str, str] | None
    request: dict[str, str]

    def apply(self, aggregate: Any) -> None:
        """Remember the request, then change the aggregate."""
        if key := self.request.get("key"):
            aggregate.handled[key] = self.request["digest"]
        self.assign(aggregate)

    def assign(self, aggregate: Any) -> None:
        """Only assigns: the rules were checked by the command."""


def already_obeyed(handled: dict[str, str], call: Call) -> bool:
    """Whether this very request was obeyed before; raises `KeyReused` when its key came with something else."""
    if not call.key or call.key not in handled:
        return False
    if handled[call.key] != call.digest:
        raise KeyReused(call.key)
    return True
