"""What docs/operations.md says under "Backup and restore", done to the letter on real processes; the chats judge it."""

import asyncio
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from broadcast_contracts import FileKind
from broadcast_contracts.topology import ATTACHMENTS, BROADCASTS, JOBS
from deploy.local.samples import DEPARTMENTS
from deploy.local.stack import Plan, Stack
from tests.chaos.run import Run
from tests.chaos.stage import SETTINGS
from tests.chaos.verdict import Account, account
from tests.support.files import bytes_of, file_of
from tests.support.nats_backup import back_up, restore
from tests.support.postgres import binaries, fresh_database
from tests.support.system import System, command, served

pytestmark = pytest.mark.timeout(300)

PEOPLE, RATE = 200, 30
BATCH_SIZE, WINDOW_BATCHES = 10, 3
OUT = WINDOW_BATCHES * BATCH_SIZE
"""Whom the batches that a run has out can hold."""

POLL_SECONDS = 0.5
BOT = {"main": {"token": "1000000001:EMULATED", "rate": RATE}}
SMALL = {
    **SETTINGS,
    "BROADCAST_BATCH_SIZE": str(BATCH_SIZE),
    "BROADCAST_WINDOW": str(BATCH_SIZE),
    "BROADCAST_WINDOW_BATCHES": str(WINDOW_BATCHES),
}


def plan_of(var: Path, dsn: str, *, people: int, dispatchers: int, telegram_url: str | None = None) -> Plan:
    """`people` are made by the emulator, which another plan may share."""
    var.mkdir()
    url = dsn.replace("postgresql://", "postgresql+psycopg://")
    return Plan(
        var=var,
        database_url=url,
        event_store_url=dsn,
        bots=BOT,
        telegram_url=telegram_url,
        people=people,
        dispatchers=dispatchers,
        revokers=0,
        settings=SMALL,
    )


@pytest.fixture
async def system(postgres_dsn: str, tmp_path: Path) -> AsyncIterator[System]:
    async with served(Stack(plan_of(tmp_path / "first", postgres_dsn, people=PEOPLE, dispatchers=1))) as system:
        await system.limits(rate=RATE * 2)  # a pause, asked for after a burst, would only cost time
        yield system


