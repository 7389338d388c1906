"""Enter people into the directory or change them, many at once, in one transaction of the caller's.

Somebody is known by chat id, or by external id as long as no chat id is known. Whoever comes with both takes over the
row that waited for them: the lists they are in and what was known of them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.former_ids import remember
from broadcast_api.adapters.schema import audience_members, recipients
from broadcast_api.adapters.tags import CHUNK, lines_of, set_tags, tags_of


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be entered or changed.

    None keeps what is known of `status`, `kind`, `joined_at` and `tags`: an import does not unblock anybody. Without a
    chat id an external id is needed, and the status is `not_started`.
    """

    chat_id: int | None
    status: str | None = None
    username: str | None = None
    first_name: str = ""
    last_name: str = ""
    language: str | None = None
    kind: str | None = None
    department: str | None = None
    position: str | None = None
    external_id: str | None = None
    joined_at: datetime | None = None
    tags: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """How many people were new, and how many had been known."""

    created: int
    updated: int


ALL = frozenset(field.name for field in fields(Person))
KEPT_WHEN_NONE = ("status", "kind", "joined_at")
SEARCHED = ("first_name", "last_name", "username", "external_id")


def enter(
    connection: Connection, database: Database, bot: str, people: Iterable[Person], columns: Collection[str] = ALL
) -> Entered:
    """Of two with one identity the last one counts. Of those known only `columns` change."""
    of_all = list(people)
    by_chat = {person.chat_id: person for person in of_all if person.chat_id is not None}
    by_external = {person.external_id: person for person in of_all if person.chat_id is None}
    in_order = [by_chat[chat_id] for chat_id in sorted(by_chat)]  # one order for all: no deadlocks
    invited = [by_external[id] for id in sorted(by_external, key=str)]
    link_invited(connection, bot, {str(person.external_id): chat for chat, person in by_chat.items()})

    known = _known(connection, bot, "chat_id", list(by_chat))
    joined = _known(connection, bot, "external_id", list(by_external), with_chat=True)
    waiting = _known(connection, bot, "external_id", list(by_external), with_chat=False)
    _upsert(connection, database, bot, in_order, columns, ["bot", "chat_id"], None)
    new = [person for person in invited if person.external_id not in joined]
    where = recipients.c.chat_id.is_(None)
    _upsert(connection, database, bot, new, columns, ["bot", "external_id"], where)
    _change(connection, bot, [person for person in invited if person.external_id in joined], columns)

    if "tags" in columns:
        _tag(connection, bot, "chat_id", in_order)
        _tag(connection, bot, "external_id", invited)
    if set(SEARCHED) & set(columns) and not set(SEARCHED) <= set(columns):
        _search_again(connection, bot, "chat_id", list(known))
        _search_again(connection, bot, "external_id", list(joined | waiting))
    created = len(by_chat) - len(known) + len(by_external) - len(joined | waiting)
    return Entered(created, len(by_chat) + len(by_external) - created)


def link_invited(connection: Connection, bot: str, chat_of: dict[str, int]) -> int:
    """Give those who were entered by external id alone their chat; answers how many there were.

    Where that chat is in the directory already, the two rows become one: that of the invitation.
    """
    linked = 0
    external_ids = [id for id in chat_of if id not in ("", "None")]
    for chunk in _chunks(external_ids):
        waiting = and_(recipients.c.bot == bot, recipients.c.external_id.in_(chunk), recipients.c.chat_id.is_(None))
        query = select(recipients.c.id, recipients.c.external_id).where(waiting).order_by(recipients.c.id)
        for id, external_id in connection.execute(query.with_for_update()).all():
            _take_over(connection, bot, id, chat_of[external_id])
            linked += 1
    return linked


def _take_over(connection: Connection, bot: str, id: int, chat_id: int) -> None:
    of_chat = and_(recipients.c.bot == bot, recipients.c.chat_id == chat_id)
    values: dict[str, Any] = {"chat_id": chat_id, "status": "active"}
    if former := connection.execute(select(recipients).where(of_chat).with_for_update()).one_or_none():
        same = {"status": former.status, "status_at": former.status_at, "joined_at": former.joined_at}
        values |= same | {name: getattr(former, name) for name in ("username", "language")}
        _move(connection, audience_members, "audience_id", former.id, id)
        both = tags_of(connection, [id, former.id])
        set_tags(connection, {id: [tag for tags in both.values() for tag in tags]})
        remember(connection, former.id, id)
        connection.execute(delete(recipients).where(recipients.c.id == former.id))
    else:
        values["joined_at"] = datetime.now(UTC)
    connection.execute(update(recipients).where(recipients.c.id == id).values(values))


