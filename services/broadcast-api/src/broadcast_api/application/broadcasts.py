"""What officials do with broadcasts. Synchronous: call it from a thread."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from broadcast_api.application.approval import SecondPerson, Standing
from broadcast_api.application.draft import checked
from broadcast_api.application.obey import obey
from broadcast_api.application.ports import Conflict, Doubts, People, ReadModels, Store
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Call
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import (
    AudienceArchived,
    AudienceEmpty,
    NotFound,
    NotUnconfirmed,
    OtherBot,
    UnknownAudience,
    UnknownBot,
    UnknownRecipients,
)
from broadcast_contracts import Answer, Cause


def id_of_key(kind: str, call: Call) -> UUID:
    """The id of what is created under an Idempotency-Key: a retry of the same principal finds it, and no other's."""
    who = call.by.id if call.by else ""
    return uuid5(NAMESPACE_URL, f"urn:broadcasts:{kind}:{who}:{call.key}") if call.key else uuid4()


class Broadcasts:
    """Every command answers the aggregate as it stands afterwards, and the read models show it already.

    `expected` is the version that the caller saw. All may raise `NotFound`, `KeyReused`, `Stale` and `Busy`.
    `approval_above` so many reachable people a second person has to approve; None: never.
    """

    def __init__(
        self,
        store: Store,
        views: ReadModels,
        people: People,
        doubts: Doubts,
        bots: Collection[str],
        wake: Callable[[], None],
        approval_above: int | None = None,
    ) -> None:
        self._store, self._views, self._people, self._doubts = store, views, people, doubts
        self._bots, self._wake = bots, wake
        self._second = SecondPerson(store, people, approval_above)

    def create(self, bot: str, draft: Draft, call: Call, *, text_needed: bool = True) -> Broadcast:
        """Draw one up; without `text_needed` it may be one of files alone, which are attached afterwards."""
        call.scope.require_bot(bot)
        id = id_of_key("broadcast", call)
        try:
            return self._again(id, call)
        except NotFound:
            broadcast = self._new(id, bot, checked(draft, text_needed=text_needed), call)
        try:
            self._store.append(broadcast)
        except Conflict:
            return self._again(id, call)
        self._views.catch_up()
        self._wake()
        return broadcast

    def edit(self, id: UUID, changes: dict[str, Any], call: Call, expected: int | None = None) -> Broadcast:
        """Change some of the fields of `Draft`; the files have commands of their own."""

        def decide(broadcast: Broadcast) -> None:
            draft = replace(broadcast.draft, **changes)
            draft = checked(draft, text_needed=bool(broadcast.draft.text) and not draft.files)
            self._audience(draft.audience_id, broadcast.bot, call)
            broadcast.edit(draft, call)

        return self.obey(id, decide, call, expected)

    def delete(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Throw it away."""
        return self.obey(id, lambda broadcast: broadcast.delete(call), call, expected)

    def request_test(self, id: UUID, recipient_id: int, call: Call) -> int:
        """Send it to one person, outside any run; answers the number of the test."""

        def decide(broadcast: Broadcast) -> None:
            broadcast.request_test(recipient_id, call)
            if unknown := self._people.unknown(broadcast.bot, [recipient_id]):
                raise UnknownRecipients(ids=unknown)

        broadcast = self.obey(id, decide, call, None)
        return broadcast.test_of_key[call.key] if call.key else broadcast.tests

    def approve(self, id: UUID, seen: str, call: Call, expected: int | None = None) -> Broadcast:
        """As a second person; `seen` is the digest of what was looked at."""
        return self.obey(
            id, lambda broadcast: broadcast.approve(seen, self._second.subject(broadcast), call), call, expected
        )

    def withdraw_approval(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Whoever gave it."""
        return self.obey(id, lambda broadcast: broadcast.withdraw_approval(call), call, expected)

    def standing(self, id: UUID) -> Standing:
        """How the approval of a broadcast stands, which the caller must be allowed to see; raises `NotFound`.

        What is read afterwards to be shown with it is not older: nobody approves what is newer than what they see.
        """
        standing = self._second.standing(self._store.broadcast(id))
        self._views.catch_up()
        return standing

    @property
    def asks_approval(self) -> bool:
        """Whether any broadcast may need one."""
        return self._second.above is not None

    def send(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Open a new run."""

        def decide(broadcast: Broadcast) -> None:
            audience = self._store.audience(broadcast.draft.audience_id)
            broadcast.send(audience.name, call)  # a refusal by state comes before any word about the audience
            if audience.archived:
                raise AudienceArchived
            if not self._people.anybody(audience.bot, audience.id, audience.definition):
                raise AudienceEmpty(audience=audience.name)
            self._second.require(broadcast, audience)

        return self.obey(id, decide, call, expected)

    def stop(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Ask for a stop."""
        return self.obey(id, lambda broadcast: broadcast.stop(Cause.OPERATOR, "", call), call, expected)

    def resume(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Go on with those not yet attempted."""
        return self.obey(id, lambda broadcast: broadcast.resume(call), call, expected)

    def answer(
        self, id: UUID, answer: Answer, recipients: Sequence[int] | None, call: Call, expected: int | None = None
    ) -> Broadcast:
        """Decide about unconfirmed recipients: these (directory ids), or everybody who is open (None)."""
        ids = None if recipients is None else sorted(set(recipients))

        def decide(broadcast: Broadcast) -> None:
            people = self._doubts.unanswered(broadcast.id, broadcast.run) if ids is None else len(ids)
            broadcast.answer(answer, ids, people, call)
            if ids and (others := self._doubts.others(broadcast.id, broadcast.run, ids)):
                raise NotUnconfirmed(ids=others[:20])

        return self.obey(id, decide, call, expected)

    def resend(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Go on with those who could not be reached then and can be now."""

        def decide(broadcast: Broadcast) -> None:
            broadcast.resend(self._doubts.reachable_again(broadcast.id, broadcast.run), call)

        return self.obey(id, decide, call, expected)

    def recall(self, id: UUID, call: Call, expected: int | None = None) -> Broadcast:
        """Delete what the latest run delivered."""
        return self.obey(id, lambda broadcast: broadcast.recall(call), call, expected)

    def obey(self, id: UUID, decide: Callable[[Broadcast], None], call: Call, expected: int | None) -> Broadcast:
        """Carry out a command: `decide` calls it on the aggregate, again where somebody else was faster."""
        broadcast = obey(self._store, lambda: self._load(id, call), decide, call, expected)
        self._views.catch_up()
        self._wake()
        return broadcast

    def _load(self, id: UUID, call: Call) -> Broadcast:
        broadcast = self._store.broadcast(id)
        call.scope.require(broadcast.bot, "broadcast", id)
        return broadcast

    def _again(self, id: UUID, call: Call) -> Broadcast:
        broadcast = self._load(id, call)
        broadcast.obeyed(call)
        self._views.catch_up()
        return broadcast

    def _new(self, id: UUID, bot: str, draft: Draft, call: Call) -> Broadcast:
        if bot not in self._bots:
            raise UnknownBot(bot=bot)
        self._audience(draft.audience_id, bot, call)
        return Broadcast.create(id, bot=bot, draft=draft, call=call)

    def _audience(self, id: UUID, bot: str, call: Call) -> Audience:
        try:
            audience = self._store.audience(id)
        except NotFound:
            raise UnknownAudience(audience_id=str(id)) from None
        if not call.scope.sees(audience.bot):
            raise UnknownAudience(audience_id=str(id))
        if audience.bot != bot:
            raise OtherBot(bot=bot, audience_bot=audience.bot)
        return audience
