"""`python -m tests.telegram_emulator --port 0 --people 300 --bot 123:TOKEN`: prints {"url": …} once it listens."""

import argparse
import asyncio
import json
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from .limits import Limits
from .memory import load, save
from .server import Emulator


def main() -> None:
    parser = argparse.ArgumentParser(prog="telegram_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081, help="0 chooses a free one")
    parser.add_argument("--people", type=int, default=0, help="how many people have pressed Start")
    parser.add_argument("--bot", action="append", required=True, metavar="TOKEN", help="may be repeated")
    parser.add_argument("--rate", type=int, default=30, help="requests a second per bot; 0 lifts every limit")
    parser.add_argument("--seed", type=int, default=1, help="of the people and of the faults")
    parser.add_argument("--state", type=Path, help="a file to remember chats and messages in over a restart")
    options = parser.parse_args()
    try:
        emulator = Emulator(options.bot, people=options.people, limits=Limits(rate=options.rate), seed=options.seed)
    except ValueError as error:
        parser.error(str(error))
    if options.state:
        load(emulator.emulation, options.state)
    _run(_serve(emulator, options.host, options.port))
    if options.state:
        save(emulator.emulation, options.state)


async def _serve(emulator: Emulator, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with emulator.serve(host=host, port=port) as url:
        print(json.dumps({"url": url}), flush=True)
        await stop.wait()


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed: a third more requests a second."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving)


if __name__ == "__main__":
    main()
