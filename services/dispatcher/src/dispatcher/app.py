"""The dispatcher: takes send batches and test messages from NATS and delivers them to Telegram."""

from collections.abc import Sequence

from faststream.asgi import AsgiFastStream

from broadcast_contracts import Message, SendJobV1
from broadcast_contracts.outcomes import SEND_OUTCOMES
from broadcast_contracts.topology import LEDGER, counts_subject
from broadcast_delivery import Attempt, Batch, Fold, Hold, Pace, Verdict
from broadcast_delivery.counts import send_counts
from broadcast_telegram.carrier import Carrier
from broadcast_telegram.plan import Call, plan
from broadcast_telegram.service import Account, Craft, Service
from broadcast_telegram.settings import WorkerSettings


def build(settings: WorkerSettings) -> AsgiFastStream:
    """The process, ready to be served."""
    return Service(SENDING, settings).app()


def to_batch(job: SendJobV1) -> Batch:
    """Recipient i of the batch is `job.chats[i]`."""
    return Batch(job.key, "send", range(len(job.chats)), job.leg, job.ledger_kept_since)


def sender(job: SendJobV1, account: Account) -> tuple[Pace, Attempt]:
    """One attempt: the job's content to one of its chats. A text is one request; files may take several."""
    content, chats = job.content, job.chats
    if content.files:
        return _carrier(job, account.carrier, plan(content))

    async def send(i: int, hold: Hold) -> Verdict:
        return await account.messenger.send(content, chats[i])

    return account.pace, send


def _carrier(job: SendJobV1, carrier: Carrier, calls: Sequence[Call]) -> tuple[Pace, Attempt]:
    """The worker waits for the slot of the first call, the carrier for those of the others."""

    async def carry(i: int, hold: Hold) -> Verdict:
        return await carrier.carry(job.content, calls, job.chats[i], hold)

    return carrier.pace.weighing(carrier.weight(calls[0])), carry


def to_counts(batch: Batch, state: Fold) -> tuple[str, Message]:
    """How the batch stands."""
    return counts_subject("send", batch.key), send_counts(batch.key, len(batch.indices), state)


SENDING = Craft("dispatcher", ("send", "test"), SendJobV1, LEDGER, SEND_OUTCOMES, to_batch, sender, to_counts)
