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


@dataclass(frozen=True, slots=True)
class Known:
    """A file_id, and the revision of the bucket it was learned at: Telegram may give one id twice, so ids don't age."""

    id: str
    revision: int


@dataclass(slots=True)
class Hand:
    """The files of one call as this process may send them, by key: known by their ids, or ours to upload with it.

    Every claim ends in `Files.learn` or `Files.release`.
    """

    bot: str
    known: dict[str, Known] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, File]:
        """What is to be uploaded, by the names of the parts of the request."""
        return {f"file{n}": claim.file for n, claim in enumerate(self.claims.values())}

    def reference(self, file: File) -> str:
        """How a request names the file: its file_id, or the part that holds it (Bot API, "Sending files")."""
        key = file_key(self.bot, file)
        known = self.known.get(key)
        return known.id if known else f"attach://file{list(self.claims).index(key)}"


class Files:
    """What one process knows of the files of one bot."""

    def __init__(self, js: JetStreamContext, bot: str, owner: str, *, now: Callable[[], float] = time.time) -> None:
        """`owner` names the process."""
        self._js, self._bot, self._owner, self._now = js, bot, owner, now
        self._known: dict[str, Known] = {}
        self._worthless: dict[str, int] = {}
        """Up to which revision Telegram did not take what was known. Whoever is slower must not hand it out again."""
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kv: KeyValue | None = None

    def known(self, files: Iterable[File]) -> Hand | None:
        """All the files, if this process knows each: no wait, no I/O."""
        keys = {self._key(file) for file in files}
        return Hand(self._bot, {key: self._known[key] for key in keys}) if keys <= self._known.keys() else None

    async def take(self, files: Iterable[File], claim_seconds: float, wanted: Callable[[], bool]) -> Hand:
        """Every file known or claimed; waits for those that somebody else is uploading, as long as it is `wanted`.

        Claims are made in one order everywhere, so that no two wait for each other; so when an id becomes worthless
        during a wait, all begins again. Raises Unavailable.
        """
        ordered = sorted({self._key(file): file for file in files}.items())
        while True:
            hand = Hand(self._bot)
            try:
                for key, file in ordered:
                    await self._take(key, file, hand, claim_seconds, wanted)
            except BaseException:
                await self.release(hand)
                raise
            if all(self._is_good(key, known) for key, known in hand.known.items()):
                return hand
            await self.release(hand)

    async def learn(self, hand: Hand, file: File, id: str) -> None:
        """The claimed file was uploaded under this id."""
        key = self._key(file)
        claim = hand.claims.pop(key, None)
        if claim is None:
            return
        revision = claim.revision
        with suppress(*_UNREACHABLE):  # others upload it again when the claim's time is over
            revision = await (await self._bucket()).put(key, encode(FileIdV1(file_id=id)))
        hand.known[key] = self._known[key] = Known(id, revision)
        if revision <= self._worthless.get(key, 0):
            del self._worthless[key]  # the bucket was lost, and the new one counts from 1 again

    async def release(self, hand: Hand) -> None:
        """Give claims back: the next one may upload."""
        claims, hand.claims = hand.claims, {}
        for key, claim in claims.items():
            with suppress(*_UNREACHABLE):
                await (await self._bucket()).update(key, encode(FileIdV1()), last=claim.revision)

    async def forget(self, hand: Hand) -> None:
        """Telegram does not take the known ids of this hand (any more): the files are to be uploaded anew."""
        for key, known in hand.known.items():
            self._worthless[key] = max(known.revision, self._worthless.get(key, 0))
            if key in self._known and self._known[key].revision <= known.revision:
                del self._known[key]
        for key, known in hand.known.items():
            with suppress(*_UNREACHABLE):  # somebody else was quicker, or will be
                await (await self._bucket()).update(key, encode(FileIdV1()), last=known.revision)
                log.warning("file_id_rejected", extra={"bot": self._bot, "file": key})

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

    def _is_good(self, key: str, known: Known) -> bool:
        return known.revision > self._worthless.get(key, 0)

    async def _take(self, key: str, file: File, hand: Hand, claim_seconds: float, wanted: Callable[[], bool]) -> None:
        """One of this process looks at a time; the others learn from it."""
        async with self._looking[key]:
            while True:
                if known := self._known.get(key):
                    hand.known[key] = known
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
            revision = entry.revision or 0
            found = Known(state.file_id, revision)
            if state.file_id and self._is_good(key, found):
                self._known[key] = found
            elif state.file_id or state.until <= self._now():
                return await bucket.update(key, claim, last=revision)
        return None

    async def _bucket(self) -> KeyValue:
        if self._kv is None:
            self._kv = await self._js.key_value(FILES.name)
        return self._kv

    def _key(self, file: File) -> str:
        return file_key(self._bot, file)
