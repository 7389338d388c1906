"""The words for what became of a recipient: one vocabulary for the ledgers, the counts, HTTP and the console."""

from enum import StrEnum


class Outcome(StrEnum):
    """Every recipient of a run ends in exactly one of the send outcomes; `unattempted` alone is not an end."""

    UNATTEMPTED = "unattempted"
    """Handed back: the request was provably not written, or never started. The recipient is pending again."""

    DELIVERED = "delivered"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    NOT_STARTED = "not_started"
    REFUSED = "refused"
    PARTLY = "partly"
    """Some messages of the content arrived before Telegram refused the rest: a recall deletes them."""
    UNCONFIRMED = "unconfirmed"
    """The request may have arrived. Never sent again unless an operator asks."""
    SKIPPED = "skipped"

    RECALLED = "recalled"
    ALREADY_GONE = "already_gone"
    TOO_LATE = "too_late"
    """Telegram deletes a bot's message only within 48 hours of sending."""
    RECALL_REFUSED = "recall_refused"

    @property
    def failed(self) -> bool:
        """Telegram said no, for good: nothing was delivered, or not all of it."""
        return self in _FAILED


class Answer(StrEnum):
    """What an operator decides about a recipient of whom nobody knows whether the message arrived."""

    DELIVERED = "delivered"
    """It arrived. Without a message id it cannot be recalled."""
    LEAVE = "leave"
    """It stays unconfirmed, and nobody needs to look at it again."""
    RESEND = "resend"
    """It is sent once more: a second copy is accepted."""


_FAILED = frozenset({Outcome.BLOCKED, Outcome.DEACTIVATED, Outcome.NOT_STARTED, Outcome.REFUSED, Outcome.PARTLY})
SEND_OUTCOMES = _FAILED | {Outcome.DELIVERED, Outcome.UNCONFIRMED, Outcome.SKIPPED}
RECALL_OUTCOMES = frozenset({Outcome.RECALLED, Outcome.ALREADY_GONE, Outcome.TOO_LATE, Outcome.RECALL_REFUSED})
