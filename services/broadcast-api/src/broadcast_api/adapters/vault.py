"""Where the bytes of attached files are: the object store `attachments` in NATS, each content once, under its SHA-256.

Laid out as the NATS clients expect it: chunks under a subject of their own, then one message that names them. That
message is written and deleted by compare-and-set, so that nothing is collected that somebody is about to use.
"""

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError
from nats.nuid import NUID

from broadcast_api.domain.errors import NotFound, StorageAway, StorageFull
from broadcast_contracts.topology import ATTACHMENTS

log = logging.getLogger(__name__)

STREAM = f"OBJ_{ATTACHMENTS.name}"
METAS, CHUNKS = f"$O.{ATTACHMENTS.name}.M.", f"$O.{ATTACHMENTS.name}.C."
CHUNK_BYTES = 128 * 1024

CONNECT_SECONDS = 2.0
CALL_SECONDS = 5.0
READ_SECONDS = 20.0

WRONG_LAST_SEQUENCE = (10071, 10164)
NO_ROOM = (10077, 10047, 10023)
"""JetStream's words for full: of the stream, of the account, of the machine."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What `keep` wrote last of an object; `created` where it was not there before."""

    sha256: str
    sequence: int
    nuid: str
    created: bool


class Vault:
    """Connects when it is first used. Every call may raise `StorageAway`; nothing else of HTTP needs NATS."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        """`connection` are arguments of `nats.connect`."""
        self._connection = connection
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def keep(self, sha256: str, size: int, file: BinaryIO) -> Kept:
        """Store the bytes unless they are there, which makes them new again for the collector.

        Nothing is left of what could not be stored whole. Raises `StorageFull`.
        """
        with _in_our_words():
            js = await self._js()
            while True:
                sequence, meta = await _meta(js, sha256)
                if meta is not None:
                    again = await _write_meta(js, sha256, meta, sequence)
                    if again:
                        return Kept(sha256, again, meta["nuid"], created=False)
                    continue
                nuid = NUID().next().decode()
                try:
                    chunks = await _write_chunks(js, nuid, file)
                    made = await _write_meta(js, sha256, _described(sha256, nuid, size, chunks), 0)
                except BaseException:
                    await _purge(js, nuid)
                    raise
                if made:
                    return Kept(sha256, made, nuid, created=True)
                await _purge(js, nuid)  # somebody stored the same at the same moment

    async def forget(self, kept: Kept) -> None:
        """Take back what `keep` created, unless somebody has used it since."""
        if kept.created:
            with _in_our_words():
                await delete(await self._js(), kept)

    async def read(self, sha256: str) -> bytes:
        """The whole object; raises `NotFound`."""
        try:
            with _in_our_words():
                async with asyncio.timeout(READ_SECONDS):
                    store = await (await self._js()).object_store(ATTACHMENTS.name)
                    return (await store.get(sha256)).data or b""
        except StorageAway as error:
            if isinstance(error.__cause__, NotFoundError):
                raise NotFound("attachment", sha256) from error
            raise

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            with contextlib.suppress(nats.errors.Error, TimeoutError):
                await asyncio.wait_for(self._client.close(), CALL_SECONDS)

    async def _js(self) -> JetStreamContext:
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                connecting = nats.connect(**self._connection, name="broadcast-api-files", **_PATIENT)
                self._client = await asyncio.wait_for(connecting, CONNECT_SECONDS)
        if not self._client.is_connected:
            raise StorageAway
        return self._client.jetstream(timeout=CALL_SECONDS)


async def delete(js: JetStreamContext, kept: Kept) -> bool:
    """Remove an object as it was seen; False where somebody has written it since."""
    try:
        await js.delete_msg(STREAM, kept.sequence)
    except (NotFoundError, APIError):
        sequence, _ = await _meta(js, kept.sha256)
        if sequence == kept.sequence:
            raise
        return False
    await purge_chunks(js, kept.nuid)
    return True


async def stored(js: JetStreamContext) -> tuple[set[str], set[str]]:
    """The SHA-256 of every object, and what the chunks of any object are called."""
    metas = (await js.stream_info(STREAM, subjects_filter=METAS + ">")).state.subjects or {}
    chunks = (await js.stream_info(STREAM, subjects_filter=CHUNKS + ">")).state.subjects or {}
    names = {base64.urlsafe_b64decode(subject.removeprefix(METAS)).decode() for subject in metas}
    return names, {subject.removeprefix(CHUNKS) for subject in chunks}


async def seen(js: JetStreamContext, sha256: str) -> Kept | None:
    """An object as it is now."""
    sequence, meta = await _meta(js, sha256)
    return None if meta is None else Kept(sha256, sequence, meta["nuid"], created=False)


async def purge_chunks(js: JetStreamContext, nuid: str) -> None:
    """Delete the chunks of an object that is not there."""
    await js.purge_stream(STREAM, subject=CHUNKS + nuid)


async def _purge(js: JetStreamContext, nuid: str) -> None:
    """As far as that is possible now; the collector finds the rest."""
    with contextlib.suppress(nats.errors.Error, JetStreamError, TimeoutError, OSError):
        await purge_chunks(js, nuid)


async def _meta(js: JetStreamContext, sha256: str) -> tuple[int, dict[str, Any] | None]:
    try:
        message = await js.get_last_msg(STREAM, _subject(sha256))
    except NotFoundError as error:
        if error.err_code == NO_MESSAGE:
            return 0, None
        raise
    meta: dict[str, Any] = json.loads(message.data or b"{}")
    return message.seq or 0, None if meta.get("deleted") else meta


NO_MESSAGE = 10037


async def _write_chunks(js: JetStreamContext, nuid: str, file: BinaryIO) -> int:
    file.seek(0)
    chunks = 0
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        await js.publish(CHUNKS + nuid, chunk)
        chunks += 1
    return chunks


async def _write_meta(js: JetStreamContext, sha256: str, meta: dict[str, Any], after: int) -> int:
    """Its sequence; 0 where somebody was faster."""
    only_after = {"Nats-Rollup": "sub", "Nats-Expected-Last-Subject-Sequence": str(after)}
    try:
        return (await js.publish(_subject(sha256), json.dumps(meta).encode(), headers=only_after)).seq
    except APIError as error:
        if error.err_code in WRONG_LAST_SEQUENCE:
            return 0
        raise


def _described(sha256: str, nuid: str, size: int, chunks: int) -> dict[str, Any]:
    """As ADR-20 of NATS describes an object."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode()
    return {
        "name": sha256,
        "options": {"max_chunk_size": CHUNK_BYTES},
        "bucket": ATTACHMENTS.name,
        "nuid": nuid,
        "size": size,
        "mtime": datetime.now(UTC).isoformat(),
        "chunks": chunks,
        "digest": f"SHA-256={digest}",
    }


def _subject(sha256: str) -> str:
    return METAS + base64.urlsafe_b64encode(sha256.encode()).decode()


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
        if isinstance(error, APIError) and error.err_code in NO_ROOM:
            log.error("attachments_full", extra={"error": str(error)})
            raise StorageFull from error
        log.warning("attachments_away", extra={"error": str(error)})
        raise StorageAway from error


async def _quiet(error: Exception) -> None:
    log.info("nats_error", extra={"error": repr(error)})


_PATIENT: dict[str, Any] = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.5, "error_cb": _quiet}
