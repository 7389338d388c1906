"""Each duty is proved on SQLite and on PostgreSQL, and against a real NATS server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from broadcast_contracts.topology import LEDGER, RECALL_LEDGER
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.integration.duties.stage import Stage, in_a_new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "postgresql":
        yield from in_a_new_database(os.environ["TEST_PG"])
        return
    stage = Stage(f"sqlite:///{tmp_path}/broadcasts.db", f"sqlite:///{tmp_path}/events.db")
    yield stage
    stage.close()


@pytest.fixture
async def js(nats_client: Client) -> JetStreamContext:
    js = nats_client.jetstream(timeout=5)
    await ensure(js, ("main",))
    return js


@pytest.fixture
def ledger(js: JetStreamContext) -> JetStreamLedger:
    return JetStreamLedger(js, LEDGER)


@pytest.fixture
def recall_ledger(js: JetStreamContext) -> JetStreamLedger:
    return JetStreamLedger(js, RECALL_LEDGER)
