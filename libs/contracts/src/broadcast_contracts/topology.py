"""Streams, subjects, consumers and buckets as data. `libs/delivery` makes them; nobody spells a name elsewhere."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from uuid import UUID

from broadcast_contracts.content import File, FileKind
from broadcast_contracts.ledger import BatchKey

MINUTE, HOUR, DAY = 60, 3600, 86_400
MIB, GIB = 1024**2, 1024**3

Lane = Literal["send", "test", "recall"]
LANES: tuple[Lane, ...] = ("send", "test", "recall")
BOT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""A bot's name is a subject token and a bucket key."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A JetStream stream. Ages in seconds, sizes in bytes. Full streams refuse (`discard: new`) rather than forget.

    With `numbered_by_time` its sequences begin at the milliseconds since 1970. So none comes a second time in a stream
    that had to be made anew, and whoever holds one of the lost stream cannot take it for one of the new.
    """

    name: str
    subjects: tuple[str, ...]
    max_age: int
    max_bytes: int
    retention: Literal["limits", "workqueue"] = "limits"
    max_msgs_per_subject: int = -1
    allow_rollup: bool = False
    numbered_by_time: bool = False
    discard: Literal["new", "old"] = "new"
    duplicate_window: int = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable pull consumer. No `backoff`: its first step would silently replace `ack_wait`."""

    stream: str
    durable: str
    filter_subject: str
    ack_wait: float = 12.0
    max_ack_pending: int = 1_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """A key-value bucket that keeps the latest value of each key."""

    name: str
    max_bytes: int
    ttl: int = 0
    memory: bool = False


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A JetStream object store. Full, it refuses."""

    name: str
    max_bytes: int


BROADCASTS = Stream("BROADCASTS", ("broadcasts.event.>",), max_age=30 * DAY, max_bytes=256 * MIB)
COUNTS = Stream(
    "COUNTS", ("broadcasts.counts.>",), max_age=30 * DAY, max_bytes=256 * MIB, max_msgs_per_subject=1, discard="old"
)
JOBS = Stream("JOBS", ("broadcasts.job.>",), max_age=3 * DAY, max_bytes=256 * MIB, retention="workqueue")
LEDGER = Stream(
    "LEDGER",
    ("broadcasts.ledger.>",),
    max_age=7 * DAY,
    max_bytes=2 * GIB,
    allow_rollup=True,
    numbered_by_time=True,
)
RECALL_LEDGER = Stream(
    "RECALL_LEDGER",
    ("broadcasts.recall_ledger.>",),
    max_age=7 * DAY,
    max_bytes=1 * GIB,
    allow_rollup=True,
    numbered_by_time=True,
)
DEAD = Stream(
    "DEAD",
    ("broadcasts.dead.>", "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>"),
    max_age=30 * DAY,
    max_bytes=128 * MIB,
    discard="old",
)
STREAMS = (BROADCASTS, COUNTS, JOBS, LEDGER, RECALL_LEDGER, DEAD)

CONTROL = Bucket("control", max_bytes=64 * MIB, ttl=7 * DAY)
PACING = Bucket("pacing", max_bytes=16 * MIB, memory=True)
FILES = Bucket("files", max_bytes=64 * MIB, ttl=30 * DAY)
"""What Telegram calls a file that was uploaded to it, per bot."""
BUCKETS = (CONTROL, PACING, FILES)

ATTACHMENTS = ObjectStore("attachments", max_bytes=4 * GIB)
"""The bytes of every attached file, once, under their SHA-256."""

JOB_MAX_AGE = 2 * DAY
"""A job is dropped when older: well below the ledger's age, or an expired batch would look like an untouched one."""

PROJECTION = Consumer("LEDGER", "projection", "broadcasts.ledger.>", max_ack_pending=5_000)
RECALL_PROJECTION = Consumer("RECALL_LEDGER", "recall-projection", "broadcasts.recall_ledger.>", max_ack_pending=5_000)


def job_consumer(lane: Lane, bot: str) -> Consumer:
    """A bot has a consumer of its own on each lane: a pause of one bot holds up no other."""
    return Consumer("JOBS", f"{lane}-{bot}", f"broadcasts.job.{lane}.{bot}.>", max_ack_pending=5_000)


def consumers(bots: tuple[str, ...]) -> tuple[Consumer, ...]:
    """Every consumer of the system."""
    return (PROJECTION, RECALL_PROJECTION, *(job_consumer(lane, bot) for bot in bots for lane in LANES))


def event_subject(name: str, broadcast_id: UUID) -> str:
    """Where a public event is published."""
    return f"broadcasts.event.{name}.{broadcast_id}"


def counts_subject(leg: Literal["send", "recall"], key: BatchKey) -> str:
    """Where a batch's counts are published."""
    return f"broadcasts.counts.{leg}.{key}"


def job_subject(lane: Lane, bot: str, key: BatchKey) -> str:
    """Where a job waits."""
    return f"broadcasts.job.{lane}.{bot}.{key}"


def ledger_subject(stream: Stream, key: BatchKey) -> str:
    """The subject of a batch's log in LEDGER or RECALL_LEDGER."""
    return stream.subjects[0].replace(">", str(key))


def batch_of(subject: str) -> BatchKey:
    """The batch that a ledger, job or counts subject is about; raises ValueError when it names none."""
    broadcast_id, run, batch = subject.split(".")[-3:]
    return BatchKey(UUID(broadcast_id), int(run), int(batch))


def file_key(bot: str, file: File) -> str:
    """The key in the bucket `files` of what a bot uploaded as this kind under this name: recipients see the name.

    Of a photo they do not, so the same picture is uploaded once whatever it is called.
    """
    name = "" if file.kind is FileKind.PHOTO else sha256(file.name.encode()).hexdigest()[:16]
    return f"{bot}.{file.kind.value}.{file.sha256}.{name or 'any'}"


def control_key(broadcast_id: UUID, run: int) -> str:
    """The key of a run in the control bucket."""
    return f"{broadcast_id}.{run}"


def dead_subject(service: str) -> str:
    """Where a service parks what it cannot understand."""
    return f"broadcasts.dead.{service}"
