"""The ids of rows that became one with another: what was decided about somebody under an old id still holds."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

from broadcast_api.adapters.schema import former_recipients

CHUNK = 5_000
"""Values of one IN: SQLite takes 32,766 parameters, PostgreSQL 65,535."""


def remember(connection: Connection, former: int, id: int) -> None:
    """The row `former` goes, and with it whatever it had stood for before; `id` is that person now."""
    of_former = former_recipients.c.recipient_id == former
    connection.execute(update(former_recipients).where(of_former).values(recipient_id=id))
    connection.execute(insert(former_recipients).values(former_id=former, recipient_id=id))


def present(connection: Connection, ids: Iterable[int]) -> set[int]:
    """The ids that these people have now. Whoever was taken out keeps the id they had."""
    found = set(ids)
    in_order = sorted(found)
    for start in range(0, len(in_order), CHUNK):
        chunk = in_order[start : start + CHUNK]
        query = select(former_recipients).where(former_recipients.c.former_id.in_(chunk))
        for former, id in connection.execute(query):
            found.discard(former)
            found.add(id)
    return found
