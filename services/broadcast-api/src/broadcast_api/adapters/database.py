"""One engine for SQLite and PostgreSQL, with two doors: `read` and `write`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite

from broadcast_api.adapters.identity_schema import metadata

LOCK_TIMEOUT_SECONDS = 15
MAPPED_BYTES = 2**31  # counting a million people reads far more than SQLite's own cache of 2 MB holds


class Database:
    """The SQL database of read models, directory and delivery rows. Synchronous: call it from a thread.

    `url` is an SQLAlchemy URL (`sqlite:///path` or `postgresql+psycopg://…`).
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url)

    @property
    def is_sqlite(self) -> bool:
        """SQLite has one writer at a time and no row locks."""
        return self.engine.dialect.name == "sqlite"

    def create_schema(self) -> None:
        """Every table at once, without a version: for what is thrown away. A system's are made by `migrate`."""
        with self.write() as connection:
            metadata.create_all(connection)

    @contextmanager
    def read(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A connection for reading; never blocks a writer. With `snapshot` all it reads is of the same moment."""
        with self.engine.connect() as connection:
            if snapshot and not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A transaction, committed at the end. With `snapshot` all its statements see the same moment."""
        with self.engine.connect() as connection:
            if snapshot and not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            connection.info["writes"] = True
            try:
                with connection.begin():
                    yield connection
            finally:
                connection.info.pop("writes", None)

    def upsert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that can say `on_conflict_do_update` and `on_conflict_do_nothing`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlite(url: str) -> Engine:
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": LOCK_TIMEOUT_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # What starts reading and writes later would fail with "database is locked": take the lock at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("writes") else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=10,
        max_overflow=10,
        pool_pre_ping=True,
        connect_args={"options": f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s"},
    )
