"""The delivery protocol: the fenced ledger of a batch and the worker that stands on it."""

from broadcast_delivery.fold import Fold, Purpose, fold
from broadcast_delivery.ports import Conflict, Entry, Hold, Ledger, Pace, Slots, Verdict
from broadcast_delivery.worker import Attempt, Batch, End, Lease, Worker

__all__ = [
    "Attempt",
    "Batch",
    "Conflict",
    "End",
    "Entry",
    "Fold",
    "Hold",
    "Lease",
    "Ledger",
    "Pace",
    "Purpose",
    "Slots",
    "Verdict",
    "Worker",
    "fold",
]
