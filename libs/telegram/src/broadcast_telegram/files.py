"""Each file goes to Telegram once per bot: who uploads it, and by which file_id everybody sends it afterwards.

A file_id belongs to one bot and one kind (Bot API, "Sending files"). The bucket `files` has what is known; whoever
finds a file unknown takes its upload on by compare-and-set, and all others wait for that. A claim ends by itself, so a
process that died holds up nobody for long. Facts need no claim: any file_id that Telegram gave is good.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, ObjectNotFoundError
from nats.js.kv import KeyValue

from broadcast_contracts import File, FileIdV1, Malformed, decode, encode
from broadcast_contracts.topology import ATTACHMENTS, FILES, file_key

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""How often one who waits for an upload looks for its end."""

OBJECT_SECONDS = 20.0
"""Longest wait for the bytes of one file from the object store."""

_UNREACHABLE = (nats.errors.Error, JetStreamError, TimeoutError, OSError)


class Missing(Exception):
    """The bytes of a file are not in the object store: nobody can be sent this content."""


class Unavailable(Exception):
    """The object store, or whoever uploads the file, did not come up with it: try again later."""


@dataclass(frozen=True, slots=True)
class Claim:
    """This process uploads the file; `revision` is that of the claim in the bucket."""

    file: File
    revision: int


@dataclass(slots=True)
class Hand:
    """The files of one call as this process may send them, by key: known by their ids, or ours to upload with it.

    Every claim ends in `Files.learn` or `Files.release`.
    """

    bot: str
    ids: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, File]:
        """What is to be uploaded, by the names of the parts of the request."""
        return {f"file{n}": claim.file for n, claim in enumerate(self.claims.values())}

    def reference(self, file: File) -> str:
        """How a request names the file: its file_id, or the part that holds it (Bot API, "Sending files")."""
        key = file_key(self.bot, file)
        return self.ids.get(key) or f"attach://file{list(self.claims).index(key)}"


class Files:
    """What one process knows of the files of one bot."""

    def __init__(self, js: JetStreamContext, bot: str, owner: str, *, now: Callable[[], float] = time.time) -> None:
        """`owner` names the process."""
        self._js, self._bot, self._owner, self._now = js, bot, owner, now
        self._known: dict[str, str] = {}
        self._refused: set[str] = set()
        """Ids that Telegram did not take. Whoever is slower to learn of it must not hand them out again."""
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kv: KeyValue | None = None

    def known(self, files: Iterable[File]) -> Hand | None:
        """All the files, if this process knows each: no wait, no I/O."""
        ids = {key: self._known.get(key, "") for key in map(self._key, files)}
        return Hand(self._bot, ids) if all(ids.values()) else None

    async def take(self, files: Iterable[File], claim_seconds: float, wanted: Callable[[], bool]) -> Hand:
        """Every file known or claimed; waits for those that somebody else is uploading, as long as it is `wanted`.

        Claims are made in one order everywhere, so that no two wait for each other. Raises Unavailable.
        """
        hand = Hand(self._bot)
        try:
            for key, file in sorted({self._key(file): file for file in files}.items()):
                await self._take(key, file, hand, claim_seconds, wanted)
        except BaseException:
            await self.release(hand)
            raise
        return hand

    async def learn(self, hand: Hand, file: File, id: str) -> None:
        """The claimed file was uploaded under this id."""
        key = self._key(file)
        if hand.claims.pop(key, None) is None:
            return
        hand.ids[key] = self._known[key] = id
        with suppress(*_UNREACHABLE):  # others upload it again when the claim's time is over
            await (await self._bucket()).put(key, encode(FileIdV1(file_id=id)))

    async def release(self, hand: Hand) -> None:
        """Give claims back: the next one may upload."""
        claims, hand.claims = hand.claims, {}
        for key, claim in claims.items():
            with suppress(*_UNREACHABLE):
                await (await self._bucket()).update(key, encode(FileIdV1()), last=claim.revision)

    async def forget(self, hand: Hand) -> None:
        """Telegram does not take the known ids of this hand (any more): the files are to be uploaded anew."""
        self._refused.update(hand.ids.values())
        for key, id in hand.ids.items():
            if self._known.get(key) == id:
                del self._known[key]
        for key, id in hand.ids.items():
            with suppress(*_UNREACHABLE, Malformed):
                bucket = await self._bucket()
                entry = await bucket.get(key)
                if decode(FileIdV1, entry.value or b"").file_id == id:
                    log.warning("file_id_rejected", extra={"bot": self._bot, "file": key})
                    await bucket.update(key, encode(FileIdV1()), last=entry.revision)

    async def read(self, file: File) -> bytes:
        """The bytes of a file; raises Missing and Unavailable."""
        try:
            async with asyncio.timeout(OBJECT_SECONDS):
                store = await self._js.object_store(ATTACHMENTS.name)
                data = (await store.get(file.sha256)).data or b""
        except ObjectNotFoundError:
            raise Missing(f"the file {file.name!r} is no longer stored: attach it again") from None
        except _UNREACHABLE as error:
            raise Unavailable(f"no answer from the object store: {type(error).__name__}") from None
        if sha256(data).hexdigest() != file.sha256:
            raise Missing(f"the file {file.name!r} is damaged in the store: attach it again")
        return data

    async def check(self, hand: Hand) -> None:
        """Whether the bytes of what is to be uploaded are there; raises Missing and Unavailable."""
        for file in hand.parts.values():
            try:
                store = await self._js.object_store(ATTACHMENTS.name)
                await store.get_info(file.sha256)
            except ObjectNotFoundError:
                raise Missing(f"the file {file.name!r} is no longer stored: attach it again") from None
            except _UNREACHABLE as error:
                raise Unavailable(f"no answer from the object store: {type(error).__name__}") from None

    # -- one key

    async def _take(self, key: str, file: File, hand: Hand, claim_seconds: float, wanted: Callable[[], bool]) -> None:
        """One of this process looks at a time; the others learn from it."""
        async with self._looking[key]:
            while True:
                if id := self._known.get(key):
                    hand.ids[key] = id
                    return
                try:
                    if revision := await self._claim(key, claim_seconds):
                        hand.claims[key] = Claim(file, revision)
                        return
                except _UNREACHABLE as error:
                    self._kv = None
                    log.warning("files_unreachable", extra={"bot": self._bot, "error": str(error)})
                if key not in self._known:
                    if not wanted():
                        raise Unavailable("the file is still being uploaded by somebody else")
                    await asyncio.sleep(POLL_SECONDS)

    async def _claim(self, key: str, seconds: float) -> int | None:
        """The revision of our claim; None when somebody else has it, or when the id is known by now."""
        bucket = await self._bucket()
        claim = encode(FileIdV1(uploading_by=self._owner, until=self._now() + seconds))
        with suppress(KeyWrongLastSequenceError):  # somebody else was quicker: the next look shows it
            try:
                entry = await bucket.get(key)
                state = decode(FileIdV1, entry.value or b"")
            except KeyNotFoundError:
                return await bucket.create(key, claim)
            except Malformed:
                return await bucket.put(key, claim)
            if state.file_id and state.file_id not in self._refused:
                self._known[key] = state.file_id
            elif state.file_id or state.until <= self._now():
                return await bucket.update(key, claim, last=entry.revision)
        return None

    async def _bucket(self) -> KeyValue:
        if self._kv is None:
            self._kv = await self._js.key_value(FILES.name)
        return self._kv

    def _key(self, file: File) -> str:
        return file_key(self._bot, file)