async def test_both_are_back_from_a_backup_and_nobody_gets_a_second_copy(
    system: System, postgres_server: str, postgres_dsn: str, tmp_path: Path
) -> None:
    stopped = await drawn_up(system, DEPARTMENTS[:2])
    await stopped.press("send")
    await stopped.until_arrived(20)
    await stopped.press("stop")
    await stopped.until_status("stopped")
    draft = await drawn_up(system, DEPARTMENTS[:1])
    run = await drawn_up(system, DEPARTMENTS)
    await run.press("send")
    await run.until_arrived(PEOPLE // 4)
    known = {each.id: (await each.state())["counts"]["delivered"] for each in (stopped, run)}
    await postgres("pg_dump", "--format=custom", f"--file={tmp_path / 'backup'}", postgres_dsn)

    arrived = len(await stopped.sent_at())
    await stopped.press("resume")
    later = await drawn_up(system, DEPARTMENTS[1:2])
    for each in (draft, later):
        await each.press("send")
        await each.until_arrived(10)
    await run.until_arrived(PEOPLE // 2)
    assert len(await stopped.sent_at()) > arrived, "messages that the backup does not know"
    await killed(system.stack)
    received = {each.id: await each.chats() for each in (draft, later)}

    with fresh_database(postgres_server) as dsn:
        await postgres("pg_restore", "--no-owner", f"--dbname={dsn}", str(tmp_path / "backup"))
        telegram_url = system.stack.telegram_url
        stack = Stack(plan_of(tmp_path / "second", dsn, people=0, dispatchers=0, telegram_url=telegram_url))
        stack.api_key = system.stack.api_key
        async with served(stack) as restored:  # no dispatcher is up
            for each in (stopped, draft, run):
                each.system = restored
            await run.press("stop")
            await run.until_status("stopped")
            code, said = await command(stack, "doubt")
            assert code == 0
            assert {line.split()[1].rstrip(",") for line in said.splitlines()} == {run.id, stopped.id}
            code, said = await command(stack, "verify")
            assert code == 0, said
            await with_dispatcher(stack)
            for each in (run, stopped):
                await each.press("resume")
                await each.until_status("sent")
                result = await judged(each, each.people - known[each.id])
                assert result.unconfirmed > 0
            assert (await draft.state())["status"] == "created"
            await restored.refused("GET", f"/v1/broadcasts/{later.id}")
            assert {each.id: await each.chats() for each in (draft, later)} == received


async def test_postgresql_is_whole_and_nats_starts_empty_after_everything_was_down(system: System) -> None:
    stack = system.stack
    stopped, file = await drawn_up(system, DEPARTMENTS[:1]), await drawn_up(system, DEPARTMENTS[:1])
    await attach(file)
    await file.press("send")
    await file.until_arrived(10)
    await file.press("stop")
    await file.until_status("stopped")
    await stopped.press("send")
    await stopped.until_arrived(10)
    await stopped.press("stop")
    await stopped.until_status("stopped")
    run = await drawn_up(system, DEPARTMENTS)
    await run.press("send")
    await run.until_arrived(PEOPLE // 2)
    await killed(stack)
    shutil.rmtree(stack.nats_store)

    await stack.start_nats()
    await stack.start_api()
    await with_dispatcher(stack)
    await run.until_status("sent")
    assert (await judged(run, OUT)).unconfirmed > 0
    await stopped.press("resume")
    await stopped.until_status("sent")
    assert (await judged(stopped, 0)).unconfirmed == 0, "nothing of it was in flight"

    await file.press("resume")
    state = await file.until_status("stopped")
    assert state["stop_cause"] == "content_refused", "its bytes were in NATS"
    await attach(await drawn_up(system, DEPARTMENTS[:1]))
    await file.press("resume")
    await file.until_status("sent")
    assert (await judged(file, 0)).unconfirmed == 0
    code, said = await command(stack, "verify")
    assert code == 0, said


async def test_postgresql_is_back_from_a_backup_and_nats_knows_more_than_it_does(
    system: System, postgres_dsn: str, tmp_path: Path
) -> None:
    stack = system.stack
    run, halted = await drawn_up(system, DEPARTMENTS[:3]), await drawn_up(system, DEPARTMENTS[3:])
    draft = await drawn_up(system, DEPARTMENTS[:2])
    for each in (run, halted):
        await each.press("send")
    for each in (run, halted):
        await each.until_arrived(10)
    known = {each.id: (await each.state())["counts"]["delivered"] for each in (run, halted)}
    await postgres("pg_dump", "--format=custom", f"--file={tmp_path / 'backup'}", postgres_dsn)

    await halted.press("stop")
    await halted.until_status("stopped")
    later = await drawn_up(system, DEPARTMENTS[2:4])
    for each, action in ((halted, "resume"), (draft, "send"), (later, "send")):
        await each.press(action)
    for each in (draft, later):
        await each.until_arrived(10)
    await killed(stack)
    received = {each.id: await each.chats() for each in (draft, later)}

    await postgres("pg_restore", "--clean", "--no-owner", f"--dbname={postgres_dsn}", str(tmp_path / "backup"))
    await stack.start_nats()
    async with operator(stack) as client:
        js = client.jetstream()
        waiting = " ".join((await js.stream_info(JOBS.name, subjects_filter=">")).state.subjects or ())
        assert all(each.id in waiting for each in (draft, later)), "a dispatcher would go on with them"
        await js.delete_stream(JOBS.name)
        code, said = await command(stack, "rebuild")
        assert code == 0, said
        code, said = await command(stack, "verify")
        assert code == 1
        lost = re.findall(r"\((\w+) of broadcast ([\w-]+), .*\) is not in the event log\n", said)
        assert len(lost) == said.count("\n") - 1, "nothing else differs, and the last line sums up"
        decided = (("stop_requested", halted), ("resumed", halted), ("sending_started", draft), ("created", later))
        assert {(name, each.id) for name, each in decided} <= set(lost)
        await js.delete_stream(BROADCASTS.name)
    await stack.start_api()
    for each in (run, halted):
        delivered, arrived = (await each.state())["counts"]["delivered"], len(await each.chats())
        assert known[each.id] < delivered <= arrived <= delivered + OUT, "but for the attempts in the air, all is known"
    code, said = await command(stack, "verify")
    assert code == 0, said
    for each in (run, halted):
        await each.press("stop")
    for each in (run, halted):
        await each.until_status("stopped")
    await with_dispatcher(stack)
    assert (await draft.state())["status"] == "created"
    await draft.press("send")
    for each in (run, halted):
        await each.press("resume")
    for each in (run, halted):
        await each.until_status("sent")
        await judged(each, OUT)
    assert (await draft.state())["counts"]["total"] == 0, "its ledger knows places, and not who had them"
    assert '"ledger_of_another_past"' in (stack.logs / "api.log").read_text()
    await system.refused("GET", f"/v1/broadcasts/{later.id}")
    assert {each.id: await each.chats() for each in (draft, later)} == received


async def test_a_run_goes_on_by_itself_where_its_file_is_back_from_a_backup(system: System) -> None:
    stack = system.stack
    run = await drawn_up(system, DEPARTMENTS[:2])
    await attach(run)
    await run.press("send")
    await run.until_arrived(10)
    async with operator(stack) as client:
        files = await back_up(client, f"OBJ_{ATTACHMENTS.name}")
    await killed(stack)
    shutil.rmtree(stack.nats_store)

    await stack.start_nats()
    async with operator(stack) as client:
        await restore(client, files)
    await stack.start_api()
    await with_dispatcher(stack)
    await run.until_status("sent")
    assert (await judged(run, OUT)).unconfirmed > 0
    code, said = await command(stack, "verify")
    assert code == 0, said


async def drawn_up(system: System, departments: tuple[str, ...]) -> Run:
    """A broadcast to the people of some departments."""
    run = Run(system, PEOPLE * len(departments) // len(DEPARTMENTS), RATE, poll_seconds=POLL_SECONDS)
    audience = await system.audience(run.text, {"kind": "attributes", "where": {"department": departments}})
    run.id = await system.broadcast(audience, run.text)
    return run


async def attach(run: Run) -> None:
    """The same file, whichever broadcast it is."""
    kind = FileKind.PHOTO
    address = f"{run.system.api_url}/v1/broadcasts/{run.id}/attachments"
    answer = await run.system.http.post(address, files={"file": (file_of(kind, 1).name, bytes_of(kind, 1))})
    assert answer.status_code == 201, answer.text


async def killed(stack: Stack) -> None:
    """All at once, but for Telegram."""
    parts = [part for name, part in stack.parts.items() if name != "emulator"]
    for part in parts:
        part.signal(signal.SIGKILL)
    await asyncio.gather(*(part.wait() for part in parts))


async def with_dispatcher(stack: Stack) -> None:
    await stack.start_worker("dispatcher", 0)
    await stack.ready("dispatcher-0")


async def judged(run: Run, bound: int) -> Account:
    """Everybody has one outcome, nobody two copies, and of nobody the api says an untruth.

    COUNTS is not asked: it has nothing of the batches that ended before it was lost.
    """
    async with operator(run.system.stack) as client:
        result = await account(run, client.jetstream(), bound, public_counts=False)
    assert (await run.state())["counts"]["pending"] == 0
    return result


@asynccontextmanager
async def operator(stack: Stack) -> AsyncIterator[Client]:
    """Whoever gives the `nats …` commands of the page."""
    client = await nats.connect(**stack.nats_options("operator"))
    try:
        yield client
    finally:
        await client.close()


async def postgres(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own commands, which must succeed."""
    process = await asyncio.create_subprocess_exec(str(binaries() / name), *arguments)
    assert await process.wait() == 0
