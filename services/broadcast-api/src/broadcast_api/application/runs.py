"""What the background duties found out about a run, recorded. Synchronous; every call may be repeated."""

from collections.abc import Callable
from uuid import UUID

from broadcast_api.application.obey import obey
from broadcast_api.application.ports import ReadModels, Store
from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_api.domain.call import SYSTEM
from broadcast_contracts import Cause, Counts


class Runs:
    """Facts about another run or leg, or about a state that has passed, are ignored."""

    def __init__(self, store: Store, views: ReadModels) -> None:
        self._store, self._views = store, views

    def record_frozen(self, broadcast_id: UUID, run: int, total: int, unreachable: int) -> None:
        """Everyone of the run is known."""
        self._record(broadcast_id, lambda broadcast: broadcast.record_frozen(run, total, unreachable))

    def record_stopped(self, broadcast_id: UUID, run: int, leg: int, counts: Counts) -> None:
        """No message of this run leaves until it is resumed."""
        self._record(broadcast_id, lambda broadcast: broadcast.record_stopped(run, leg, counts.model_dump()))

    def record_sent(self, broadcast_id: UUID, run: int, leg: int, counts: Counts) -> None:
        """Every recipient is accounted for."""
        self._record(broadcast_id, lambda broadcast: broadcast.record_sent(run, leg, counts.model_dump()))

    def record_recalled(self, broadcast_id: UUID, run: int, counts: Counts) -> None:
        """Every delivered message is gone or known to stay."""
        self._record(broadcast_id, lambda broadcast: broadcast.record_recalled(run, counts.model_dump()))

    def halt(self, broadcast_id: UUID, run: int, cause: Cause, detail: str) -> None:
        """Stop a run that cannot go on; ignored when it is not being sent or is being stopped already."""

        def stop(broadcast: Broadcast) -> None:
            if broadcast.run == run and broadcast.status is Status.SENDING and not broadcast.stopping:
                broadcast.stop(cause, detail, SYSTEM.within(broadcast.trace))

        self._record(broadcast_id, stop)

    def _record(self, broadcast_id: UUID, decide: Callable[[Broadcast], None]) -> None:
        obey(self._store, lambda: self._store.broadcast(broadcast_id), decide, SYSTEM)
        self._views.catch_up()
