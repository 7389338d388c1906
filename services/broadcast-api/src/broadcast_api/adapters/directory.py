"""The directory of the people connected to each bot."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, delete, exists, func, select, update

from broadcast_api.adapters.audience_sql import condition, resolve
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.entering import ALL, SEARCHED, Entered, Person, enter, search_words
from broadcast_api.adapters.erasure import erase
from broadcast_api.adapters.schema import audience_members, audiences, recipient_tags, recipients
from broadcast_api.adapters.search import contains
from broadcast_api.adapters.tags import clean_tags, set_tags, tags_of
from broadcast_api.domain import rules
from broadcast_api.domain.audience import Definition
from broadcast_api.domain.errors import BadDefinition

EXPORT_PAGE = 2_000

STATUSES = ("active", "blocked", "deactivated", "not_started")


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people are in an audience, by status, and a few of them."""

    counts: dict[str, int]
    sample: Sequence[Row[Any]]


class Directory:
    """Synchronous: call it from a thread. With `bots` nobody is read but their people."""

    def __init__(self, database: Database, bots: Collection[str] | None = None) -> None:
        self._database, self._bots = database, bots

    def within(self, bots: Collection[str] | None) -> "Directory":
        """The same, of these bots only; None leaves out nobody."""
        return Directory(self._database, bots)

    def upsert(self, bot: str, people: Iterable[Person], columns: Collection[str] = ALL) -> Entered:
        """Enter or change everybody at once; of two for one chat id the last one counts."""
        with self._database.write() as connection:
            return enter(connection, self._database, bot, people, columns)

    def change(self, id: int, changes: dict[str, Any]) -> Row[Any] | None:
        """Change some of what is known of one person: fields of `Person`, but the chat id. None where nobody is."""
        values = {name: value for name, value in changes.items() if name != "tags"}
        now = datetime.now(UTC)
        with self._database.write() as connection:
            of_id = recipients.c.id == id
            if connection.execute(select(recipients.c.id).where(of_id).with_for_update()).one_or_none() is None:
                return None
            if "status" in values:
                values["status_at"] = int(now.timestamp())
            connection.execute(update(recipients).where(of_id).values({**values, "updated_at": now}))
            if "tags" in changes:
                set_tags(connection, {id: changes["tags"]})
            row = connection.execute(select(recipients).where(of_id)).one()
            if values.keys() & set(SEARCHED):
                connection.execute(update(recipients).where(of_id).values(search=search_words(row)))
            return row

    def get(self, id: int) -> Row[Any] | None:
        """One person by directory id."""
        with self._database.read() as connection:
            return connection.execute(select(recipients).where(recipients.c.id == id, *self._seen())).one_or_none()

    def tags(self, ids: Collection[int]) -> dict[int, list[str]]:
        """The tags of these people; who has none is left out."""
        with self._database.read() as connection:
            return tags_of(connection, ids)

    def delete(self, id: int) -> bool:
        """Take somebody out, of every list too; answers whether there was anybody. Past deliveries keep the chat id."""
        with self._database.write() as connection:
            connection.execute(delete(audience_members).where(audience_members.c.recipient_id == id))
            return connection.execute(delete(recipients).where(recipients.c.id == id)).rowcount > 0

    def erase(self, id: int) -> bool:
        """Take somebody out and out of every past delivery; answers whether there was anything to forget."""
        return erase(self._database, id)

    def page(
        self,
        *,
        bot: str | None = None,
        status: str | None = None,
        chat_id: int | None = None,
        external_id: str | None = None,
        department: str | None = None,
        tag: str | None = None,
        text: str = "",
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[Row[Any]]:
        """By directory id, ascending."""
        query = select(recipients).where(recipients.c.id > after, *self._seen()).order_by(recipients.c.id).limit(limit)
        wanted = {
            "bot": bot, "status": status, "chat_id": chat_id, "external_id": external_id, "department": department
        }  # fmt: skip
        for name, value in wanted.items():
            if value is not None:
                query = query.where(recipients.c[name] == value)
        if tag is not None:
            tagged = select(recipient_tags.c.recipient_id).where(recipient_tags.c.tag.in_(clean_tags([tag])))
            query = query.where(recipients.c.id.in_(tagged))
        if text:
            query = query.where(contains(recipients.c.search, text))
        with self._database.read() as connection:
            return connection.execute(query).all()

    def export(self, **filters: Any) -> Iterator[tuple[Row[Any], list[str]]]:
        """Everybody with their tags, a page at a time: memory stays flat."""
        after = 0
        while page := self.page(**filters, after=after, limit=EXPORT_PAGE):
            tags = self.tags([row.id for row in page])
            yield from ((row, tags.get(row.id, [])) for row in page)
            after = page[-1].id

    def values(self, bot: str, attribute: str, limit: int) -> Sequence[str]:
        """What an attribute (kind, department, position, language or tags) is for anybody, most frequent first."""
        query: Select[str]
        if attribute == "tags":
            column = recipient_tags.c.tag
            query = select(column).join_from(recipient_tags, recipients).where(recipients.c.bot == bot)
        else:
            column = recipients.c[attribute]
            query = select(column).where(recipients.c.bot == bot, column.is_not(None), column != "")
        query = query.where(*self._seen())
        with self._database.read() as connection:
            return connection.scalars(query.group_by(column).order_by(func.count().desc(), column).limit(limit)).all()

    def unknown(self, bot: str, ids: Sequence[int]) -> list[int]:
        """Those of the ids that are nobody connected to the bot."""
        query = select(recipients.c.id).where(recipients.c.bot == bot, recipients.c.id.in_(ids))
        with self._database.read() as connection:
            known = set(connection.scalars(query))
        return [id for id in ids if id not in known]

    def check(self, bot: str, audience_id: UUID, definition: Definition) -> None:
        """Raises `BadDefinition` where the definition names an audience that is not there, is archived, or holds it."""
        with self._database.read() as connection:
            resolve(connection, bot, audience_id, definition, [])
            for id, path in rules.references(definition.get("rule", {})):
                if connection.scalar(select(audiences.c.archived).where(audiences.c.id == id)):
                    raise BadDefinition("archived_inside", path, audience_id=str(id))

    def anybody(self, bot: str, audience_id: UUID, definition: Definition) -> bool:
        """Whether the audience holds anybody at all, reachable or not; raises `BadDefinition`."""
        with self._database.read() as connection:
            rule = resolve(connection, bot, audience_id, definition)
            somebody = exists().where(recipients.c.bot == bot, condition(rule))
            return bool(connection.scalar(select(somebody)))

    def more_than(self, number: int, bot: str, audience_id: UUID, definition: Definition) -> bool:
        """Whether the audience holds more reachable people than this; raises `BadDefinition`."""
        with self._database.read() as connection:
            rule = resolve(connection, bot, audience_id, definition)
            reachable = recipients.c.status == "active"
            one_more = select(recipients.c.id).where(recipients.c.bot == bot, reachable, condition(rule))
            found = one_more.offset(number).limit(1)  # counts no further than it must
            return connection.scalar(found) is not None

    def reach(
        self, bot: str, audience_id: UUID, definition: Definition, members: Sequence[int] | None, sample: int
    ) -> Reach:
        """Whom a definition reaches. `members` stands for the list of an audience not stored yet.

        Raises `BadDefinition`.
        """
        with self._database.read() as connection:
            of_bot = (recipients.c.bot == bot) & condition(resolve(connection, bot, audience_id, definition, members))
            # By department first, as the index has them: SQLite would sort everybody to group them by status alone.
            grouped = (recipients.c.department, recipients.c.status)
            groups = select(*grouped, func.count().label("people")).where(of_bot).group_by(*grouped).subquery()
            counts = select(groups.c.status, func.sum(groups.c.people)).group_by(groups.c.status)
            found = dict.fromkeys(STATUSES, 0) | {status: int(n) for status, n in connection.execute(counts)}
            # Not the first ones: in the order of ids a few people at the end are found after everybody else's rows.
            some = select(recipients.c.id).where(of_bot).limit(min(sample, sum(found.values())))
            ids = connection.scalars(some).all()
            shown = select(recipients).where(recipients.c.id.in_(ids)).order_by(recipients.c.id)
            return Reach(found, connection.execute(shown).all())

    def _seen(self) -> list[ColumnElement[bool]]:
        return [] if self._bots is None else [recipients.c.bot.in_(sorted(self._bots))]
