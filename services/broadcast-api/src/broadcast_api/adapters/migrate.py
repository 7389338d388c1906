"""Makes and alters the SQL tables, by Alembic. Importing that takes half a second, which only `init` needs to spend."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select, text

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema_version import MIGRATIONS, NEEDED, WrongSchema, version_of
from broadcast_api.adapters.sqlite_folder import alone_in_folder_of

SCHEMA_LOCK = 0x6272_6F61_6463_6173  # "broadcas"


def migrate(url: str) -> None:
    """Bring the tables to the version of this code, one process after another; harmless when nothing is to be done.

    A revision happens whole or not at all. Tables of a newer program stay as they are. Raises `WrongSchema` for tables
    that have no version.
    """
    database = Database(url)
    try:
        with _alone_in_sqlite(database, url) if database.is_sqlite else _alone_in_postgresql(database) as connection:
            if _is_older(database):
                command.upgrade(alembic(connection), "head")
    finally:
        database.close()


def alembic(connection: Connection) -> Config:
    """What the commands of Alembic take."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


@contextmanager
def _alone_in_sqlite(database: Database, url: str) -> Iterator[Connection]:
    """One transaction for all. Altering a table drops the old one: with foreign keys on, whatever refers to it too."""
    with alone_in_folder_of(url), database.engine.connect() as connection:
        sqlite = connection.connection.driver_connection
        assert sqlite is not None
        sqlite.execute("PRAGMA foreign_keys = OFF")  # without effect in a transaction
        connection.info["writes"] = True
        with connection.begin():
            yield connection
            if lost := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise WrongSchema(f"nothing was changed: a row of {lost[0]} would refer to none of {lost[2]}")


@contextmanager
def _alone_in_postgresql(database: Database) -> Iterator[Connection]:
    """The lock has a session of its own: a revision that builds an index concurrently must not be in a transaction."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as locked:
        locked.detach()  # closed at the end, and the lock with it
        locked.execute(text("SET lock_timeout = 0"))
        locked.execute(select(func.pg_advisory_lock(SCHEMA_LOCK)))
        with database.engine.connect() as connection:
            yield connection


def _is_older(database: Database) -> bool:
    with database.read() as connection:
        found = version_of(connection)
    return found is None or found < NEEDED
