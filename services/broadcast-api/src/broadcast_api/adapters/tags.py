"""The tags of people: rows to look them up by, and lines in the row of each person to count them by.

A look-up in `recipient_tags` for each of a million people takes SQLite two seconds; the lines stand in the index that
is read anyway. Both are written here, in one transaction.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, false, insert, or_, select, update

from broadcast_api.adapters.schema import recipient_tags, recipients

CHUNK = 5_000
"""Values of one IN: SQLite takes 32,766 parameters, PostgreSQL 65,535."""

READ_IN_LINES = 8
"""Each tag looked for in the lines of a million people takes about 0.15 s; more are looked up in the rows."""


def clean_tags(tags: Iterable[str]) -> list[str]:
    """In one line each, in lower case, each once."""
    return sorted({clean for tag in tags if (clean := " ".join(tag.lower().split()))})


def lines_of(tags: Iterable[str]) -> str:
    """As they stand in the row of a person; empty without any."""
    tags = clean_tags(tags)
    return "".join(f"\n{tag}" for tag in tags) + "\n" if tags else ""


def set_tags(connection: Connection, said: dict[int, Sequence[str]]) -> None:
    """Exactly these tags for these people, by directory id."""
    cleaned = {id: clean_tags(said[id]) for id in sorted(said)}
    ids = list(cleaned)
    changed: list[dict[str, Any]] = []
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        connection.execute(delete(recipient_tags).where(recipient_tags.c.recipient_id.in_(chunk)))
        # Who is new has the lines already, and of the others most keep theirs.
        known = select(recipients.c.id, recipients.c.tag_lines).where(recipients.c.id.in_(chunk))
        for id, lines in connection.execute(known).all():
            if lines != (now := lines_of(cleaned[id])):
                changed.append({"of_id": id, "lines": now})
    if rows := [{"recipient_id": id, "tag": tag} for id, tags in cleaned.items() for tag in tags]:
        connection.execute(insert(recipient_tags), rows)
    if changed:
        of_person = recipients.c.id == bindparam("of_id")
        connection.execute(update(recipients).where(of_person).values(tag_lines=bindparam("lines")), changed)


def tags_of(connection: Connection, ids: Collection[int]) -> dict[int, list[str]]:
    """The tags of these people; who has none is left out."""
    found: dict[int, list[str]] = {}
    query = select(recipient_tags).where(recipient_tags.c.recipient_id.in_(ids)).order_by(recipient_tags.c.tag)
    for row in connection.execute(query):
        found.setdefault(row.recipient_id, []).append(row.tag)
    return found


def tagged(tags: Sequence[str]) -> ColumnElement[bool]:
    """Whoever has at least one of the tags."""
    wanted = clean_tags(tags)
    if len(wanted) > READ_IN_LINES:
        rows = select(recipient_tags.c.recipient_id).where(recipient_tags.c.tag.in_(wanted))
        return recipients.c.id.in_(rows)
    return or_(false(), *(recipients.c.tag_lines.contains(lines_of([tag]), autoescape=True) for tag in wanted))
