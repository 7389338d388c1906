"""`make run`: one machine, no set-up. Sample people and an emulated Telegram unless BOT_TOKEN is given."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from broadcast_api.adapters.schema_version import WrongSchema
from deploy.local.credentials import local_account
from deploy.local.samples import load_samples
from deploy.local.stack import Plan, Stack, can_connect


def main() -> None:
    """Run until Ctrl-C."""
    var = Path(os.environ.get("VAR", "var")).absolute()
    token = os.environ.get("BOT_TOKEN", "")
    api_port = int(os.environ.get("PORT", "8000"))
    emulator_port = int(os.environ.get("EMULATOR_PORT", "8081"))
    for port, name in ((api_port, "PORT"), *(() if token else ((emulator_port, "EMULATOR_PORT"),))):
        if can_connect(port):
            sys.exit(f"port {port} is taken; choose another: {name}={port + 1} make run")
    plan = Plan(
        var=var,
        bots={"main": {"token": token or "1000000001:EMULATED"}},
        telegram_url="https://api.telegram.org" if token else None,
        api_port=api_port,
        emulator_port=emulator_port,
        door="polling",
    )
    asyncio.run(supervise(Stack(plan)))


async def supervise(stack: Stack) -> None:
    """Keep every part running until SIGINT or SIGTERM, then stop them in order."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(ended.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    watchers: list[asyncio.Task[None]] = []
    try:
        if starting.done():
            starting.result()
            if stack.plan.telegram_url is None:
                await asyncio.to_thread(load_samples, stack.api_url, stack.telegram_url, stack.api_key)
            announce(stack, await asyncio.to_thread(local_account, stack.database_url))
            watchers = [asyncio.create_task(part.keep_running()) for part in stack.parts.values()]
            await stopping
    except WrongSchema as error:
        sys.exit(f"{error} (VAR=another-folder make run)")
    except (RuntimeError, OSError) as error:
        sys.exit(str(error))
    finally:
        starting.cancel()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(starting, *watchers, return_exceptions=True)
        print("stopping…", flush=True)
        await stack.stop()


def announce(stack: Stack, account: tuple[str, str] | None) -> None:
    """Print the addresses, and once the password of the first account."""
    print(f"console                {stack.api_url}/")
    if account is not None:
        print(f"  sign in as           {account[0]}   password {account[1]}   (shown this once)")
    else:
        print("  another password     python -m broadcast_api account password admin")
    print(f"api key                {stack.plan.var / 'api-key'}   (Authorization: Bearer …)")
    print(f"api                    {stack.api_url}/v1/   (described by {stack.api_url}/openapi.json)")
    if stack.plan.telegram_url is None:
        print(f"what the chats see     {stack.telegram_url}/")
    print(f"state and logs         {stack.plan.var}")
    print("Ctrl-C stops everything; the state is kept.", flush=True)


if __name__ == "__main__":
    main()
