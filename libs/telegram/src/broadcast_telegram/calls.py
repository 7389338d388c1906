"""Which requests to Telegram become spans: of a batch the first that succeeds, and those that fail, ten at most.

Never one for each recipient: a batch has hundreds of them, and each may cost no more than its request.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from broadcast_delivery import tracing

MOST = 10


class Sample:
    """Of one batch: what may still become a span."""

    def __init__(self) -> None:
        self._left = MOST
        self._first = True

    @contextmanager
    def watch(self, method: str) -> Iterator[None]:
        """Around one request. Its address and its fields stay out of the span, and the words of an error too."""
        since = time.time_ns()
        try:
            yield
        except Exception as error:
            self._keep(method, since, type(error).__name__)
            raise
        if self._first:
            self._first = False
            self._keep(method, since)

    def _keep(self, method: str, since: int, error: str = "") -> None:
        if self._left:
            self._left -= 1
            tracing.happened(f"telegram {method}", since, {"telegram.method": method}, kind="CLIENT", error=error)


_SAMPLE: ContextVar[Sample | None] = ContextVar("sample", default=None)


@contextmanager
def sampled() -> Iterator[None]:
    """Requests made within, and in tasks started within, are of one batch; the current span is that batch's."""
    token = _SAMPLE.set(Sample() if tracing.is_recording() else None)
    try:
        yield
    finally:
        _SAMPLE.reset(token)


def watched(method: str) -> AbstractContextManager[None]:
    """Around one request to Telegram."""
    sample = _SAMPLE.get()
    return sample.watch(method) if sample is not None else _NOTHING


_NOTHING: AbstractContextManager[None] = nullcontext()
