"""A simulated process: it can be killed, or frozen for a while, at any point where it touches the world."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

LONGEST_FREEZE = 20.0
"""Seconds; far beyond a lease and its grace."""


CLOCK = ContextVar("CLOCK", default=1.0)
"""Seconds that the clock of the running process counts in a true second."""


def now() -> float:
    """What the clock of the running process says."""
    return asyncio.get_running_loop().time() * CLOCK.get()


class Killed(BaseException):
    """The process is gone: nothing it does reaches the world any more."""


class Process:
    """Tasks that share a fate, and a clock that runs a little fast or slow."""

    def __init__(self, name: str, clock: float) -> None:
        self.name, self.clock = name, clock
        self.dead = False
        self.freezes = 0
        self._frozen_until = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something as part of this process."""
        context = copy_context()
        context.run(CLOCK.set, self.clock)
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def gate(self) -> None:
        """Passed before anything that the world would notice."""
        loop = asyncio.get_running_loop()
        while loop.time() < self._frozen_until:
            await asyncio.sleep(self._frozen_until - loop.time())
        if self.dead:
            raise Killed

    @property
    def frozen(self) -> float:
        """For how many seconds more."""
        return max(0.0, self._frozen_until - asyncio.get_running_loop().time())

    def freeze(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT later."""
        self.freezes += 1
        self._frozen_until = max(self._frozen_until, asyncio.get_running_loop().time() + seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self.dead = True
        for task in list(self._tasks):
            task.cancel()
