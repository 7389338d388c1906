"""The subscribers that other teams copy, run as they would run them, on events as the api publishes them.

The server has the permissions of production, and they have the identity of a subscriber.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from broadcast_api.duties.relay import Relay
from broadcast_contracts import BatchKey, SendCountsV1
from broadcast_contracts.topology import BROADCASTS, counts_subject
from broadcast_delivery.connection import inbox_of
from broadcast_delivery.identities import identities
from broadcast_delivery.publish import publish
from deploy.nats.config import server_file, variable
from libs.contracts.examples import counts
from tests.integration.duties.stage import Stage
from tests.support.nats import NatsServer, running_server
from tests.support.postgres import with_tables

EXAMPLES = Path(__file__).parents[2] / "libs" / "contracts" / "examples"
PASSWORD = "p123"


@pytest.fixture
def nats_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NatsServer]:
    """Everybody has a name and may do only what that name may."""
    for identity in identities(("main",)):
        monkeypatch.setenv(variable(identity.name), PASSWORD)
    permissions = tmp_path / "nats.conf"
    permissions.write_text(server_file(("main",)))
    with running_server("-c", str(permissions)) as server:
        yield server


@pytest.fixture
async def nats_client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """Of whoever makes the streams and publishes to them."""
    client = await nats.connect(url_of("operator", nats_server), inbox_prefix=inbox_of("operator"))
    yield client
    await asyncio.wait_for(client.close(), 10)


def url_of(name: str, server: NatsServer) -> str:
    """Where an identity connects."""
    return f"nats://{name}:{PASSWORD}@127.0.0.1:{server.port}"


@pytest.fixture
def url(nats_server: NatsServer) -> str:
    """What a team is given."""
    return url_of("subscriber", nats_server)


@pytest.fixture
async def subscriber(url: str) -> AsyncIterator[Client]:
    refused: list[Exception] = []

    async def note(error: Exception) -> None:
        refused.append(error)

    client = await nats.connect(url, inbox_prefix=inbox_of("subscriber"), error_cb=note)
    yield client
    await asyncio.wait_for(client.close(), 10)
    assert refused == []


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(with_tables(f"sqlite:///{tmp_path}/broadcasts.db"), f"sqlite:///{tmp_path}/events.db")
    yield stage
    stage.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a subscriber keeps what it knows."""
    return tmp_path


async def publish_events(stage: Stage, js: JetStreamContext) -> None:
    relay = Relay(js, stage.database, stage.store)
    while await relay.step():
        pass


def drawn_up_and_deleted(stage: Stage) -> UUID:
    id = stage.broadcast(stage.audience())
    stage.press("delete", id)
    return id


async def run_plain(url: str, folder: Path, start: str = "") -> tuple[list[str], str]:
    """What the plain subscriber prints until nothing more comes, and what it complains of."""
    command = [sys.executable, str(EXAMPLES / "plain.py"), "my-service", start, "once"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, "NATS_URL": url}, stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines(), err.decode()


async def test_the_plain_subscriber_sees_every_event_in_order_and_goes_on_where_it_was(
    stage: Stage, js: JetStreamContext, url: str, folder: Path
) -> None:
    first = drawn_up_and_deleted(stage)
    await publish_events(stage, js)
    assert await run_plain(url, folder) == ([f"{first} 1 created", f"{first} 2 deleted"], "")
    second = drawn_up_and_deleted(stage)
    await publish_events(stage, js)
    assert await run_plain(url, folder) == ([f"{second} 1 created", f"{second} 2 deleted"], "")


async def test_an_event_that_comes_again_does_nothing(
    stage: Stage, js: JetStreamContext, url: str, folder: Path
) -> None:
    drawn_up_and_deleted(stage)
    await publish_events(stage, js)
    await run_plain(url, folder)
    await js.delete_consumer(BROADCASTS.name, "my-service")  # it forgets its place, not what it did
    assert await run_plain(url, folder) == ([], "")


@pytest.mark.parametrize("start", ["3", "the time between"])
async def test_a_subscriber_begins_at_any_sequence_or_time(
    start: str, stage: Stage, js: JetStreamContext, url: str, folder: Path
) -> None:
    drawn_up_and_deleted(stage)
    await publish_events(stage, js)
    if start != "3":
        await asyncio.sleep(0.05)
        start = (datetime.now(UTC) - timedelta(milliseconds=20)).isoformat().replace("+00:00", "Z")
    later = drawn_up_and_deleted(stage)
    await publish_events(stage, js)
    assert (await run_plain(url, folder, start))[0] == [f"{later} 1 created", f"{later} 2 deleted"]


