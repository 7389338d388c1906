"""Who asks for a command, and how the same request is recognised when it comes again."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from eventsourcing.domain import Aggregate, AggregateEvent

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

    `key` is the client's Idempotency-Key and `digest` the fingerprint of what was asked under it. `trace` is the
    traceparent of the request, where it is traced: what follows from it, hours later, belongs to the same trace.
    """

    by: Actor | None = None
    request_id: str = ""
    key: str = ""
    digest: str = ""
    scope: Scope = NOTHING
    trace: str = ""

    def about(self, asked: bytes) -> "Call":
        """The same call with the fingerprint of what is asked."""
        return replace(self, digest=hashlib.sha256(asked).hexdigest()[:32])

    def within(self, trace: str) -> "Call":
        """The same call as a part of this trace."""
        return replace(self, trace=trace)

    def fields(self) -> dict[str, Any]:
        """What every event records of its request."""
        request = {"id": self.request_id, "key": self.key, "digest": self.digest, "trace": self.trace}
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
        aggregate.trace = trace_of(self) or ""
        if key := self.request.get("key"):
            aggregate.handled[key] = self.request["digest"]
        self.assign(aggregate)

    def assign(self, aggregate: Any) -> None:
        """Only assigns: the rules were checked by the command."""


def trace_of(event: AggregateEvent) -> str | None:
    """The traceparent of the request that led to an event."""
    return event.request.get("trace") if isinstance(event, Obeyed) else None


def already_obeyed(handled: dict[str, str], call: Call) -> bool:
    """Whether this very request was obeyed before; raises `KeyReused` when its key came with something else."""
    if not call.key or call.key not in handled:
        return False
    if handled[call.key] != call.digest:
        raise KeyReused(call.key)
    return True
