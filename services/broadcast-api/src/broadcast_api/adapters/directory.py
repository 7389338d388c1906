"""The directory of the people connected to each bot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, exists, func, select

from broadcast_api.adapters.audience_sql import condition
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import audience_members, recipients
from broadcast_api.adapters.search import contains
from broadcast_api.domain.audience import Definition


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be entered or changed. `status` None keeps what is known: an import does not unblock anybody."""

    chat_id: int
    status: str | None = None
    username: str | None = None
    first_name: str = ""
    last_name: str = ""
    language: str | None = None
    kind: str = "employee"
    department: str | None = None
    position: str | None = None
    external_id: str | None = None


FIELDS = tuple(field.name for field in fields(Person))


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people are in an audience, by status, and the first few of them."""

    counts: dict[str, int]
    sample: Sequence[Row[Any]]


class Directory:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, bot: str, people: Iterable[Person]) -> int:
        """Enter or change everybody at once, by chat id; of two for one chat id the last one counts."""
        by_chat = {person.chat_id: person for person in people}
        in_order = [by_chat[chat_id] for chat_id in sorted(by_chat)]  # one order for all: no deadlocks
        with self._database.write() as connection:
            for known in (False, True):
                rows = [_row(bot, person) for person in in_order if (person.status is not None) is known]
                if rows:
                    connection.execute(self._upsert(with_status=known), rows)
        return len(in_order)

    def _upsert(self, *, with_status: bool) -> Any:
        names = [name for name in FIELDS if name != "chat_id" and (name != "status" or with_status)]
        insert = self._database.upsert(recipients)
        changes = {name: insert.excluded[name] for name in (*names, "search", "updated_at")}
        return insert.on_conflict_do_update(index_elements=["bot", "chat_id"], set_=changes)

    def get(self, id: int) -> Row[Any] | None:
        """One person by directory id."""
        with self._database.read() as connection:
            return connection.execute(select(recipients).where(recipients.c.id == id)).one_or_none()

    def delete(self, id: int) -> bool:
        """Take somebody out, of every list too; answers whether there was anybody. Past deliveries keep the chat id."""
        with self._database.write() as connection:
            connection.execute(delete(audience_members).where(audience_members.c.recipient_id == id))
            return connection.execute(delete(recipients).where(recipients.c.id == id)).rowcount > 0

    def page(
        self,
        *,
        bot: str | None = None,
        status: str | None = None,
        chat_id: int | None = None,
        text: str = "",
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[Row[Any]]:
        """By directory id, ascending."""
        query = select(recipients).where(recipients.c.id > after).order_by(recipients.c.id).limit(limit)
        for column, value in ((recipients.c.bot, bot), (recipients.c.status, status), (recipients.c.chat_id, chat_id)):
            if value is not None:
                query = query.where(column == value)
        if text:
            query = query.where(contains(recipients.c.search, text))
        with self._database.read() as connection:
            return connection.execute(query).all()

    def values(self, bot: str, attribute: str, limit: int) -> Sequence[str]:
        """What an attribute (kind, department, position or language) is for anybody, most frequent first."""
        column = recipients.c[attribute]
        query = select(column).where(recipients.c.bot == bot, column.is_not(None), column != "").group_by(column)
        with self._database.read() as connection:
            return connection.scalars(query.order_by(func.count().desc(), column).limit(limit)).all()

    def unknown(self, bot: str, ids: Sequence[int]) -> list[int]:
        """Those of the ids that are nobody connected to the bot."""
        query = select(recipients.c.id).where(recipients.c.bot == bot, recipients.c.id.in_(ids))
        with self._database.read() as connection:
            known = set(connection.scalars(query))
        return [id for id in ids if id not in known]

    def anybody(self, bot: str, audience_id: UUID, definition: Definition) -> bool:
        """Whether the audience holds anybody at all, reachable or not."""
        somebody = exists().where(recipients.c.bot == bot, condition(audience_id, definition))
        with self._database.read() as connection:
            return bool(connection.scalar(select(somebody)))

    def reach(
        self, bot: str, audience_id: UUID, definition: Definition, members: Sequence[int] | None, sample: int
    ) -> Reach:
        """Whom a definition reaches. `members` stands for the stored list of an audience not stored yet."""
        inside = condition(audience_id, definition) if members is None else recipients.c.id.in_(members)
        of_bot = (recipients.c.bot == bot) & inside
        counts = select(recipients.c.status, func.count()).where(of_bot).group_by(recipients.c.status)
        first = select(recipients).where(of_bot).order_by(recipients.c.id).limit(sample)
        with self._database.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(counts)}
            return Reach(found, connection.execute(first).all())


def _row(bot: str, person: Person) -> dict[str, Any]:
    now = datetime.now(UTC)
    words = (person.first_name, person.last_name, person.username, person.external_id)
    search = " ".join(word for word in words if word).lower()
    said = {name: getattr(person, name) for name in FIELDS}  # asdict copies deeply: a second for 10,000 people
    status = person.status or "active"
    return {"bot": bot, **said, "status": status, "search": search, "created_at": now, "updated_at": now}