def _move(connection: Connection, table: Any, other: str, source: int, target: int) -> None:
    """What belonged to one person belongs to the other; what both had, once."""
    twin = table.alias()
    both = exists().where(twin.c.recipient_id == target, twin.c[other] == table.c[other])
    connection.execute(update(table).where(table.c.recipient_id == source, ~both).values(recipient_id=target))
    connection.execute(delete(table).where(table.c.recipient_id == source))


def search_words(person: Any) -> str:
    """What somebody is found by."""
    return " ".join(word for name in SEARCHED if (word := getattr(person, name))).lower()


def _upsert(
    connection: Connection,
    database: Database,
    bot: str,
    people: Sequence[Person],
    columns: Collection[str],
    identity: list[str],
    where: Any,
) -> None:
    """In groups by which of the values are given: those of None are kept."""
    groups: dict[tuple[bool, ...], list[Person]] = {}
    for person in people:
        groups.setdefault(tuple(getattr(person, name) is not None for name in KEPT_WHEN_NONE), []).append(person)
    for given, group in sorted(groups.items()):
        kept = {name for name, is_given in zip(KEPT_WHEN_NONE, given, strict=True) if not is_given}
        changed = [name for name in columns if name not in kept and name not in (*identity, "tags")]
        statement = database.upsert(recipients)
        changes = {name: statement.excluded[name] for name in (*changed, "updated_at")}
        if set(SEARCHED) <= set(columns):
            changes["search"] = statement.excluded.search
        if "status" in changes:
            changes["status_at"] = statement.excluded.status_at
        conflict = statement.on_conflict_do_update(index_elements=identity, index_where=where, set_=changes)
        connection.execute(conflict, [_row(bot, person) for person in group])


def _row(bot: str, person: Person) -> dict[str, Any]:
    now = datetime.now(UTC)
    said = {name: getattr(person, name) for name in ALL if name != "tags"}  # asdict copies deeply: a second for 10,000
    said["tag_lines"] = lines_of(person.tags or ())
    said["kind"] = person.kind or "employee"
    said["joined_at"] = person.joined_at or now
    said["status"] = (person.status or "active") if person.chat_id is not None else "not_started"
    said["status_at"] = int(now.timestamp()) if person.status else 0
    return {"bot": bot, **said, "search": search_words(person), "created_at": now, "updated_at": now}


def _change(connection: Connection, bot: str, people: Sequence[Person], columns: Collection[str]) -> None:
    """Those who were invited and have come since: by external id; their status is their own."""
    names = [name for name in columns if name not in ("chat_id", "external_id", "status", "tags")]
    for person in people:
        row = _row(bot, person)
        values = {name: row[name] for name in names if name not in KEPT_WHEN_NONE or getattr(person, name) is not None}
        if set(SEARCHED) <= set(columns):
            values["search"] = row["search"]
        of_person = and_(
            recipients.c.bot == bot, recipients.c.external_id == person.external_id, recipients.c.chat_id.is_not(None)
        )
        connection.execute(update(recipients).where(of_person).values({**values, "updated_at": row["updated_at"]}))


def _known(
    connection: Connection, bot: str, key: str, values: Sequence[Any], with_chat: bool | None = None
) -> set[Any]:
    found = set[Any]()
    for chunk in _chunks(values):
        query = select(recipients.c[key]).where(recipients.c.bot == bot, recipients.c[key].in_(chunk))
        if with_chat is not None:
            query = query.where(recipients.c.chat_id.is_not(None) if with_chat else recipients.c.chat_id.is_(None))
        found.update(connection.scalars(query))
    return found


def _tag(connection: Connection, bot: str, key: str, people: Sequence[Person]) -> None:
    said = {getattr(person, key): person.tags for person in people if person.tags is not None}
    by_id: dict[int, Sequence[str]] = {}
    for chunk in _chunks(list(said)):
        query = select(recipients.c.id, recipients.c[key]).where(recipients.c.bot == bot, recipients.c[key].in_(chunk))
        by_id.update({id: said[value] for id, value in connection.execute(query).all()})
    set_tags(connection, by_id)


def _search_again(connection: Connection, bot: str, key: str, values: Sequence[Any]) -> None:
    """Where only some of the words were given, the others are in the row."""
    words = [recipients.c[name] for name in SEARCHED]
    for chunk in _chunks(values):
        query = select(recipients.c.id, *words).where(recipients.c.bot == bot, recipients.c[key].in_(chunk))
        rows = [{"of_id": row.id, "words": search_words(row)} for row in connection.execute(query).all()]
        if rows:
            by_id = update(recipients).where(recipients.c.id == bindparam("of_id"))
            connection.execute(by_id.values(search=bindparam("words")), rows)


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
