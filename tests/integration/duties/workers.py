"""Dispatchers and revokers as small as can be: they follow the ledger's rules and reach no Telegram."""

from collections.abc import Iterable
from uuid import uuid4

from nats.js import JetStreamContext

from broadcast_contracts import (
    BatchKey,
    LedgerRecord,
    Outcome,
    ProgressV1,
    RecallJobV1,
    Result,
    SendJobV1,
    decode,
)
from broadcast_contracts.topology import Lane, job_consumer
from broadcast_delivery import Entry, Fold, Ledger, Purpose, fold
from tests.integration.duties.parts import waiting

SENT_AT = 1_700_000_000


def nonce() -> str:
    return uuid4().hex


async def send_jobs(js: JetStreamContext, lane: Lane = "send") -> list[SendJobV1]:
    """Takes all waiting jobs, in order."""
    return [decode(SendJobV1, body) for body in await _take(js, lane)]


async def recall_jobs(js: JetStreamContext) -> list[RecallJobV1]:
    return [decode(RecallJobV1, body) for body in await _take(js, "recall")]


async def _take(js: JetStreamContext, lane: Lane) -> list[bytes]:
    consumer = job_consumer(lane, "main")
    subscription = await js.pull_subscribe_bind(consumer.durable, consumer.stream)
    bodies = []
    while await waiting(js, consumer):
        for message in await subscription.fetch(100):
            await message.ack_sync()
            bodies.append(message.data)
    await subscription.unsubscribe()
    return bodies


class Owner:
    """Works on one batch; `purpose` says which ledger it was given."""

    def __init__(self, ledger: Ledger, key: BatchKey, purpose: Purpose = "send") -> None:
        self._ledger, self._key, self._purpose = ledger, key, purpose
        self.state = Fold(purpose)
        self._recalls: dict[int, list[int]] = {}

    @classmethod
    def of_recall(cls, ledger: Ledger, job: RecallJobV1) -> "Owner":
        """A revoker: its results name the messages of the job."""
        owner = cls(ledger, job.key, "recall")
        owner._recalls = {posted.i: list(posted.messages) for posted in job.posted}
        return owner

    async def look(self) -> Fold:
        self.state = fold(await self._ledger.read(self._key), self._purpose)
        return self.state

    async def open(self, indices: Iterable[int]) -> None:
        await self.look()
        assert not self.state.closed, "nobody may open an attempt in a closed log"
        indices = list(indices)
        assert self.state.pending(indices) == indices
        await self.append(ProgressV1(nonce=nonce(), owner="owner", opened=indices))

    async def report(
        self, outcome: Outcome, indices: Iterable[int], *, messages: bool = True, reason: str = ""
    ) -> None:
        results = [
            Result(
                i=i,
                window=self.state.in_flight[i].window,
                outcome=outcome,
                at=SENT_AT + self._key.batch,
                messages=[100 + i] if outcome is Outcome.DELIVERED and messages else self._recalls.get(i, []),
                reason=reason,
            )
            for i in indices
        ]
        await self.append(ProgressV1(nonce=nonce(), owner="owner", results=results))

    async def settle(self, outcome: Outcome, indices: Iterable[int]) -> None:
        indices = list(indices)
        await self.open(indices)
        await self.report(outcome, indices)

    async def seal(self) -> None:
        seal = self.state.seal(nonce())
        version = await self._ledger.append(self._key, self.state.version, seal, rollup=True)
        self.state.apply(Entry(version, seal))

    async def fact(self, i: int, window: int, message: int, outcome: Outcome = Outcome.DELIVERED) -> None:
        """What an owner that was given up reports after all; also that there is a message whatever the outcome."""
        await self.look()
        fact = Result(i=i, window=window, outcome=outcome, messages=[message], at=SENT_AT)
        await self.append(ProgressV1(nonce=nonce(), owner="owner", results=[fact]))

    async def append(self, record: LedgerRecord) -> None:
        version = await self._ledger.append(self._key, self.state.version, record)
        self.state.apply(Entry(version, record))


async def finish(ledger: Ledger, job: SendJobV1) -> None:
    """Deliver to everyone of a job who is pending, and seal the batch."""
    owner = Owner(ledger, job.key)
    await owner.look()
    await owner.settle(Outcome.DELIVERED, owner.state.pending(range(len(job.chats))))
    await owner.seal()


async def finish_recall(ledger: Ledger, job: RecallJobV1) -> None:
    owner = Owner.of_recall(ledger, job)
    await owner.look()
    await owner.settle(Outcome.RECALLED, owner.state.pending(posted.i for posted in job.posted))
    if not owner.state.sealed:
        await owner.seal()
