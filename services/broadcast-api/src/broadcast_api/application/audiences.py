"""What officials do with audiences. Synchronous: call it from a thread."""

from collections.abc import Callable, Collection
from uuid import UUID

from broadcast_api.application.broadcasts import id_of_key
from broadcast_api.application.draft import clean_name
from broadcast_api.application.obey import obey
from broadcast_api.application.ports import Conflict, People, ReadModels, Store
from broadcast_api.domain.audience import Audience, Definition
from broadcast_api.domain.call import Call
from broadcast_api.domain.errors import NotFound, UnknownBot, UnknownRecipients


class Audiences:
    """Every command answers the aggregate as it stands afterwards, and the read models show it already."""

    def __init__(self, store: Store, views: ReadModels, people: People, bots: Collection[str]) -> None:
        self._store, self._views, self._people, self._bots = store, views, people, bots

    def create(self, bot: str, name: str, definition: Definition, members: list[int], call: Call) -> Audience:
        """Define who gets broadcasts."""
        call.scope.require_bot(bot)
        id = id_of_key("audience", call)
        try:
            return self._again(id, call)
        except NotFound:
            audience = self._new(id, bot, name, definition, members, call)
        try:
            self._store.append(audience)
        except Conflict:
            return self._again(id, call)
        self._views.catch_up()
        return audience

    def edit(
        self,
        id: UUID,
        name: str | None,
        definition: Definition | None,
        members: list[int] | None,
        call: Call,
        expected: int | None = None,
    ) -> Audience:
        """Rename or redefine it. `None` leaves a part as it is; `members` come with the definition of a list."""
        listed = None if members is None else sorted(set(members))

        def decide(audience: Audience) -> None:
            self._check_members(audience.bot, listed or [])
            new_name = audience.name if name is None else clean_name(name)
            audience.edit(name=new_name, definition=definition or audience.definition, members=listed, call=call)
            if definition is not None:
                self._people.check(audience.bot, id, definition)

        return self._obey(id, decide, call, expected)

    def archive(self, id: UUID, call: Call, expected: int | None = None) -> Audience:
        """Take it out of use; a run under way keeps its people."""
        return self._obey(id, lambda audience: audience.archive(call), call, expected)

    def _obey(self, id: UUID, decide: Callable[[Audience], None], call: Call, expected: int | None) -> Audience:
        audience = obey(self._store, lambda: self._load(id, call), decide, call, expected)
        self._views.catch_up()
        return audience

    def _load(self, id: UUID, call: Call) -> Audience:
        audience = self._store.audience(id)
        call.scope.require(audience.bot, "audience", id)
        return audience

    def _again(self, id: UUID, call: Call) -> Audience:
        audience = self._load(id, call)
        audience.obeyed(call)
        self._views.catch_up()
        return audience

    def _new(self, id: UUID, bot: str, name: str, definition: Definition, members: list[int], call: Call) -> Audience:
        if bot not in self._bots:
            raise UnknownBot(bot=bot)
        self._check_members(bot, members)
        members, name = sorted(set(members)), clean_name(name)
        audience = Audience.create(id, bot=bot, name=name, definition=definition, members=members, call=call)
        self._people.check(bot, id, definition)
        return audience

    def _check_members(self, bot: str, members: list[int]) -> None:
        if members and (unknown := self._people.unknown(bot, members)):
            raise UnknownRecipients(ids=unknown[:20])
