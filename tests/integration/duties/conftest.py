"""Each duty is proved on SQLite and on PostgreSQL, and against a real NATS server."""

from collections.abc import Iterator

import pytest
from nats.js import JetStreamContext

from broadcast_api.duties import projection
from broadcast_contracts.topology import LEDGER, RECALL_LEDGER
from broadcast_delivery.jetstream import JetStreamLedger
from tests.integration.duties.parts import Parts
from tests.integration.duties.stage import Stage


@pytest.fixture
def stage(stores: tuple[str, str]) -> Iterator[Stage]:
    stage = Stage(*stores)
    yield stage
    stage.close()


@pytest.fixture
def ledger(js: JetStreamContext) -> JetStreamLedger:
    return JetStreamLedger(js, LEDGER)


@pytest.fixture
def recall_ledger(js: JetStreamContext) -> JetStreamLedger:
    return JetStreamLedger(js, RECALL_LEDGER)


@pytest.fixture
def parts(stage: Stage, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(projection, "WAIT_SECONDS", 0.1)
    return Parts(stage, js)
