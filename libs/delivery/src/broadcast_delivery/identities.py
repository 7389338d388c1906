"""Who may do what at NATS: one identity for each service, and nothing but what its code asks for.

`deploy/nats` writes a server's configuration from this. Deny is the default; subjects are those that nats-py uses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broadcast_contracts.topology import (
    ATTACHMENTS,
    BROADCASTS,
    BUCKETS,
    CONTROL,
    COUNTS,
    FILES,
    JOBS,
    LEDGER,
    PACING,
    PROJECTION,
    RECALL_LEDGER,
    RECALL_PROJECTION,
    STREAMS,
    Bucket,
    Consumer,
    Lane,
    Stream,
    consumers,
    dead_subject,
    job_consumer,
)
from broadcast_delivery.connection import inbox_of

API = "$JS.API"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of NATS: the subjects it may publish and subscribe to."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def identities(bots: Sequence[str]) -> tuple[Identity, ...]:
    """Everybody, for a system with these bots."""
    return (_steward(bots), _api(), _dispatcher(bots), _revoker(bots), _subscriber(), _operator())


def _steward(bots: Sequence[str]) -> Identity:
    """Makes and repairs streams, consumers, buckets and stores; reads and writes no message."""
    names = [*(stream.name for stream in STREAMS), *(f"KV_{bucket.name}" for bucket in BUCKETS)]
    names.append(f"OBJ_{ATTACHMENTS.name}")
    made = [f"{API}.STREAM.{verb}.{name}" for name in names for verb in ("INFO", "CREATE", "UPDATE")]
    durables = [f"{API}.CONSUMER.DURABLE.CREATE.{it.stream}.{it.durable}" for it in consumers(tuple(bots))]
    return _identity("steward", [*made, *durables])


def _api() -> Identity:
    logs = (LEDGER, RECALL_LEDGER)
    written = [subject for stream in (BROADCASTS, COUNTS, JOBS, *logs) for subject in stream.subjects]
    return _identity(
        "broadcast-api",
        [
            *written,
            dead_subject("broadcast-api"),
            *(_info(stream) for stream in (BROADCASTS, JOBS, *logs)),
            *(_read(stream) for stream in (BROADCASTS, JOBS, *logs)),
            *_taken(PROJECTION),
            f"{API}.CONSUMER.INFO.{JOBS.name}.*",
            *_taken(RECALL_PROJECTION),
            *_bucket(CONTROL, f"$KV.{CONTROL.name}.>"),
            *_store_read(),
            f"$O.{ATTACHMENTS.name}.>",
            f"{API}.STREAM.PURGE.OBJ_{ATTACHMENTS.name}",
            f"{API}.STREAM.MSG.DELETE.OBJ_{ATTACHMENTS.name}",
        ],
    )


def _dispatcher(bots: Sequence[str]) -> Identity:
    uploads = [*_bucket(FILES, *(f"$KV.{FILES.name}.{bot}.>" for bot in bots)), *_store_read()]
    return _worker("dispatcher", ("send", "test"), LEDGER, "send", bots, [*uploads, _info(LEDGER)])


def _revoker(bots: Sequence[str]) -> Identity:
    return _worker("revoker", ("recall",), RECALL_LEDGER, "recall", bots, [])


def _worker(
    name: str, lanes: tuple[Lane, ...], ledger: Stream, counts: str, bots: Sequence[str], more: Iterable[str]
) -> Identity:
    jobs = [subject for bot in bots for lane in lanes for subject in _taken(job_consumer(lane, bot))]
    return _identity(
        name,
        [
            *jobs,
            *ledger.subjects,
            _read(ledger),
            f"broadcasts.counts.{counts}.>",
            dead_subject(name),
            *_bucket(CONTROL),
            *_bucket(PACING, *(f"$KV.{PACING.name}.{bot}" for bot in bots)),
            *_watched(f"KV_{PACING.name}"),
            f"{API}.STREAM.CREATE.KV_{PACING.name}",  # soft state in memory: whoever misses it makes it anew
            *more,
        ],
        f"$KV.{CONTROL.name}.>",
    )


def _subscriber() -> Identity:
    """Other services: the public streams, from any point, and nothing else."""
    public = (BROADCASTS, COUNTS)
    asked = [
        subject
        for stream in public
        for subject in (
            _info(stream),
            _read(stream),
            f"{API}.DIRECT.GET.{stream.name}",
            f"{API}.DIRECT.GET.{stream.name}.>",
            f"{API}.CONSUMER.CREATE.{stream.name}",
            f"{API}.CONSUMER.CREATE.{stream.name}.>",
            f"{API}.CONSUMER.DURABLE.CREATE.{stream.name}.*",
            f"{API}.CONSUMER.INFO.{stream.name}.*",
            f"{API}.CONSUMER.MSG.NEXT.{stream.name}.*",
            f"{API}.CONSUMER.DELETE.{stream.name}.*",
            f"$JS.ACK.{stream.name}.>",
            f"$JS.FC.{stream.name}.>",
        )
    ]
    asked.append(f"{API}.STREAM.NAMES")  # how clients find the stream of a subject
    return _identity("subscriber", asked, *(subject for stream in public for subject in stream.subjects))


def _operator() -> Identity:
    """A person with the `nats` command in an emergency, to whom nothing is closed."""
    return Identity("operator", (">",), (">",))


def _identity(name: str, publish: Iterable[str], *subscribe: str) -> Identity:
    return Identity(name, tuple(dict.fromkeys(publish)), (f"{inbox_of(name)}.>", *subscribe))


def _info(stream: Stream) -> str:
    return f"{API}.STREAM.INFO.{stream.name}"


def _read(stream: Stream) -> str:
    return f"{API}.STREAM.MSG.GET.{stream.name}"


def _taken(consumer: Consumer) -> Iterable[str]:
    """Fetch from a durable that is there, and acknowledge."""
    place = f"{consumer.stream}.{consumer.durable}"
    return f"{API}.CONSUMER.INFO.{place}", f"{API}.CONSUMER.MSG.NEXT.{place}", f"$JS.ACK.{place}.>"


def _bucket(bucket: Bucket, *keys: str) -> Iterable[str]:
    """Read a bucket, and write these keys."""
    stream = f"KV_{bucket.name}"
    return f"{API}.STREAM.INFO.{stream}", f"{API}.STREAM.MSG.GET.{stream}", *keys


def _watched(stream: str) -> Iterable[str]:
    """An ephemeral consumer of one's own."""
    verbs = ("CREATE", "INFO", "DELETE")
    return f"{API}.CONSUMER.CREATE.{stream}", *(f"{API}.CONSUMER.{verb}.{stream}.>" for verb in verbs)


def _store_read() -> Iterable[str]:
    stream = f"OBJ_{ATTACHMENTS.name}"
    asked = (f"{API}.STREAM.INFO.{stream}", f"{API}.STREAM.MSG.GET.{stream}", f"{API}.STREAM.NAMES")
    return *asked, *_watched(stream), f"$JS.FC.{stream}.>"  # without flow control a large object stops half-way
