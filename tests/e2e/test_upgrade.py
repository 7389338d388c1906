"""What the previous commit's services began, those under test finish: each is replaced in mid-broadcast."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest

from broadcast_contracts.topology import DEAD
from deploy.local.samples import DEPARTMENTS
from deploy.local.stack import Plan
from tests.chaos.run import Run
from tests.chaos.verdict import account, stored
from tests.support.release import Release, commit_before, git, tree_of
from tests.support.system import System, served

ROOT = Path(__file__).parents[2]
PEOPLE, RATE = 800, 15
POLL_SECONDS = 0.5
TOGETHER = 10
"""Messages that are sent or deleted while a service runs in both versions."""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The tree of the previous commit."""
    return tree_of(commit_before(ROOT), ROOT, tmp_path / "before")


@pytest.fixture
async def old(before: Path, postgres_dsn: str, tmp_path: Path) -> AsyncIterator[System]:
    """Everything from that tree."""
    plan = Plan(
        var=tmp_path / "var",
        database_url=postgres_dsn.replace("postgresql://", "postgresql+psycopg://"),
        event_store_url=postgres_dsn,
        bots={"main": {"token": "1000000001:EMULATED", "rate": RATE}},
        people=PEOPLE,
        dispatchers=2,
        settings={"BROADCAST_BATCH_SIZE": "25"},  # so that most batches are still to be planned when the api changes
    )
    plan.var.mkdir()
    release = Release(before, plan)
    async with served(release) as system:
        assert await release.runs_from(before)
        yield system


@pytest.fixture
async def new(old: System) -> AsyncIterator[Release]:
    """Nothing of the tree under test, yet."""
    assert isinstance(old.stack, Release)
    release = old.stack.beside(ROOT)
    assert await release.runs_from(ROOT)
    yield release
    await release.stop()


@pytest.mark.timeout(300)
async def test_a_broadcast_and_a_recall_begun_by_the_previous_commit_are_finished_by_this_one(
    old: System, new: Release
) -> None:
    recalled = await drawn_up(old, DEPARTMENTS[:2])
    await recalled.press("send")
    await recalled.until_status("sent")
    run = await drawn_up(old, DEPARTMENTS)
    await run.press("send")
    await run.until_arrived(PEOPLE // 6)
    migration = asyncio.create_task(new.command("init"))
    await run.until_arrived(PEOPLE // 4)  # by the old ones alone, over tables that are being altered
    async with held_up(old):
        await migration

    # Kubernetes replaces all services at once. In this order the api meets workers newer and older than itself.
    await replaced(old, new, "dispatcher-0")
    await recalled.press("recall")
    await recalled.until(lambda state: bool(state["counts"]["recalled"]))
    await replaced(old, new, "api", "revoker-0")
    recalled.system = run.system = System(new, old.http)
    left_to_recall = sum(chat["present"] for chat in (await recalled.chats()).values())
    await replaced(old, new, "dispatcher-1")
    by_new_alone = PEOPLE - len(await run.sent_at())

    await run.until_status("sent")
    assert (await recalled.until_status("created"))["counts"]["recalled"] == recalled.people
    assert min(by_new_alone, left_to_recall) > 0
    client = await nats.connect(**new.nats_options("operator"))
    for each in (run, recalled):
        result = await account(each, client.jetstream(), bound=0)
        assert (result.duplicates, result.lost, result.unconfirmed) == (0, 0, 0)
    parked = await stored(client.jetstream(), DEAD.name, ">")
    await client.close()
    assert parked == [], "each side reads what the other wrote"
    assert (await run.state())["counts"]["delivered"] == len(await run.chats()) == PEOPLE
    assert not any(chat["present"] for chat in (await recalled.chats()).values())
    await new.command("verify")


async def drawn_up(system: System, departments: tuple[str, ...]) -> Run:
    """A broadcast to the people of some departments."""
    run = Run(system, PEOPLE * len(departments) // len(DEPARTMENTS), RATE, poll_seconds=POLL_SECONDS)
    audience = await system.audience(run.text, {"kind": "attributes", "where": {"department": departments}})
    run.id = await system.broadcast(audience, run.text)
    return run


async def replaced(old: System, new: Release, *names: str) -> None:
    """The new ones serve before the old ones are told to end; both run for a while; the old ones keep their grace."""
    async with held_up(old):
        await asyncio.gather(*(started(new, name) for name in names))
    together = await sent_and_deleted(old) + TOGETHER
    async with asyncio.timeout(60):
        while await sent_and_deleted(old) < together:
            await asyncio.sleep(POLL_SECONDS)
    for name in names:
        part = old.stack.parts[name]
        await part.stop()
        assert await part.wait() != -signal.SIGKILL


async def sent_and_deleted(system: System) -> int:
    totals = await system.totals()
    return int(totals["sent"] + totals["deleted"])


async def started(release: Release, name: str) -> None:
    match name.split("-"):
        case [kind, number]:
            await release.start_worker(kind, int(number))
            await release.ready(name)
        case _:
            await release.start_api()


@contextlib.asynccontextmanager
async def held_up(system: System) -> AsyncIterator[None]:
    """Telegram asks the bot to wait: a slow machine takes long to start a process, and the run must outlast it."""
    for method in ("sendMessage", "deleteMessage"):
        await system.fault(method=method, kind="rate_limited", retry_after=1)
    yield
    await system.emulator("DELETE", "/faults")


def test_the_commit_before_is_the_newest_whose_services_differ(tmp_path: Path) -> None:
    only = committed(tmp_path, "services/api/src/api.py", "1")
    assert commit_before(tmp_path) == only, "where there is no other, from itself"
    changed = committed(tmp_path, "services/api/src/api.py", "2")
    assert commit_before(tmp_path) == only
    page = committed(tmp_path, "docs/operations.md", "3")
    assert commit_before(tmp_path) == only, "another page is no other system"
    (tmp_path / "libs/delivery/src").mkdir(parents=True)
    (tmp_path / "libs/delivery/src/new.py").write_text("4")
    assert commit_before(tmp_path) == page != changed, "what is under test is not committed yet"


def test_a_clone_without_its_history_is_told_how_to_get_it(tmp_path: Path) -> None:
    for text in ("1", "2"):
        committed(tmp_path / "whole", "libs/delivery/src/it.py", text)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path}/whole", "shallow")
    with pytest.raises(RuntimeError, match="git fetch --unshallow"):
        commit_before(tmp_path / "shallow")


def committed(repository: Path, file: str, text: str) -> str:
    """The id of a new commit with this text in the file."""
    (repository / file).parent.mkdir(parents=True, exist_ok=True)
    (repository / file).write_text(text)
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    settings = ("user.name=x", "user.email=x@localhost", "commit.gpgsign=false")
    git(repository, *(word for setting in settings for word in ("-c", setting)), "commit", "--quiet", "-m", text)
    return git(repository, "rev-parse", "HEAD")
