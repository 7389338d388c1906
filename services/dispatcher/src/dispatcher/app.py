"""The dispatcher: takes send batches and test messages from NATS and delivers them to Telegram."""

from collections.abc import Awaitable, Callable

from faststream.asgi import AsgiFastStream

from broadcast_contracts import Message, Outcome, SendCountsV1, SendJobV1
from broadcast_contracts.topology import LEDGER, counts_subject
from broadcast_delivery import Batch, Fold, Verdict
from broadcast_telegram.messenger import Messenger
from broadcast_telegram.service import Craft, Service
from broadcast_telegram.settings import WorkerSettings


def build(settings: WorkerSettings) -> AsgiFastStream:
    """The process, ready to be served."""
    return Service(SENDING, settings).app()


def to_batch(job: SendJobV1) -> Batch:
    """Recipient i of the batch is `job.chats[i]`."""
    return Batch(job.key, "send", range(len(job.chats)), job.leg)


def sender(job: SendJobV1, messenger: Messenger) -> Callable[[int], Awaitable[Verdict]]:
    """One attempt: the job's content to one of its chats."""

    async def attempt(i: int) -> Verdict:
        return await messenger.send(job.content, job.chats[i])

    return attempt


def to_counts(batch: Batch, state: Fold) -> tuple[str, Message]:
    """How the batch stands."""
    outcomes = [result.outcome for result in state.results.values()]
    return counts_subject("send", batch.key), SendCountsV1(
        broadcast_id=batch.key.broadcast_id,
        run=batch.key.run,
        batch=batch.key.batch,
        version=state.version,
        total=len(batch.indices),
        delivered=outcomes.count(Outcome.DELIVERED),
        failed=sum(outcome.failed for outcome in outcomes),
        blocked=outcomes.count(Outcome.BLOCKED),
        unconfirmed=outcomes.count(Outcome.UNCONFIRMED),
        skipped=outcomes.count(Outcome.SKIPPED),
        pending=len(batch.indices) - len(outcomes),
        final=state.sealed,
    )


SENDING = Craft("dispatcher", ("send", "test"), SendJobV1, LEDGER, to_batch, sender, to_counts)
