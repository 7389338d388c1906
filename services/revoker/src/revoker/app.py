"""The revoker: takes recall batches from NATS and deletes what was delivered."""

from dataclasses import replace

from faststream.asgi import AsgiFastStream

from broadcast_contracts import Message, Outcome, RecallCountsV1, RecallJobV1
from broadcast_contracts.outcomes import RECALL_OUTCOMES
from broadcast_contracts.topology import RECALL_LEDGER, counts_subject
from broadcast_delivery import Attempt, Batch, Fold, Hold, Pace, Verdict
from broadcast_telegram.service import Account, Craft, Service
from broadcast_telegram.settings import WorkerSettings


def build(settings: WorkerSettings) -> AsgiFastStream:
    """The process, ready to be served."""
    return Service(RECALLING, settings).app()


def to_batch(job: RecallJobV1) -> Batch:
    """Those of the batch who received something."""
    return Batch(job.key, "recall", [posted.i for posted in job.posted])


def deleter(job: RecallJobV1, account: Account) -> tuple[Pace, Attempt]:
    """One attempt: everything that one recipient received, as far as it was known when the job was made.

    The outcome names the messages, so that one that becomes known meanwhile is not taken for recalled.
    """
    posted = {one.i: one for one in job.posted}

    async def attempt(i: int, hold: Hold) -> Verdict:
        verdict = await account.messenger.delete(posted[i].chat, posted[i].messages, posted[i].at)
        if verdict.outcome is Outcome.UNATTEMPTED:
            return verdict
        return replace(verdict, messages=tuple(posted[i].messages))

    return account.pace, attempt


def to_counts(batch: Batch, state: Fold) -> tuple[str, Message]:
    """How the recall of the batch stands."""
    outcomes = [result.outcome for result in state.results.values()]
    return counts_subject("recall", batch.key), RecallCountsV1(
        broadcast_id=batch.key.broadcast_id,
        run=batch.key.run,
        batch=batch.key.batch,
        version=state.version,
        total=len({*batch.indices, *state.results}),
        recalled=outcomes.count(Outcome.RECALLED),
        already_gone=outcomes.count(Outcome.ALREADY_GONE),
        too_late=outcomes.count(Outcome.TOO_LATE),
        refused=outcomes.count(Outcome.RECALL_REFUSED),
        pending=len({*batch.indices, *state.results}) - len(outcomes),
        final=state.sealed,
    )


RECALLING = Craft("revoker", ("recall",), RecallJobV1, RECALL_LEDGER, RECALL_OUTCOMES, to_batch, deleter, to_counts)
