"""Chaos runs in two forms: what is not marked `chaos` once, in `make test`; everything, repeated, in `make chaos`.

`CHAOS_REPEATS` is the number of repetitions; without it the short form runs. `CHAOS_SEED` fixes the random instants
(each test prints its seed). `CHAOS_REPORT` names the file for the table. Logs stay in pytest's temporary folder.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from random import Random, SystemRandom
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from tests.chaos.report import Report
from tests.chaos.stage import Stage, staged

REPEATS = int(os.environ.get("CHAOS_REPEATS") or 0)
SEED = os.environ.get("CHAOS_SEED") or str(SystemRandom().randrange(10**6))
REPORT = Report()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stage" in metafunc.fixturenames:
        metafunc.parametrize("repetition", range(REPEATS or 1), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not REPEATS:
        long = [item for item in items if item.get_closest_marker("chaos")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if isinstance(item, pytest.Function) and "stage" in item.fixturenames and report.when == "call":
        REPORT.ended(item.originalname, report.passed)
    return report


def pytest_sessionfinish() -> None:
    path = os.environ.get("CHAOS_REPORT")
    if path and not REPORT.empty:
        REPORT.write(Path(path), f"CHAOS_REPEATS={REPEATS} CHAOS_SEED={SEED} make chaos")


class Theatre:
    """Holds the system that scenarios share; after one that failed the next gets a new system."""

    def __init__(self, postgres: str, folders: pytest.TempPathFactory) -> None:
        self._postgres, self._folders = postgres, folders
        self._stage: Stage | None = None
        self._exits = contextlib.AsyncExitStack()

    async def stage(self) -> Stage:
        if self._stage is None:
            name = f"chaos_{uuid4().hex}"
            with psycopg.connect(self._postgres, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            database = f"{self._postgres.rpartition('/')[0]}/{name}"
            self._stage = await self._exits.enter_async_context(staged(database, self._folders.mktemp("system")))
        return self._stage

    async def leave(self) -> None:
        self._stage = None
        await self._exits.aclose()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def theatre(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theatre]:
    theatre = Theatre(postgres_server, tmp_path_factory)
    yield theatre
    await theatre.leave()


@pytest.fixture
def repetition(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest_asyncio.fixture(loop_scope="package")
async def stage(theatre: Theatre, repetition: int, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """The system, healthy, with random numbers of this repetition."""
    stage = await theatre.stage()
    stage.scenario = getattr(request.node, "originalname", request.node.name)
    seed = f"{SEED}:{stage.scenario}:{repetition}"
    print(f"CHAOS_SEED={SEED} ({seed}), logs in {stage.stack.logs}")
    stage.luck, stage.report = Random(seed), REPORT
    failed = request.session.testsfailed
    yield stage
    if request.session.testsfailed > failed:
        await theatre.leave()
    else:
        await stage.heal()
