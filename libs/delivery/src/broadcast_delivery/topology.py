"""Make the streams, consumers, buckets and stores of `broadcast_contracts.topology`; harmless when they are there."""

import time

from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from broadcast_contracts.topology import ATTACHMENTS, BUCKETS, STREAMS, Bucket, Consumer, ObjectStore, Stream, consumers

_RETENTION = {"limits": api.RetentionPolicy.LIMITS, "workqueue": api.RetentionPolicy.WORK_QUEUE}
_DISCARD = {"new": api.DiscardPolicy.NEW, "old": api.DiscardPolicy.OLD}


async def ensure(js: JetStreamContext, bots: tuple[str, ...], *, replicas: int = 1) -> None:
    """Create what is missing and bring the rest up to date: at start, and whenever something was found missing."""
    for stream in STREAMS:
        await _ensure_stream(js, stream, replicas)
    for bucket in BUCKETS:
        await _ensure_bucket(js, bucket, replicas)
    await _ensure_store(js, ATTACHMENTS, replicas)
    for consumer in consumers(bots):
        await _ensure_consumer(js, consumer)


async def _ensure_stream(js: JetStreamContext, stream: Stream, replicas: int) -> None:
    config = api.StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=_RETENTION[stream.retention],
        max_age=stream.max_age,
        max_bytes=stream.max_bytes,
        max_msgs_per_subject=stream.max_msgs_per_subject,
        discard=_DISCARD[stream.discard],
        duplicate_window=stream.duplicate_window,
        allow_rollup_hdrs=stream.allow_rollup,
        allow_direct=True,
        storage=api.StorageType.FILE,
        num_replicas=replicas,
    )
    try:
        await js.stream_info(stream.name)
    except NotFoundError:
        config.first_seq = int(time.time() * 1000) if stream.numbered_by_time else None
        await js.add_stream(config)
    else:
        await js.update_stream(config)


async def _ensure_consumer(js: JetStreamContext, consumer: Consumer) -> None:
    await js.add_consumer(
        consumer.stream,
        api.ConsumerConfig(
            durable_name=consumer.durable,
            filter_subject=consumer.filter_subject,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=consumer.ack_wait,
            max_deliver=-1,
            max_ack_pending=consumer.max_ack_pending,
        ),
    )


async def _ensure_bucket(js: JetStreamContext, bucket: Bucket, replicas: int) -> None:
    try:
        await js.stream_info(f"KV_{bucket.name}")
    except NotFoundError:
        await js.create_key_value(
            api.KeyValueConfig(
                bucket=bucket.name,
                history=1,
                ttl=bucket.ttl,
                max_bytes=bucket.max_bytes,
                storage=api.StorageType.MEMORY if bucket.memory else api.StorageType.FILE,
                replicas=replicas,
                direct=False,
            )
        )


async def _ensure_store(js: JetStreamContext, store: ObjectStore, replicas: int) -> None:
    try:
        await js.stream_info(f"OBJ_{store.name}")
    except NotFoundError:
        await js.create_object_store(
            store.name,
            api.ObjectStoreConfig(max_bytes=store.max_bytes, storage=api.StorageType.FILE, replicas=replicas),
        )
