"""How late a process wakes: an event loop that is held up cannot keep a lease."""

import asyncio
from typing import NoReturn

EVERY_SECONDS = 0.5
KEPT = 20


class LoopLag:
    """`watch` until cancelled; `seconds` is the worst of the last ten seconds."""

    def __init__(self) -> None:
        self._late = [0.0] * KEPT

    @property
    def seconds(self) -> float:
        return max(self._late)

    async def watch(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            self._late = [*self._late[1:], max(0.0, loop.time() - due)]
