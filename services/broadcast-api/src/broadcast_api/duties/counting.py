"""The counts of a run: absolute, summed from its batches, never incremented."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from broadcast_api.adapters.schema import batches, runs
from broadcast_contracts import Counts

SUMMED = ("delivered", "failed", "blocked", "unconfirmed", "skipped", "recalled", "unrecalled")
"""What a run's counts say."""

COLUMNS = (*SUMMED, "posted")


_LOCK = select(runs).where(runs.c.id == bindparam("of_run")).with_for_update(key_share=True)
_SUMS = select(*(func.coalesce(func.sum(batches.c[name]), 0).label(name) for name in COLUMNS)).where(
    batches.c.run_id == bindparam("of_run")
)


def lock_run(connection: Connection, run_id: int) -> Row[Any]:
    """The run's row, locked until the transaction ends: the fence between everything that writes about a run.

    Whoever locks several runs takes them in the order of their ids, and before any batch.
    """
    return connection.execute(_LOCK, {"of_run": run_id}).one()


def recount(connection: Connection, run_id: int) -> None:
    """Sum the batches into the run; its row must be locked, or a concurrent change of another batch would be missed."""
    counted = connection.execute(_SUMS, {"of_run": run_id}).one()
    connection.execute(update(runs).where(runs.c.id == run_id).values(counted._asdict()))


def counts_of(run: Row[Any]) -> Counts:
    """What a run's row says, as the contract says it."""
    ended = run.delivered + run.failed + run.unconfirmed + run.skipped
    return Counts(total=run.total, pending=run.total - ended, **{name: getattr(run, name) for name in SUMMED})
