"""The door for tests and hands: `/_control/…` in JSON; refusals are 400 or 404 with `{"error": why}`."""

import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from .emulation import Emulation
from .oracle import chat_messages, chat_summary, deliveries, send_times, totals
from .people import Chat, Status
from .world import BotAccount

Handler = Callable[[web.BaseRequest, list[str]], Awaitable[web.StreamResponse]]
EXPLICIT = {"chat_id", "kind", "first_name", "last_name", "username", "language_code", "title", "status"}


class Control:
    """Every address, its HTTP method and what it does; `?bot=` (token or id) narrows to one bot."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", "state"): self._state,
            ("GET", "chats"): self._chats,
            ("GET", "deliveries"): self._deliveries,
            ("GET", "send_times"): self._send_times,
            ("POST", "bots"): self._add_bot,
            ("POST", "people"): self._people,
            ("POST", "clock"): self._clock,
            ("GET", "limits"): self._limits,
            ("POST", "limits"): self._limits,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("DELETE", "files"): self._forget_files,
            ("POST", "reset"): self._reset,
        }

    async def answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        first, *rest = path.removeprefix("/_control/").strip("/").split("/")
        handler = self._handlers.get((request.method, first))
        if handler is None:
            return said({"error": f"no {request.method} {path}"}, status=404)
        try:
            return await handler(request, rest)
        except LookupError as error:
            return said({"error": str(error.args[0])}, status=404)
        except (ValueError, TypeError) as error:
            return said({"error": str(error)}, status=400)

    async def _state(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        """Sums over the bots asked for, and each of them."""
        bots = [totals(bot) for bot in self._bots(request)]
        summed = {key: sum(each[key] for each in bots) for key, value in bots[0].items() if type(value) is int}
        del summed["bot"]
        calls = itertools.chain.from_iterable(each["calls"] for each in bots)
        summed["calls"] = {name: sum(each["calls"].get(name, 0) for each in bots) for name in calls}
        firsts = [each["first_sent_at"] for each in bots if each["first_sent_at"]]
        lasts = [each["last_sent_at"] for each in bots if each["last_sent_at"]]
        return said(
            {
                **summed,
                "first_sent_at": min(firsts, default=None),
                "last_sent_at": max(lasts, default=None),
                "now": self._emulation.clock.now(),
                "bots": bots,
            }
        )

    async def _chats(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        """A page of chats in order of id after `cursor`, or one chat with its messages."""
        if rest:
            found = [(bot, chat) for bot, chat in self._known(request, rest[0])]
            bot, chat = found[0]
            return said({**chat_summary(bot, chat), "messages": chat_messages(bot, chat)})
        bot = self._bots(request)[0]
        cursor, limit = request.query.get("cursor"), int(request.query.get("limit", "1000"))
        after = int(cursor) if cursor else None
        ids = sorted(each for each in bot.chats if after is None or each > after)
        page = ids[:limit]
        return said(
            {
                "chats": [chat_summary(bot, bot.chats[each]) for each in page],
                "next_cursor": str(page[-1]) if len(ids) > limit else None,
            }
        )

    async def _deliveries(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        wanted = request.query.get("text_contains", "")
        body = b"".join(itertools.chain.from_iterable(deliveries(bot, wanted) for bot in self._bots(request)))
        return web.Response(body=body, content_type="application/x-ndjson")

    async def _send_times(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        after = float(request.query.get("after", "0"))
        return said(send_times(self._bots(request)[0], request.query.get("text_contains", ""), after))

    async def _add_bot(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        bot = self._emulation.add_bot((await _body(request))["token"])
        return said(bot.user)

    async def _people(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        """Create people, or act on one of them, or on "all" of the persons (not the groups)."""
        body = await _body(request)
        if not rest:
            return said({"chats": [asdict(chat) for chat in self._create(request, body)]})
        if len(rest) != 2:
            raise LookupError("POST people/{chat_id}/{start|block|unblock|deactivate|migrate}")
        who, action = rest
        known = list(self._everyone(request) if who == "all" else self._known(request, who))
        for bot, chat in known:
            _act(bot, chat, action, str(body.get("payload", "")))
        return said({"changed": len(known), **chat_summary(*known[-1])})

    def _create(self, request: web.BaseRequest, body: dict[str, Any]) -> Iterable[Chat]:
        if "count" in body:
            return self._emulation.add_people(
                int(body["count"]), body.get("status", "active"), request.query.get("bot")
            )
        given = body.get("people", [body])
        for each in given:
            if unknown := each.keys() - EXPLICIT:
                raise ValueError(f"unknown fields: {', '.join(unknown)}; known: {', '.join(sorted(EXPLICIT))}")
        return [self._emulation.add_person(each, request.query.get("bot")) for each in given]

    async def _clock(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        clock = self._emulation.clock
        clock.advance(float((await _body(request))["advance_seconds"]))
        return said({"now": clock.now(), "advanced": clock.advanced})

    async def _limits(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        bots = self._bots(request)
        changes = await _body(request)
        for bot in bots:
            bot.limiter.limits = bot.limiter.limits.changed(changes)
        return said(asdict(bots[0].limiter.limits))

    async def _faults(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        return said({"faults": self._emulation.faults.as_list()})

    async def _add_fault(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        aimed = {"bot": self._bots(request)[0].id} if request.query.get("bot") else {}
        return said(asdict(self._emulation.faults.add({**await _body(request), **aimed})))

    async def _clear_faults(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        self._emulation.faults.clear()
        return said({"faults": []})

    async def _forget_files(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        """Every file_id given so far is worthless from now on."""
        for bot in self._bots(request):
            bot.files.clear()
        return said({"files": 0})

    async def _reset(self, request: web.BaseRequest, rest: list[str]) -> web.StreamResponse:
        """Forget messages, counts, faults, changed limits and the moved clock; people too with {"people": true}."""
        self._emulation.reset(people=bool((await _body(request)).get("people")))
        return said({"reset": True})

    def _bots(self, request: web.BaseRequest) -> list[BotAccount]:
        bots = list(self._emulation.world.named(request.query.get("bot")))
        if not bots:
            raise LookupError("no such bot")
        return bots

    def _known(self, request: web.BaseRequest, chat_id: str) -> list[tuple[BotAccount, Chat]]:
        known = [(bot, bot.chats[int(chat_id)]) for bot in self._bots(request) if int(chat_id) in bot.chats]
        if not known:
            raise LookupError(f"no chat {chat_id}")
        return known

    def _everyone(self, request: web.BaseRequest) -> Iterable[tuple[BotAccount, Chat]]:
        return [(bot, chat) for bot in self._bots(request) for chat in bot.chats.values() if not chat.is_group]


def _act(bot: BotAccount, chat: Chat, action: str, payload: str) -> None:
    match action:
        case "start":
            bot.press_start(chat, payload)
        case "block":
            bot.change_status(chat, Status.KICKED if chat.is_group else Status.BLOCKED)
        case "unblock":
            bot.change_status(chat, Status.ACTIVE)
        case "deactivate":
            chat.status = Status.DEACTIVATED
        case "migrate":
            bot.migrate(chat)
        case _:
            raise LookupError(f"no action {action}")


async def _body(request: web.BaseRequest) -> dict[str, Any]:
    raw = await request.read()
    body = orjson.loads(raw) if raw else {}
    if not isinstance(body, dict):
        raise ValueError("expected a JSON object")
    return body


def said(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
