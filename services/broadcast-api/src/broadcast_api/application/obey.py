"""Carry out a command on an aggregate: load, decide, store; again when somebody else was faster."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from broadcast_api.application.ports import Conflict, Store
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Call
from broadcast_api.domain.errors import Busy, Stale

A = TypeVar("A", Broadcast, Audience)

ATTEMPTS = 5


def obey(
    store: Store, load: Callable[[], A], decide: Callable[[A], None], call: Call, expected: int | None = None
) -> A:
    """Answers the aggregate as it stands afterwards.

    A repeated request (same key) changes nothing. `expected` is the version that the caller saw: `Stale` is raised when
    it is not the newest, which also decides a race. Without it a lost race is run again; `Busy` when all were lost.
    """
    for attempt in range(ATTEMPTS):
        aggregate = load()
        if aggregate.obeyed(call):
            return aggregate
        if expected is not None and aggregate.version != expected:
            raise Stale(aggregate.version)
        decide(aggregate)
        if not aggregate.pending_events:
            return aggregate
        try:
            store.append(aggregate)
        except Conflict:
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # no secret  # nosec B311
        else:
            return aggregate
    raise Busy
