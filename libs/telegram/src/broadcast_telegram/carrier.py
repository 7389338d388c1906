"""Carries a content of several requests to one recipient: paced, fenced, and never anything twice.

Once something arrived the whole cannot be tried again, so what can be waited for is waited for: a 429, a connection
that is not there, an upload. When the time for that is over the recipient has a part, and that is the outcome.
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from broadcast_contracts import Cause, Content, Outcome
from broadcast_delivery import Hold, Verdict
from broadcast_telegram.bot_api import TelegramMigrateToChat
from broadcast_telegram.classify import failed_send, is_about_file_id, is_network, reason_of
from broadcast_telegram.fields import fields_of, file_ids_in, ids_in
from broadcast_telegram.files import Files, Hand, Missing, Unavailable
from broadcast_telegram.messenger import Messenger
from broadcast_telegram.pacing import KvPace
from broadcast_telegram.plan import Call, Method
from broadcast_telegram.upload import Upload

log = logging.getLogger(__name__)

CHAT_SECONDS = 1.0
"""Between two requests to one chat (Bots FAQ: avoid more than one message a second)."""

HURRY_SECONDS = 10.0
"""What is left of an attempt's time when its run was stopped or its process is to end."""

UPLOAD_BYTES_PER_SECOND = 250_000
"""The slowest upload that is waited for."""

CLAIM_MARGIN_SECONDS = 30.0
"""Between a claim and the upload: waiting for the slot."""

TRIES = 3
"""Of a call whose file_ids Telegram does not take: what this process remembered, what the bucket had, and what was
uploaded since."""

TICK_SECONDS = 0.5
BACKOFF_SECONDS = (1.0, 10.0)
"""First and longest wait after a request that never reached Telegram."""

_NO_TIME = Verdict(Outcome.UNATTEMPTED, reason="the time for this recipient was over")


class Carrier:
    """What one process needs to send contents with files as one bot."""

    def __init__(
        self,
        messenger: Messenger,
        files: Files,
        pace: KvPace,
        *,
        request_seconds: float,
        seconds: float,
        album_weight: float = 1.0,
        upload_chat: int | None = None,
    ) -> None:
        """`request_seconds` bounds a request without its upload, `seconds` all of a recipient's together.

        `album_weight` is what each message of an album costs of the bot's pace. Files are uploaded to `upload_chat`;
        without one, with the message to the first recipient.
        """
        self.messenger, self.files, self.pace = messenger, files, pace
        self.request_seconds, self.seconds = request_seconds, seconds
        self.album_weight, self.upload_chat = album_weight, upload_chat

    async def carry(self, content: Content, calls: Sequence[Call], chat: int, hold: Hold) -> Verdict:
        """All calls in order. A group that became a supergroup gets them there, and the verdict names the new chat."""
        return await _Trip(self, content, chat, hold).run(calls)

    def weight(self, call: Call) -> int:
        """What a call costs, in slots."""
        return max(1, math.ceil(call.messages * self.album_weight)) if call.method is Method.ALBUM else 1

    def upload_seconds(self, size: int) -> float:
        """How long a request may take that carries so many bytes."""
        return self.request_seconds + size / UPLOAD_BYTES_PER_SECOND


class _CutOff(Exception):
    """A request ended before its last byte: nothing was delivered by it."""

    def __init__(self, cause: Missing | Unavailable) -> None:
        self.cause = cause


