"""What the use cases need from the world."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from eventsourcing.domain import Aggregate

from broadcast_api.domain.audience import Audience, Definition
from broadcast_api.domain.broadcast import Broadcast


class Conflict(Exception):
    """Somebody else changed the aggregate first: load it again."""


class Store(Protocol):
    """Where aggregates live."""

    def broadcast(self, id: UUID) -> Broadcast:
        """Raises `NotFound`."""
        ...

    def audience(self, id: UUID) -> Audience:
        """Raises `NotFound`."""
        ...

    def append(self, aggregate: Aggregate) -> None:
        """Store the pending events; raises `Conflict`."""
        ...


class ReadModels(Protocol):
    """The copies that are read."""

    def catch_up(self) -> int:
        """Apply every stored event not applied yet; answers how many there were."""
        ...


class Doubts(Protocol):
    """Whom a run did not reach for certain."""

    def unanswered(self, broadcast_id: UUID, run: int) -> int:
        """How many recipients of the run are unconfirmed and open."""
        ...

    def others(self, broadcast_id: UUID, run: int, ids: Sequence[int]) -> list[int]:
        """Those of the directory ids who are not unconfirmed in the run."""
        ...

    def reachable_again(self, broadcast_id: UUID, run: int) -> int:
        """How many of those the run failed to reach can be reached now."""
        ...


class People(Protocol):
    """The directory."""

    def unknown(self, bot: str, ids: Sequence[int]) -> list[int]:
        """Those of the ids that are nobody connected to the bot."""
        ...

    def check(self, bot: str, audience_id: UUID, definition: Definition) -> None:
        """Raises `BadDefinition` where the definition names an audience that is not there, is archived, or holds it."""
        ...

    def anybody(self, bot: str, audience_id: UUID, definition: Definition) -> bool:
        """Whether the audience holds anybody at all, reachable or not; raises `BadDefinition`."""
        ...

    def more_than(self, number: int, bot: str, audience_id: UUID, definition: Definition) -> bool:
        """Whether the audience holds more reachable people than this; raises `BadDefinition`."""
        ...
