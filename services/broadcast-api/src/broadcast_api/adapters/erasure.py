"""Forget one person everywhere in SQL. The event store never knew them; what NATS holds expires by itself.

A message that is still to be sent to them finds chat 0 and is refused by Telegram: the counts of its run add up.
"""

from typing import Any

from sqlalchemy import Row, bindparam, delete, or_, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import audience_members, deliveries, recipients, runs

NOBODY = 0
"""No recipient and no chat has this id."""


def erase(database: Database, id: int) -> bool:
    """Answers whether there was such a person. Reads every run's rows, without holding anybody up."""
    with database.write() as connection:
        person = connection.execute(select(recipients).where(recipients.c.id == id)).one_or_none()
        connection.execute(delete(audience_members).where(audience_members.c.recipient_id == id))
        connection.execute(delete(recipients).where(recipients.c.id == id))
    # Whoever deleted the row before us, or died after it, may have left the rest.
    found = person is not None
    row = (deliveries.c.run_id == bindparam("of_run")) & (deliveries.c.position == bindparam("at"))
    # Again until nothing is left: a slice of an audience may have been written down meanwhile.
    while places := _places(database, id, person):
        found = True
        with database.write() as connection:
            connection.execute(update(deliveries).where(row).values(recipient_id=NOBODY, chat_id=NOBODY), places)
    return found


def _places(database: Database, id: int, person: Row[Any] | None) -> list[dict[str, int]]:
    """Where their deliveries are: under this id, or under an earlier one of the same chat and bot."""
    theirs = deliveries.c.recipient_id == id
    if person is not None and person.chat_id is not None:
        of_bot = select(runs.c.id).where(runs.c.bot == person.bot)
        theirs = or_(theirs, (deliveries.c.chat_id == person.chat_id) & deliveries.c.run_id.in_(of_bot))
    query = select(deliveries.c.run_id, deliveries.c.position).where(theirs)
    with database.read() as connection:
        return [{"of_run": row.run_id, "at": row.position} for row in connection.execute(query)]