class _Trip:
    """One recipient's attempt."""

    def __init__(self, carrier: Carrier, content: Content, chat: int, hold: Hold) -> None:
        self._carrier, self._content, self._chat, self._hold = carrier, content, chat, hold
        self._files, self._pace = carrier.files, carrier.pace
        self._moved: int | None = None
        self._messages: list[int] = []
        self._until = _now() + carrier.seconds

    async def run(self, calls: Sequence[Call]) -> Verdict:
        for call in calls:
            verdict = await self._persist(call) if self._messages else await self._make(call)
            if verdict.outcome is not Outcome.DELIVERED:
                return self._ended(verdict)
            self._messages += verdict.messages
        return Verdict(Outcome.DELIVERED, tuple(self._messages), chat=self._moved)

    def _ended(self, verdict: Verdict) -> Verdict:
        """What the last call means for the whole: something may have arrived before it."""
        verdict = replace(verdict, chat=self._moved)
        if not self._messages:
            return verdict
        outcome = Outcome.UNCONFIRMED if verdict.outcome is Outcome.UNCONFIRMED else Outcome.PARTLY
        return replace(verdict, outcome=outcome, messages=tuple(self._messages))

    async def _persist(self, call: Call) -> Verdict:
        """A further call: whatever provably was not done is tried again, as long as there is time."""
        backoff, longest = BACKOFF_SECONDS
        await self._sleep(CHAT_SECONDS)
        while True:
            verdict = await self._make(call)
            if verdict.outcome is not Outcome.UNATTEMPTED or verdict.halt or verdict is _NO_TIME:
                return verdict
            if verdict.pause:
                await self._pace.pause(verdict.pause)
            if not await self._sleep(verdict.pause or backoff):
                return replace(verdict, pause=0.0)
            backoff = min(longest, backoff * 2)

    async def _make(self, call: Call) -> Verdict:
        """One call; files whose ids Telegram does not take are uploaded anew."""
        in_turn = not self._messages  # the worker has waited for the slot of the first call
        for tries_left in reversed(range(TRIES)):
            hand = self._files.known(call.files)
            if hand is None:
                in_turn = False  # an upload may take long, and many wait for its end
                try:
                    hand = await self._take(call)
                except (Missing, Unavailable) as error:
                    return _without_bytes(error)
            try:
                if not (in_turn or await self._turn(self._carrier.weight(call))) or not await self._may_start():
                    return _NO_TIME
                in_turn = False
                verdict = await self._request(call, hand, final=not tries_left)
            finally:
                await self._files.release(hand)
            if verdict is not None:
                return verdict
            await self._files.forget(hand)
        raise AssertionError("the last try has a verdict")

    async def _take(self, call: Call) -> Hand:
        """The files of a call, known or ours to upload; raises Missing and Unavailable."""
        size = sum(file.size for file in call.files)
        claim = self._carrier.upload_seconds(size) + CLAIM_MARGIN_SECONDS
        hand = await self._files.take(call.files, claim, self._worth_waiting)
        try:
            await self._files.check(hand)
            if self._carrier.upload_chat is not None:
                await self._store(hand, self._carrier.upload_chat)
        except BaseException:
            await self._files.release(hand)
            raise
        return hand

    async def _store(self, hand: Hand, chat: int) -> None:
        """Upload to the chat that is there for it. Where that fails the file goes with the recipient's message."""
        for file in hand.parts.values():
            call = Call(Method[file.kind.name], (file,))
            alone = Hand(hand.bot, claims={key: claim for key, claim in hand.claims.items() if claim.file == file})
            fields = {"chat_id": chat, "disable_notification": True, file.kind.value: alone.reference(file)}
            if not await self._turn(1):
                raise Unavailable("the time for this recipient was over")
            try:
                reply = await self._upload(call, fields, alone)
                for uploaded, id in file_ids_in(call, reply):
                    await self._files.learn(hand, uploaded, id)
            except _CutOff as error:
                raise error.cause from None
            except Exception as error:
                log.warning("upload_chat_failed", extra={"chat": chat, "error": reason_of(error)})
                return

    async def _request(self, call: Call, hand: Hand, *, final: bool) -> Verdict | None:
        """None when Telegram did not take a known file_id and this was not the final try."""
        try:
            return await self._send(call, hand)
        except TelegramMigrateToChat as error:
            self._chat = self._moved = error.migrate_to_chat_id
        except Exception as error:
            return _failed(call, hand, error, final=final)
        try:
            return await self._send(call, hand)
        except Exception as error:
            return _failed(call, hand, error, final=final)

    async def _send(self, call: Call, hand: Hand) -> Verdict:
        fields = {"chat_id": self._chat, **fields_of(call, self._content, hand)}
        if not hand.claims:
            reply = await self._carrier.messenger.request(call.method, fields)
            return Verdict(Outcome.DELIVERED, ids_in(call, reply))
        reply = await self._upload(call, fields, hand)
        verdict = Verdict(Outcome.DELIVERED, ids_in(call, reply))
        for file, id in file_ids_in(call, reply):
            await self._files.learn(hand, file, id)
        return verdict

    async def _upload(self, call: Call, fields: Mapping[str, Any], hand: Hand) -> Any:
        """A request with the bytes of what we claimed; raises _CutOff when it provably ended before it was whole."""
        carrier = self._carrier
        body = Upload(self._files, hand.parts, self._hold, carrier.request_seconds)
        needed = carrier.upload_seconds(sum(file.size for file in hand.parts.values()))
        seconds = min(needed, max(self._left(), carrier.request_seconds))
        try:
            return await carrier.messenger.upload(call.method, fields, body, seconds)
        except Exception as error:
            if is_network(error) and not body.finished:
                raise _CutOff(body.broken or Unavailable(reason_of(error))) from None
            raise

    # -- time

    async def _turn(self, weight: int) -> bool:
        """Wait for a slot of our own; False when there is no time left for it."""
        pace = self._pace.weighing(weight)
        while True:
            while pace.paused:
                if not await self._sleep(TICK_SECONDS):
                    return False
            try:
                async with asyncio.timeout(max(0.0, self._left())):
                    slots = await pace.reserve(1)
                    await pace.turn(slots, 0)
            except TimeoutError:
                return False
            if not pace.paused:
                return True

    async def _may_start(self) -> bool:
        """Nothing begins that is not wanted any more, nor anything that the lease does not cover."""
        if not self._messages:
            covered = self._hold.covers(self._carrier.request_seconds)
            return covered and self._hold.wanted and not self._pace.paused
        while not self._hold.covers(self._carrier.request_seconds):
            if not await self._sleep(TICK_SECONDS):
                return False
        return True

    def _worth_waiting(self) -> bool:
        return self._left() > 0 and (bool(self._messages) or self._hold.wanted)

    async def _sleep(self, seconds: float) -> bool:
        """False, at once or on the way, when there is not so much time."""
        while seconds > 0:
            if seconds > self._left():
                return False
            await asyncio.sleep(min(TICK_SECONDS, seconds))
            seconds -= TICK_SECONDS
        return True

    def _left(self) -> float:
        if not self._hold.wanted:
            self._until = min(self._until, _now() + HURRY_SECONDS)
        return self._until - _now()


def _failed(call: Call, hand: Hand, error: Exception, *, final: bool) -> Verdict | None:
    if isinstance(error, _CutOff):
        return _without_bytes(error.cause)
    if is_about_file_id(error) and hand.known and not final:
        return None
    return failed_send(error, album=call.method is Method.ALBUM)


def _without_bytes(error: Missing | Unavailable) -> Verdict:
    halt = Cause.CONTENT_REFUSED if isinstance(error, Missing) else None
    return Verdict(Outcome.UNATTEMPTED, halt=halt, reason=str(error))


def _now() -> float:
    return asyncio.get_running_loop().time()
