"""The SQL tables are made and altered by `migrate` alone, whole or not at all, on each engine."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from broadcast_api.__main__ import _await_schema
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.migrate import alembic, migrate
from broadcast_api.adapters.schema import import_errors, imports
from broadcast_api.adapters.schema_version import MIGRATIONS, NEEDED, WrongSchema, require_schema, version_of
from broadcast_api.settings import Settings


@pytest.fixture
def database(empty_stores: tuple[str, str]) -> Iterator[Database]:
    """Without tables."""
    database = Database(empty_stores[0])
    yield database
    database.close()


@pytest.fixture
def url(empty_stores: tuple[str, str]) -> str:
    return empty_stores[0]


def test_the_revisions_make_the_tables_that_the_code_means(database: Database, url: str) -> None:
    migrate(url)
    with database.engine.connect() as connection:
        command.check(alembic(connection))  # raises with every difference


def test_a_difference_between_revisions_and_code_is_seen(database: Database, url: str) -> None:
    migrate(url)
    with database.write() as connection:
        connection.execute(text("DROP INDEX runs_by_state"))
        connection.execute(text("ALTER TABLE batches ADD COLUMN colour INTEGER"))
    with (
        database.engine.connect() as connection,
        pytest.raises(Exception, match=r"runs_by_state.*colour|colour.*runs_"),
    ):
        command.check(alembic(connection))


def test_making_the_tables_again_changes_nothing(database: Database, url: str) -> None:
    migrate(url)
    with database.write() as connection:
        connection.execute(text("INSERT INTO positions (reader, notification_id, stream_sequence) VALUES ('r', 7, 0)"))
    migrate(url)
    with database.read() as connection:
        assert connection.scalar(text("SELECT notification_id FROM positions")) == 7
        assert version_of(connection) == NEEDED


def test_several_may_make_the_tables_at_once(database: Database, empty_stores: tuple[str, str]) -> None:
    def init(_: int) -> None:
        migrate(empty_stores[0])
        EventStore(empty_stores[1]).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(init, range(4)))
    require_schema(database)


def test_a_revision_that_fails_leaves_nothing(database: Database, url: str) -> None:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE sessions (in_the_way INTEGER)"))
    with pytest.raises(DatabaseError, match="sessions"):
        migrate(url)
    assert set(inspect(database.engine).get_table_names()) <= {"sessions", "alembic_version"}
    with pytest.raises(WrongSchema):
        require_schema(database)


NEXT = f"{int(NEEDED) + 1:04}"
REVISION = f"""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{NEXT}", "{NEEDED}"


def upgrade():
    with op.batch_alter_table("imports") as table:
        table.add_column(sa.Column("colour", sa.Text(), server_default="red", nullable=False))
        table.alter_column("file_name", type_=sa.String(300))
    if op.get_context().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.create_index("imports_by_colour", "imports", ["colour"], postgresql_concurrently=True)
"""


def test_an_altered_table_keeps_its_rows_and_those_that_refer_to_it(
    database: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(url)
    now, id = datetime.now(UTC), uuid4()
    with database.write() as connection:
        one = {"id": id, "bot": "main", "file_name": "a.csv", "state": "running", "started_at": now, "beat_at": now}
        connection.execute(insert(imports), one)
        connection.execute(insert(import_errors), {"import_id": id, "row": 1, "column": "chat_id", "code": "missing"})
    revisions = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (revisions / "versions" / f"{NEXT}_next.py").write_text(REVISION)
    monkeypatch.setattr("broadcast_api.adapters.migrate.MIGRATIONS", revisions)
    monkeypatch.setattr("broadcast_api.adapters.migrate.NEEDED", NEXT)
    migrate(url)
    with database.read() as connection:
        assert version_of(connection) == NEXT
        assert connection.execute(text("SELECT file_name, colour FROM imports")).one() == ("a.csv", "red")
        assert connection.scalar(text("SELECT count(*) FROM import_errors")) == 1
        broken = insert(import_errors).values(import_id=uuid4(), row=1, column="x", code="y")
        with pytest.raises(IntegrityError):
            connection.execute(broken)


def test_tables_that_no_release_made_are_left_alone(database: Database, url: str) -> None:
    database.create_schema()
    with pytest.raises(WrongSchema, match="without a version"):
        migrate(url)
    with pytest.raises(WrongSchema, match="without a version"):
        require_schema(database)


def test_tables_of_the_next_release_serve_the_one_before(database: Database, url: str) -> None:
    migrate(url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    migrate(url)
    require_schema(database)
    with database.read() as connection:
        assert version_of(connection) == "9999"


def test_serving_waits_until_init_is_done(url: str) -> None:
    init = threading.Timer(0.5, migrate, [url])
    init.start()
    _await_schema(Settings(database_url=url))
    init.join()


def test_serving_without_init_says_what_to_run(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadcast_api.__main__.SCHEMA_WAIT_SECONDS", 0)
    with pytest.raises(WrongSchema, match="no tables yet: run `python -m broadcast_api init`"):
        _await_schema(Settings(database_url=url))
