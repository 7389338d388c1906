"""What a worker tells Prometheus."""

from unittest.mock import Mock

from broadcast_contracts import Outcome
from broadcast_contracts.outcomes import SEND_OUTCOMES
from broadcast_delivery import Hold, Verdict
from broadcast_telegram.metrics import WorkerMetrics
from broadcast_telegram.pacing import KvPace


def worker() -> WorkerMetrics:
    metrics = WorkerMetrics(SEND_OUTCOMES)
    metrics.know("main", 30, Mock(spec=KvPace, refused=0, paused_for=0.0))
    return metrics


def messages(metrics: WorkerMetrics) -> dict[str, float]:
    """By outcome."""
    lines = metrics.page().decode().splitlines()
    found = [line for line in lines if line.startswith('broadcasts_messages_total{bot="main",outcome="')]
    return {line.split('"')[3]: float(line.split()[-1]) for line in found}


def test_every_outcome_is_there_before_the_first_message_or_its_first_would_be_in_no_rate() -> None:
    assert messages(worker()) == {outcome.value: 0.0 for outcome in SEND_OUTCOMES}


async def test_what_was_handed_back_is_no_outcome() -> None:
    metrics = worker()
    verdicts = iter([Outcome.DELIVERED, Outcome.UNATTEMPTED, Outcome.UNCONFIRMED, Outcome.DELIVERED])

    async def attempt(i: int, hold: Hold) -> Verdict:
        return Verdict(next(verdicts))

    counted = metrics.counting("main", attempt)
    for i in range(4):
        await counted(i, Mock(spec=Hold))
    assert {name: n for name, n in messages(metrics).items() if n} == {"delivered": 2.0, "unconfirmed": 1.0}
