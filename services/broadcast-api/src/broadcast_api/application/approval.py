"""When a broadcast needs a second person, and what that person approves."""

from collections.abc import Iterator
from dataclasses import dataclass

from broadcast_api.application.ports import People, Store
from broadcast_api.domain.approval import Approval, Subject, subject
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_api.domain.errors import ApprovalNeeded, ApprovalVoid, BadDefinition, NotFound
from broadcast_api.domain.rules import references


@dataclass(frozen=True, slots=True)
class Standing:
    """How the approval of a broadcast stands. `needed`: Send is refused while nothing is `given`.

    `given` is None also where the audience was changed after the approval. `above` is None where none is ever needed.
    """

    subject: Subject
    needed: bool
    given: Approval | None
    above: int | None


class SecondPerson:
    """`above` so many reachable people a broadcast needs one; None: never. Synchronous: call it from a thread."""

    def __init__(self, store: Store, people: People, above: int | None) -> None:
        self._store, self._people, self.above = store, people, above

    def subject(self, broadcast: Broadcast) -> Subject:
        """What there is to approve now."""
        audiences = list(self._audiences(broadcast))
        return subject(broadcast.draft, audiences, broadcast.writers, broadcast.written_at)

    def require(self, broadcast: Broadcast, audience: Audience) -> None:
        """Before it is sent: raises `ApprovalNeeded` and `ApprovalVoid`."""
        if not self._needed(audience):
            return
        if broadcast.approval is None:
            raise ApprovalNeeded(above=self.above)
        if broadcast.approval.digest != self.subject(broadcast).digest:
            raise ApprovalVoid(above=self.above)

    def standing(self, broadcast: Broadcast) -> Standing:
        """Whether it is needed is asked only before it is sent."""
        now, given = self.subject(broadcast), broadcast.approval
        if broadcast.status is not Status.CREATED:  # what was sent stays approved, whatever became of its audience
            return Standing(now, False, given, self.above)
        needed = self._needed(self._store.audience(broadcast.draft.audience_id))
        return Standing(now, needed, given if given and given.digest == now.digest else None, self.above)

    def _needed(self, audience: Audience) -> bool:
        if self.above is None:
            return False
        try:
            return self._people.more_than(self.above, audience.bot, audience.id, audience.definition)
        except BadDefinition:  # nobody can be found by it: Send says so
            return False

    def _audiences(self, broadcast: Broadcast) -> Iterator[Audience]:
        """That of the broadcast, and all that its rule names; one that is not there cannot be sent to anyway."""
        waiting, seen = [broadcast.draft.audience_id], set()
        while waiting:
            id = waiting.pop()
            if id in seen:
                continue
            seen.add(id)
            try:
                audience = self._store.audience(id)
            except NotFound:
                continue
            yield audience
            waiting += [other for other, _ in references(audience.definition.get("rule", {}))]
