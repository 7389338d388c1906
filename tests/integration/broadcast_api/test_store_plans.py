"""Pages of long lists are read from an index: never a scan, never a sort."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert, text

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.listing import PageEnd, Sort
from broadcast_api.adapters.queries import Queries
from broadcast_api.adapters.schema import audiences, broadcasts, deliveries, runs

ROWS = 3_000
AUDIENCE, NOW = UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    who = {"bot": "main", "name": "Все", "definition": {}, "archived": False, "version": 1, "created_at": NOW}
    content = {"text": "t", "parse_mode": "none", "link_preview": True, "silent": False, "bot": "main"}
    shown = {**content, "name": "n", "search": "n", "audience_id": AUDIENCE, "stopping": False, "run": 1, "version": 1}
    by = {"created_by_name": "A", "created_by_position": "", "created_at": NOW}
    run = {"run": 1, "bot": "main", "audience_id": AUDIENCE, "content": {}, "state": "sent", "started_at": NOW}
    with database.write() as connection:
        connection.execute(insert(audiences).values(id=AUDIENCE, **who))
        rows = [{"id": UUID(int=n), "status": "sent", "sent_at": NOW, **shown, **by} for n in range(ROWS)]
        unsent = {"status": "created", "sent_at": None, **shown, "run": 0, **by}
        connection.execute(insert(broadcasts), [*rows, *({"id": UUID(int=ROWS + n), **unsent} for n in range(ROWS))])
        connection.execute(insert(runs), [{"broadcast_id": UUID(int=n), "batch_size": 9, **run} for n in range(ROWS)])
        outcomes = ["blocked" if n % 500 == 0 else "delivered" for n in range(ROWS)]
        people = [{"run_id": 1, "position": n, "recipient_id": n, "chat_id": n} for n in range(ROWS)]
        connection.execute(
            insert(deliveries), [{**row, "outcome": outcome} for row, outcome in zip(people, outcomes, strict=True)]
        )
    with database.write() as connection:
        connection.execute(text("ANALYZE"))
    yield database
    database.close()


def test_every_page_of_a_long_list_comes_from_an_index(database: Database) -> None:
    queries = Queries(database)
    middle = UUID(int=ROWS // 2)
    after = PageEnd(NOW, middle)
    ends = {"name": PageEnd("n", middle), "sent": PageEnd(NOW, middle), "delivered": PageEnd(0, middle)}
    pages: dict[str, Callable[[], Any]] = {
        "first": lambda: queries.broadcasts(status=None, text="", after=None, limit=50),
        "deep": lambda: queries.broadcasts(status=None, text="", after=after, limit=50),
        "by status": lambda: queries.broadcasts(status="sent", text="", after=after, limit=50),
        "by name": lambda: queries.broadcasts(status=None, text="n", after=after, limit=50),
        **{
            f"{sort} of {status}": partial(
                queries.broadcasts, status=status, text="", after=ends[sort.removeprefix("-")], limit=50, sort=sort
            )
            for sort in Sort
            if sort.removeprefix("-") in ends
            for status in (None, "sent")
        },
        "never sent": lambda: queries.broadcasts(
            status=None, text="", after=PageEnd(NOW, UUID(int=2 * ROWS - 9), unsent=True), limit=50, sort=Sort.SENT_LAST
        ),
        "deliveries": lambda: queries.deliveries(1, outcome=None, after=ROWS // 2, limit=50),
        "exceptional": lambda: queries.deliveries(1, outcome="blocked", after=0, limit=50),
    }
    for name, read in pages.items():
        statements: list[tuple[str, Any]] = []

        def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
            statements.append((statement, parameters))  # noqa: B023 - used within the same turn

        event.listen(database.engine, "before_cursor_execute", note)
        assert read(), name
        event.remove(database.engine, "before_cursor_execute", note)
        plan = explain(database, *statements[-1])
        assert "INDEX" in plan or "PRIMARY KEY" in plan, (name, plan)
        assert "SORT" not in plan, (name, plan)
        assert "TEMP B-TREE" not in plan, (name, plan)
        for table in ("BROADCASTS", "RUNS", "DELIVERIES"):
            assert f"SEQ SCAN ON {table}" not in plan, (name, plan)
            assert f"SCAN {table}\n" not in plan + "\n", (name, plan)
        if name == "exceptional":
            assert "DELIVERIES_EXCEPTIONAL" in plan, plan


def explain(database: Database, statement: str, parameters: Any) -> str:
    with database.read() as connection:
        word = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        rows = connection.exec_driver_sql(word + statement, parameters)
        return "\n".join(str(row[-1]) for row in rows).upper()
