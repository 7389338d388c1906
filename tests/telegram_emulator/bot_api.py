"""The door for bots: one request in, limits, faults, the method, one answer out."""

import asyncio
import inspect
from contextlib import suppress
from urllib.parse import unquote

import aiohttp
import orjson
from aiohttp import web

from .arguments import Arguments, parse_arguments
from .connection import Connection
from .emulation import Emulation
from .errors import BotApiError, entity_too_large, not_found, unauthorized
from .faults import Fault
from .limits import UPLOAD_GUARDED_FROM
from .methods import METHODS, Call, Method
from .world import BotAccount

JSON = "application/json"
HANG_SECONDS = 60.0
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class BotApi:
    """Answers `/bot<token>/<method>`."""

    def __init__(self, emulation: Emulation, session: aiohttp.ClientSession) -> None:
        self._emulation = emulation
        self._session = session

    async def answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        token, _, name = path.removeprefix("/bot").partition("/")
        bots = self._emulation.world.bots
        bot = bots.get(token) or bots.get(unquote(token))
        if bot is None:
            await request.read()
            return refused(unauthorized())
        try:
            return await self._perform(bot, name.lower(), request, connection)
        except BotApiError as error:
            if error.code == 429:
                bot.refused_429 += 1
            if error.answer_after:
                await asyncio.sleep(error.answer_after)
            return refused(error)

    async def _perform(
        self, bot: BotAccount, name: str, request: web.BaseRequest, connection: Connection
    ) -> web.StreamResponse:
        method = METHODS.get(name)
        if method is None:
            await request.read()
            raise not_found()
        bot.calls[method.name] = bot.calls.get(method.name, 0) + 1
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise entity_too_large() from None
        arrived = connection.received_at
        arguments = parse_arguments(request.rel_url.raw_query_string, request.headers.get("Content-Type", ""), body)
        self._admit(bot, method, arguments, arrived)
        if len(body) > UPLOAD_GUARDED_FROM and (slowed := bot.limiter.upload(arrived, arguments.uploaded_bytes)):
            await asyncio.sleep(slowed)
        call = Call(bot, arguments, arrived, self._session)
        faults = self._emulation.faults
        if faults and (fault := faults.strike(bot.id, name, arguments.chat_id)):
            return await self._suffer(fault, method, call, connection)
        return await _run(method, call)

    def _admit(self, bot: BotAccount, method: Method, arguments: Arguments, arrived: float) -> None:
        match method.bucket:
            case "send" | "edit":
                chat = bot.chats.get(arguments.chat_id or 0)
                weight = method.weight(arguments) if method.weight else 1
                paid = arguments.flag("allow_paid_broadcast")
                bot.limiter.send(arrived, chat, weight=weight, paid=paid, edit=method.bucket == "edit")
            case "delete":
                bot.limiter.delete(arrived)
            case "free":
                pass

    async def _suffer(self, fault: Fault, method: Method, call: Call, connection: Connection) -> web.StreamResponse:
        """The call, spoilt: refused before the work is done, or done and the answer lost."""
        if fault.pause:
            call.bot.limiter.pause(call.arrived, fault.retry_after)
        if fault.kind.startswith("timeout"):
            if fault.kind == "timeout_after":
                await _run_quietly(method, call)
            return await _hang(connection, fault.delay or HANG_SECONDS)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if refusal := fault.refusal:
            raise refusal
        match fault.kind:
            case "slow":
                return await _run(method, call)
            case "server_error_after":
                await _run_quietly(method, call)
                raise BotApiError(500, "Internal Server Error")
            case "bad_gateway_html":
                return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
            case "reset_after":
                await _run_quietly(method, call)
        return await _hang(connection, 0)


async def _run(method: Method, call: Call) -> web.StreamResponse:
    result = method.run(call)
    if inspect.isawaitable(result):
        result = await result
    return web.Response(body=orjson.dumps({"ok": True, "result": result}), content_type=JSON)


async def _run_quietly(method: Method, call: Call) -> None:
    with suppress(BotApiError):  # the reply is lost either way
        await _run(method, call)


async def _hang(connection: Connection, seconds: float) -> web.StreamResponse:
    """Say nothing until the client goes away or the time is over, then reset the connection."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end and not connection.is_cut:
        await asyncio.sleep(min(0.05, seconds))
    connection.cut()
    return web.Response(status=500)


def refused(error: BotApiError) -> web.Response:
    return web.Response(status=error.code, body=orjson.dumps(error.as_dict()), content_type=JSON)
