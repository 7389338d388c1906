"""One port for everything: bots, control, pages. `async with Emulator(…).serve() as url` runs it in this process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from .bot_api import BotApi
from .connection import Server
from .control import Control
from .emulation import Emulation
from .limits import Limits
from .pages import Pages


class Emulator:
    """A local Telegram. `emulation` may be read and changed directly by a test in the same process."""

    def __init__(
        self,
        tokens: str | Sequence[str] = "42:TEST",
        *,
        people: int = 0,
        limits: Limits | None = None,
        seed: int = 1,
    ) -> None:
        tokens = [tokens] if isinstance(tokens, str) else list(tokens)
        self.emulation = Emulation(tokens, people=people, limits=limits or Limits(), seed=seed)

    @asynccontextmanager
    async def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Listen until the block ends; yields the base URL, such as `http://127.0.0.1:8081`."""
        async with aiohttp.ClientSession() as session:
            self._bots = BotApi(self.emulation, session)
            self._control = Control(self.emulation)
            self._pages = Pages(self.emulation)
            server = Server(self._answer)
            runner = web.ServerRunner(server, shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, host, port, backlog=1024)
            await site.start()
            try:
                yield f"http://{host}:{runner.addresses[0][1]}"
            finally:
                for bot in self.emulation.world.bots.values():
                    await bot.updates.close()
                await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith("/bot"):
            return await self._bots.answer(request, path)
        if path.startswith("/_control/"):
            return await self._control.answer(request, path)
        return self._pages.answer(request, path)
