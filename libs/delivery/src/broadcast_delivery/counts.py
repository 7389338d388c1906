"""How a batch stands, for the world: the state of its log as a message of COUNTS."""

from broadcast_contracts import BatchKey, Outcome, SendCountsV1
from broadcast_delivery.fold import Fold


def send_counts(key: BatchKey, size: int, state: Fold) -> SendCountsV1:
    """`size` is how many recipients the batch has."""
    outcomes = [result.outcome for result in state.results.values()]
    return SendCountsV1(
        broadcast_id=key.broadcast_id,
        run=key.run,
        batch=key.batch,
        version=state.version,
        total=size,
        delivered=outcomes.count(Outcome.DELIVERED),
        failed=sum(outcome.failed for outcome in outcomes),
        blocked=outcomes.count(Outcome.BLOCKED),
        unconfirmed=outcomes.count(Outcome.UNCONFIRMED),
        skipped=outcomes.count(Outcome.SKIPPED),
        pending=size - len(outcomes),
        final=state.sealed,
    )
