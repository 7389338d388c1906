"""The ledger on JetStream: compare-and-set on the last sequence of a batch's subject."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from broadcast_contracts import BatchKey, LedgerRecord, Malformed, decode_record, encode
from broadcast_contracts.topology import Stream, ledger_subject
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Conflict, Entry

log = logging.getLogger(__name__)

WRONG_LAST_SEQUENCE = {10071, 10164}
"""One server answers 10071, a cluster 10164 to the loser of two concurrent appends."""

UNREACHABLE = (nats.errors.Error, ServiceUnavailableError, TimeoutError)
"""The request may or may not have arrived."""

RETRY_SECONDS = 0.25


class JetStreamLedger:
    """The logs of LEDGER or RECALL_LEDGER. While NATS is unreachable `read` and `append` wait and try again."""

    def __init__(self, js: JetStreamContext, stream: Stream) -> None:
        self._js, self._stream = js, stream

    async def read(self, key: BatchKey) -> Sequence[Entry]:
        return await self._read_from(key, 1)

    async def append(self, key: BatchKey, expected: int, record: LedgerRecord, *, rollup: bool = False) -> int:
        subject, body = ledger_subject(self._stream, key), encode(record)
        headers = {
            "Nats-Expected-Last-Subject-Sequence": str(expected),
            "Nats-Msg-Id": record.nonce,
            "ce-type": record.type,
        }
        if rollup:
            headers["Nats-Rollup"] = "sub"
        while True:
            try:
                return (await self._js.publish(subject, body, timeout=5, stream=self._stream.name, headers=headers)).seq
            except APIError as error:
                refused = error.err_code in WRONG_LAST_SEQUENCE
                if not refused:
                    log.warning("ledger_append_failed", extra={**of_batch(key), "error": str(error)})
            except UNREACHABLE as error:
                refused = False
                log.warning("ledger_unreachable", extra={**of_batch(key), "error": str(error)})
            # A refusal may be the echo of our own append whose acknowledgement was lost: look for the nonce.
            later = await self._read_from(key, expected + 1)
            for entry in later:
                if entry.record is not None and entry.record.nonce == record.nonce:
                    return entry.version
            if later or refused:
                raise Conflict(str(key))
            await asyncio.sleep(RETRY_SECONDS)

    async def kept_since(self) -> datetime:
        """Raises nats-py's errors, also where there is no stream."""
        info = await self._js.stream_info(self._stream.name)
        assert info.created is not None, "every server says when"
        return info.created

    async def _read_from(self, key: BatchKey, sequence: int) -> list[Entry]:
        subject, entries = ledger_subject(self._stream, key), list[Entry]()
        while True:
            try:
                message = await self._js.get_msg(self._stream.name, seq=sequence, subject=subject, next=True)
            except NotFoundError:
                return entries
            except (APIError, *UNREACHABLE) as error:
                log.warning("ledger_unreachable", extra={**of_batch(key), "error": str(error)})
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if message.seq is None or message.data is None:
                return entries
            entries.append(Entry(message.seq, self._decode(key, message.data)))
            sequence = message.seq + 1

    def _decode(self, key: BatchKey, body: bytes) -> LedgerRecord | None:
        try:
            return decode_record(body)
        except Malformed as error:
            log.error("ledger_record_malformed", extra={**of_batch(key), "error": str(error)})
            return None