async def test_a_lost_event_is_noticed(stage: Stage, js: JetStreamContext, url: str, folder: Path) -> None:
    id = stage.broadcast(stage.audience())
    await publish_events(stage, js)
    await run_plain(url, folder)
    stage.press("send", id)
    stage.press("stop", id)
    await publish_events(stage, js)
    await js.delete_msg(BROADCASTS.name, 2)
    lines, complaint = await run_plain(url, folder)
    assert lines == [f"{id} 3 stop_requested"]
    assert complaint.startswith("lost: events 2 to 2")


def seen_in(folder: Path) -> list[tuple[str, int, str]]:
    path = folder / "my-service.db"
    return sqlite3.connect(path).execute("SELECT * FROM seen ORDER BY rowid").fetchall() if path.exists() else []


async def test_the_faststream_subscriber_sees_every_event_also_after_it_was_killed(
    stage: Stage, js: JetStreamContext, url: str, folder: Path
) -> None:
    expected = []
    for _ in range(2):
        expected.append((str(drawn_up_and_deleted(stage)), 2, "deleted"))
        await publish_events(stage, js)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / "with_faststream.py"),
            cwd=folder,
            env={**os.environ, "NATS_URL": url},
            stderr=(folder / "stderr").open("ab"),
        )
        try:
            async with asyncio.timeout(60):
                while seen_in(folder) != expected:
                    await asyncio.sleep(0.1)
        finally:
            process.kill()
            await process.wait()
    assert "violation" not in (folder / "stderr").read_text().lower()


async def publish_counts(js: JetStreamContext, id: UUID, batches: int, version: int) -> None:
    """As a dispatcher does."""
    for batch in range(batches):
        key = BatchKey(id, 1, batch)
        figures = SendCountsV1(
            broadcast_id=id, run=1, batch=batch, version=version, total=10, delivered=version, failed=0, blocked=0,
            unconfirmed=0, skipped=0, pending=10 - version, final=version == 10,
        )  # fmt: skip
        subject = counts_subject("send", key)
        await publish(js, subject, figures, message_id=f"{subject}:{version}", source="dispatcher")


ID, ANOTHER = UUID(int=1), UUID(int=2)


async def test_a_late_subscriber_reads_the_newest_counts_of_every_batch_in_one_request(
    js: JetStreamContext, subscriber: Client
) -> None:
    for version in (3, 7, 10):
        await publish_counts(js, ID, 30, version)
    await publish_counts(js, ANOTHER, 1, 1)
    found = await counts.snapshot(subscriber, str(ID))
    assert [(one.batch, one.version) for one in found] == [(batch, 10) for batch in range(30)]
    assert await counts.snapshot(subscriber, str(UUID(int=3))) == []


async def test_the_command_adds_up_the_counts_of_a_broadcast(
    js: JetStreamContext, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish_counts(js, ID, 3, 7)
    await counts.main(url, str(ID))
    assert capsys.readouterr().out.split() == [
        *("total", "30", "delivered", "21", "failed", "0", "unconfirmed", "0", "skipped", "0", "pending", "9")
    ]


async def test_too_many_batches_for_one_request_are_refused_and_followed_instead(
    js: JetStreamContext, subscriber: Client
) -> None:
    await publish_counts(js, ID, 1_030, 3)
    with pytest.raises(ValueError, match="413"):
        await counts.snapshot(subscriber, str(ID))
    assert {one.batch async for one in first(1_030, counts.follow(subscriber, str(ID)))} == set(range(1_030))


async def test_whoever_follows_the_counts_sees_the_newest_and_then_every_change(
    js: JetStreamContext, subscriber: Client
) -> None:
    await publish_counts(js, ID, 2, 3)
    await publish_counts(js, ID, 2, 4)
    following = counts.follow(subscriber, str(ID))
    assert [one.version async for one in first(2, following)] == [4, 4]
    await publish_counts(js, ID, 1, 5)
    assert [one.version async for one in first(1, following)] == [5]


async def first(many: int, following: AsyncIterator[SendCountsV1]) -> AsyncIterator[SendCountsV1]:
    for _ in range(many):
        yield await asyncio.wait_for(anext(following), 20)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_enough_to_copy(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 60
