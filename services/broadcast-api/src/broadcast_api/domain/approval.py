"""Approval by a second person: of exactly this content for exactly this audience, and never of one's own."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from broadcast_api.domain.audience import Audience
from broadcast_api.domain.call import Actor
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import NotAPerson, OwnApproval
from broadcast_api.domain.identity import is_person


@dataclass(frozen=True, slots=True)
class Approval:
    """`digest` is that of the `Subject` it was given for, `by` the actor as the event names them."""

    digest: str
    by: dict[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """What an approval is of, and the ids of those who made it so. `digest` is 64 hex digits."""

    digest: str
    hands: frozenset[str]

    def require_second(self, by: Actor | None) -> None:
        """Raises `NotAPerson` and `OwnApproval`."""
        if by is None or not is_person(by.id):
            raise NotAPerson
        if by.id in self.hands:
            raise OwnApproval


def subject(draft: Draft, audiences: Sequence[Audience], writers: Collection[str], written_at: datetime) -> Subject:
    """Of a draft that these wrote, the last time at `written_at`, for its audience and every other one in its rule.

    An audience counts as it is defined, not as who is in it today: people come and go. Whoever defined it anew after
    the draft was written has changed the broadcast, too.
    """
    defined = sorted((str(audience.id), audience.defined) for audience in audiences)
    said = json.dumps([draft.stated(), defined], sort_keys=True)
    since = {who for audience in audiences for who, at in audience.hands.items() if at >= written_at}
    return Subject(hashlib.sha256(said.encode()).hexdigest(), frozenset(writers) | since)
