"""An audience: a named way to say who gets a broadcast. It is resolved to people when sending starts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from broadcast_api.domain import rules
from broadcast_api.domain.call import Call, Obeyed, already_obeyed
from broadcast_api.domain.errors import AudienceArchived, BadDefinition

MEMBERS_MAX = 10_000
ATTRIBUTES = ("kind", "department", "position", "language")

Definition = dict[str, Any]
"""`{"kind": "everyone"}`, `{"kind": "list"}`, `{"kind": "rule", "rule": R}` (the grammar is in `rules`) or
`{"kind": "attributes", "where": {attribute: [value, …]}}`, short for a rule: all given attributes must match, each by
any of its values."""


class Audience(Aggregate):
    """The members of an explicit list are directory ids; they stand in the event and not in the aggregate."""

    TOPIC = "audience"

    class Event(Obeyed, Aggregate.Event):
        """Who did it and under which request; `timestamp` says when."""

    class Created(Event, Aggregate.Created):
        TOPIC = "audience.created"
        bot: str
        name: str
        definition: Definition
        members: list[int]

        def assign(self, aggregate: "Audience") -> None:
            aggregate.redefined(self)

    class Edited(Event):
        """`members` is None when the list did not change."""

        TOPIC = "audience.edited"
        name: str
        definition: Definition
        members: list[int] | None

        def assign(self, aggregate: "Audience") -> None:
            if self.members is not None or self.definition != aggregate.definition:
                aggregate.redefined(self)
            aggregate.name, aggregate.definition = self.name, self.definition

    class Archived(Event):
        TOPIC = "audience.archived"

        def assign(self, aggregate: "Audience") -> None:
            aggregate.archived = True

    def __init__(self, bot: str, name: str, definition: Definition) -> None:
        self.bot, self.name, self.definition = bot, name, definition
        self.archived = False
        self.handled: dict[str, str] = {}
        self.defined = 0
        self.hands: dict[str, datetime] = {}

    def redefined(self, event: "Audience.Event | Audience.Created") -> None:
        """Who is in it may be somebody else from this version (`defined`) on; `hands` did so last at these times."""
        self.defined = event.originator_version
        self.hands = {**self.hands, (event.by or {}).get("id", ""): event.timestamp}

    @classmethod
    def create(
        cls, id: UUID, *, bot: str, name: str, definition: Definition, members: list[int], call: Call
    ) -> "Audience":
        """A new audience."""
        check(definition, members)
        return cls._create(
            cls.Created, id=id, bot=bot, name=name, definition=definition, members=members, **call.fields()
        )

    def obeyed(self, call: Call) -> bool:
        """Whether this very request was obeyed before."""
        return already_obeyed(self.handled, call)

    def edit(self, *, name: str, definition: Definition, members: list[int] | None, call: Call) -> None:
        """Rename or redefine it; runs under way keep the people they started with."""
        self._not_archived()
        check(definition, members)
        if (name, definition) == (self.name, self.definition) and members is None:
            return
        self.trigger_event(self.Edited, name=name, definition=definition, members=members, **call.fields())

    def archive(self, call: Call) -> None:
        """Take it out of use."""
        self._not_archived()
        self.trigger_event(self.Archived, **call.fields())

    def _not_archived(self) -> None:
        if self.archived:
            raise AudienceArchived()


def check(definition: Definition, members: list[int] | None) -> None:
    """Raises `BadDefinition` unless the definition can be resolved."""
    if members and definition.get("kind") != "list":
        raise BadDefinition("only_lists_have_members")
    match definition:
        case {"kind": "everyone", **rest} if not rest:
            return
        case {"kind": "list", **rest} if not rest:
            if members is not None and not 1 <= len(members) <= MEMBERS_MAX:
                raise BadDefinition("number_of_members", most=MEMBERS_MAX)
        case {"kind": "attributes", "where": dict(where), **rest} if where and not rest:
            if unknown := set(where) - set(ATTRIBUTES):
                raise BadDefinition("unknown_attribute", attribute=min(unknown)[:40], known=list(ATTRIBUTES))
            if not all(isinstance(values, list) and values for values in where.values()):
                raise BadDefinition("attribute_without_value")
        case {"kind": "rule", "rule": rule, **rest} if not rest:
            rules.check(rule)
        case _:
            raise BadDefinition("unknown_kind")
