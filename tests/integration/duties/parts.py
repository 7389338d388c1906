"""All duties of one replica, to be stepped by hand."""

from nats.js import JetStreamContext

from broadcast_api.duties.decisions import Decisions
from broadcast_api.duties.freeze import Freezer
from broadcast_api.duties.hints import Hints
from broadcast_api.duties.issue import Issuer
from broadcast_api.duties.planner import Planner
from broadcast_api.duties.projection import Projection
from broadcast_api.duties.recall import RecallPlanner
from broadcast_api.duties.relay import Relay
from broadcast_api.duties.settle import Settler
from broadcast_api.duties.sweeper import Sweeper
from broadcast_contracts.topology import LEDGER, PROJECTION, RECALL_LEDGER, RECALL_PROJECTION, Consumer, Stream
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.integration.duties.stage import Stage

WINDOW = 2


async def waiting(js: JetStreamContext, consumer: Consumer) -> int:
    """How many messages it has not taken. (To ask is quicker than to wait for none.)"""
    return (await js.consumer_info(consumer.stream, consumer.durable)).num_pending or 0


async def remake(js: JetStreamContext, *streams: Stream) -> None:
    """Lose these streams with all they held, and make them again."""
    for stream in streams:
        await js.delete_stream(stream.name)
    await ensure(js, ("main",))


def relay_of(stage: Stage, js: JetStreamContext) -> Relay:
    return Relay(js, stage.database, stage.store)


async def drained(relay: Relay) -> None:
    while await relay.step():
        pass


class Parts:
    """`patience` is how long a silent owner is waited for at a stop."""

    def __init__(self, stage: Stage, js: JetStreamContext, *, patience: float = 60.0) -> None:
        self.ledger, self.recall_ledger = JetStreamLedger(js, LEDGER), JetStreamLedger(js, RECALL_LEDGER)
        database, runs = stage.database, stage.runs
        hints = Hints(js)
        self.issuer = Issuer(js, database, stage.store, self.ledger)
        self.freezer = Freezer(database, runs, self.ledger, 1_000)
        self.planner = Planner(database, self.issuer, hints, WINDOW)
        self.sends = Projection(js, database, self.ledger, runs, "send", lambda: None)
        self.recalls = Projection(js, database, self.recall_ledger, runs, "recall", lambda: None)
        self.settler = Settler(js, database, self.ledger, runs, hints, patience)
        self.decisions = Decisions(js, database, self.ledger)
        self.recall = RecallPlanner(js, database, stage.store, self.recall_ledger, runs, WINDOW)
        self.sweeper = Sweeper(js, database, self.issuer, self.recall)
        self._js = js
        self._begun = set[Projection]()

    async def go(self) -> None:
        """Step everything until nothing is left to do."""
        for projection, consumer in ((self.sends, PROJECTION), (self.recalls, RECALL_PROJECTION)):
            if projection not in self._begun:
                self._begun.add(projection)
                await projection.refresh()
            while await waiting(self._js, consumer):
                await projection.step()
        for step in (self.freezer.step, self.decisions.step, self.planner.step, self.recall.step, self.settler.step):
            while await step():
                pass
