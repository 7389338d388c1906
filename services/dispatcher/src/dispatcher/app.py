"""The dispatcher: takes send batches and test messages from NATS and delivers them to Telegram."""

from faststream.asgi import AsgiFastStream

from broadcast_contracts import Message, SendJobV1
from broadcast_contracts.topology import LEDGER, counts_subject
from broadcast_delivery import Attempt, Batch, Fold, Hold, Verdict
from broadcast_delivery.counts import send_counts
from broadcast_telegram.messenger import Messenger
from broadcast_telegram.service import Craft, Service
from broadcast_telegram.settings import WorkerSettings


def build(settings: WorkerSettings) -> AsgiFastStream:
    """The process, ready to be served."""
    return Service(SENDING, settings).app()


def to_batch(job: SendJobV1) -> Batch:
    """Recipient i of the batch is `job.chats[i]`."""
    return Batch(job.key, "send", range(len(job.chats)), job.leg)


def sender(job: SendJobV1, messenger: Messenger) -> Attempt:
    """One attempt: the job's content to one of its chats."""

    async def attempt(i: int, hold: Hold) -> Verdict:
        return await messenger.send(job.content, job.chats[i])

    return attempt


def to_counts(batch: Batch, state: Fold) -> tuple[str, Message]:
    """How the batch stands."""
    return counts_subject("send", batch.key), send_counts(batch.key, len(batch.indices), state)


SENDING = Craft("dispatcher", ("send", "test"), SendJobV1, LEDGER, to_batch, sender, to_counts)
