"""Compare the rows of decisions (broadcasts, audiences, runs) with those that the event log makes."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, select, union

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.former_ids import CHUNK, present
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema import audience_members, audiences, audit, broadcasts, decisions, recipients, runs

PAGE = 200
OF_RUN = ("bot", "audience_id", "content", "leg", "state", "started_at")
"""Of a run the log says this much. `audience`, `frozen_up_to` and `batch_size` are the memory of its freeze."""

Rows = dict[tuple[Any, ...], dict[str, Any]]


of_broadcasts: ColumnElement[UUID] = (
    union(select(broadcasts.c.id.label("id")), select(runs.c.broadcast_id.label("id"))).subquery().c.id
)
"""Whatever has a row or a run."""

of_audiences: ColumnElement[UUID] = audiences.c.id


def pages(truth: Database, copy: Database, id: ColumnElement[UUID]) -> Iterator[list[UUID]]:
    """All ids that either of the two has, in pages."""
    yield from _pages(truth, id)
    for page in _pages(copy, id):
        with truth.read() as connection:
            known = set(connection.scalars(select(id).where(id.in_(page))))
        if others := [one for one in page if one not in known]:
            yield others


def broadcast_differences(truth: Database, copy: Database, ids: Sequence[UUID]) -> Iterator[str]:
    """Of these broadcasts, their runs and the decisions about them."""
    for kind, read in (("broadcast", _broadcasts), ("run", _runs), ("decision", _decisions)):
        yield from _differences(kind, read(truth, ids), read(copy, ids))


def audience_differences(truth: Database, copy: Database, ids: Sequence[UUID]) -> Iterator[str]:
    """Of these audiences and their members."""
    yield from _differences("audience", _audiences(truth, ids), _audiences(copy, ids))
    for id in ids:
        said, stored = members(truth, id), members(copy, id)
        with copy.read() as connection:
            known = among_people(connection, said)
        if missing := known - stored:
            yield f"audience {id}: members {sorted(missing)[:5]} are missing"
        if others := stored - known:
            yield f"audience {id}: {len(others)} members whom nobody put there"


def audit_differences(truth: Database, copy: Database) -> Iterator[str]:
    """Of who did what: a row for each event."""
    last = 0
    while True:
        after = select(audit.c.number).where(audit.c.number > last).order_by(audit.c.number).limit(PAGE)
        numbers = [number for database in (truth, copy) for number in _numbers(database, after)]
        if not numbers:
            return
        first, last = last + 1, sorted(set(numbers))[:PAGE][-1]
        yield from _differences("audit", *(_audit(database, first, last) for database in (truth, copy)))


def _numbers(database: Database, query: Select[tuple[int]]) -> list[int]:
    with database.read() as connection:
        return list(connection.scalars(query))


def _audit(database: Database, first: int, last: int) -> Rows:
    with database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.number.between(first, last)))
        return {(row.number,): _values(row) for row in rows}


def members(database: Database, audience_id: UUID) -> set[int]:
    """At most 10,000."""
    query = select(audience_members.c.recipient_id).where(audience_members.c.audience_id == audience_id)
    with database.read() as connection:
        return set(connection.scalars(query))


def among_people(connection: Connection, ids: set[int]) -> set[int]:
    """Those who are in the directory, by the ids they have now. Who was deleted left the lists."""
    found = set[int]()
    in_order = sorted(present(connection, ids))
    for start in range(0, len(in_order), CHUNK):
        chunk = in_order[start : start + CHUNK]
        found.update(connection.scalars(select(recipients.c.id).where(recipients.c.id.in_(chunk))))
    return found


def _pages(database: Database, id: ColumnElement[UUID]) -> Iterator[list[UUID]]:
    last: UUID | None = None
    while True:
        query = select(id).order_by(id).limit(PAGE)
        with database.read() as connection:
            found = list(connection.scalars(query if last is None else query.where(id > last)))
        if not found:
            return
        yield found
        last = found[-1]


def _broadcasts(database: Database, ids: Sequence[UUID]) -> Rows:
    with database.read() as connection:
        return {
            (row.id,): _values(row) for row in connection.execute(select(broadcasts).where(broadcasts.c.id.in_(ids)))
        }


def _audiences(database: Database, ids: Sequence[UUID]) -> Rows:
    with database.read() as connection:
        return {(row.id,): _values(row) for row in connection.execute(select(audiences).where(audiences.c.id.in_(ids)))}


def _runs(database: Database, ids: Sequence[UUID]) -> Rows:
    with database.read() as connection:
        return {
            (row.broadcast_id, row.run): {name: _plain(getattr(row, name)) for name in OF_RUN}
            for row in connection.execute(select(runs).where(runs.c.broadcast_id.in_(ids)))
        }


def _decisions(database: Database, ids: Sequence[UUID]) -> Rows:
    with database.read() as connection:
        return {
            (row.broadcast_id, row.run, row.number): {"answer": row.answer, "recipients": row.recipients}
            for row in decided(connection, runs.c.broadcast_id.in_(ids))
        }


def decided(connection: Connection, which: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """Decisions with the broadcast and the run they are about."""
    of_run = (runs.c.broadcast_id, runs.c.run, runs.c.id.label("of_run"))
    query = select(decisions, *of_run).join_from(decisions, runs, runs.c.id == decisions.c.run_id)
    return connection.execute(query.where(which).order_by(decisions.c.run_id, decisions.c.number)).all()


def _values(row: Row[Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row._asdict().items()}


def _plain(value: Any) -> Any:
    return utc(value) if hasattr(value, "tzinfo") else value


def _differences(kind: str, truth: Rows, copy: Rows) -> Iterator[str]:
    for key in sorted(truth.keys() | copy.keys(), key=str):
        name = f"{kind} {'/'.join(map(str, key))}"
        if key not in copy:
            yield f"{name}: is in the event log, but has no row"
        elif key not in truth:
            yield f"{name}: has a row, but is not in the event log"
        else:
            for column, value in truth[key].items():
                if copy[key][column] != value:
                    yield f"{name}: {column} {copy[key][column]!r}, the event log {value!r}"
