"""Which version the SQL tables have, and which one this code needs: the number of the newest file in
`migrations/versions`. Only `migrate` makes the one into the other."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from broadcast_api.adapters.database import Database

MIGRATIONS = Path(__file__).with_name("migrations")
NEEDED = max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class WrongSchema(Exception):
    """One line: what is there, what is needed, what to do."""


def require_schema(database: Database) -> None:
    """Raises `WrongSchema` where the tables are older than this code needs, or have no version.

    Newer ones are right: during an upgrade, and after a rollback, a program meets the tables of the release after it.
    """
    with database.read() as connection:
        found = version_of(connection)
    if found is None or found < NEEDED:
        there = f"tables of version {found}, this program needs {NEEDED}" if found else "no tables yet"
        raise WrongSchema(f"the database has {there}: run `python -m broadcast_api init`")


def version_of(connection: Connection) -> str | None:
    """None where `migrate` never made a table. Raises `WrongSchema` for tables that it did not make."""
    known = inspect(connection)
    if not known.has_table("alembic_version"):
        if known.has_table("recipients"):
            raise WrongSchema("the database has tables without a version, which no release made: use an empty one")
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
