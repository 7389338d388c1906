"""Logs as JSON lines: one event name plus fields, with the broadcast, the run and the trace that they are about."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from broadcast_contracts import BatchKey
from broadcast_delivery import tracing

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))

NOISY = ("httpx", "httpcore", "aiohttp", "aiogram", "faststream", "nats", "urllib3")


class JsonLines(logging.Formatter):
    """`{"time", "level", "logger", "event", "trace_id"?, …fields}` and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **({"trace_id": trace_id} if (trace_id := tracing.trace_id()) else {}),
            **_ABOUT.get(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Every line that is logged within has these fields, also those of tasks and threads that are started here."""
    token = _ABOUT.set({**_ABOUT.get(), **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def of_batch(key: BatchKey) -> dict[str, object]:
    """The fields that name a batch."""
    return {"broadcast_id": str(key.broadcast_id), "run": key.run, "batch": key.batch}


def log_json(level: str) -> None:
    """Send everything to standard error; the HTTP client libraries only from WARNING up (their INFO has URLs)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
