"""Tell the world how a batch stands, where the api itself changed its log: workers tell only of their own steps."""

from nats.js import JetStreamContext

from broadcast_contracts import BatchKey
from broadcast_contracts.topology import counts_subject
from broadcast_delivery.counts import send_counts
from broadcast_delivery.fold import Fold
from broadcast_delivery.publish import publish

SOURCE = "/broadcast-api"


async def tell(js: JetStreamContext, key: BatchKey, size: int, state: Fold) -> None:
    """Publish a batch's counts; a repeat is dropped by the stream. Raises nats-py's errors."""
    subject = counts_subject("send", key)
    await publish(
        js,
        subject,
        send_counts(key, size, state),
        message_id=f"{subject}:{state.version}",
        source=SOURCE,
        about=str(key.broadcast_id),
    )
