"""The whole system as real processes, with an HTTP client for it and the emulator as the oracle."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

from deploy.local.samples import load_samples
from deploy.local.stack import Plan, Stack

Json = dict[str, Any]

TELEGRAMS = ("emulator.log", "telegram.state")


class System:
    """A running stack, spoken to as its users do."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient, api_url: str = "") -> None:
        """`api_url` is that of the replica to speak to; the stack's first one unless given."""
        self.stack, self.http = stack, http
        self.api_url = api_url or stack.api_url

    # -- the api

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Json:
        """A request that must succeed; answers the JSON."""
        answer = await self.http.request(method, self.api_url + path, json=body, headers=headers or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        result: Json = answer.json() if answer.content else {}
        return result

    async def refused(self, method: str, path: str, body: Any = None, **headers: str) -> Json:
        """A request that must be refused with problem+json; answers the problem."""
        answer = await self.http.request(method, self.api_url + path, json=body, headers=headers or None)
        assert answer.status_code >= 400, f"{method} {path} was not refused"
        assert answer.headers["content-type"].startswith("application/problem+json")
        result: Json = answer.json()
        return result

    async def audience(self, name: str = "everyone", definition: Json | None = None) -> str:
        """A new audience; everybody unless a definition is given."""
        body = {"bot": "main", "name": name, "definition": definition or {"kind": "everyone"}}
        return str((await self.call("POST", "/v1/audiences", body))["id"])

    async def broadcast(self, audience_id: str, text: str = "Завтра в 9:00", **more: Any) -> str:
        """A new broadcast."""
        body = {"bot": "main", "name": "Проверка связи", "text": text, "audience_id": audience_id, **more}
        return str((await self.call("POST", "/v1/broadcasts", body))["id"])

    async def get(self, broadcast_id: str) -> Json:
        return await self.call("GET", f"/v1/broadcasts/{broadcast_id}")

    async def press(self, action: str, broadcast_id: str) -> Json:
        """Send, stop, resume or recall."""
        return await self.call("POST", f"/v1/broadcasts/{broadcast_id}/{action}")

    async def until(self, broadcast_id: str, check: Callable[[Json], bool], seconds: float = 60) -> Json:
        """Watch the broadcast until the check holds."""
        state: Json = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    state = await self.get(broadcast_id)
                    if check(state):
                        return state
                    await asyncio.sleep(0.1)
        raise AssertionError(f"not in {seconds} s: {json.dumps(state, ensure_ascii=False)}")

    async def until_status(self, broadcast_id: str, status: str, seconds: float = 60) -> Json:
        """Watch the broadcast until it has the status."""
        return await self.until(broadcast_id, lambda state: bool(state["status"] == status), seconds)

    # -- the oracle

    async def emulator(self, method: str, path: str, body: Any = None) -> Any:
        """The emulator's control interface."""
        answer = await self.http.request(method, f"{self.stack.telegram_url}/_control{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def totals(self) -> Json:
        """What the emulator counted."""
        result: Json = await self.emulator("GET", "/state")
        return result

    async def limits(self, **limits: Any) -> None:
        """Change the emulator's limits; `rate=0` lifts the rate."""
        await self.emulator("POST", "/limits", limits)

    async def fault(self, **fault: Any) -> None:
        """Script a fault."""
        await self.emulator("POST", "/faults", fault)


async def command(stack: Stack, *arguments: str) -> tuple[int, str]:
    """The exit code of `python -m broadcast_api …`, and what it printed."""
    return await python(stack, "-m", "broadcast_api", *arguments)


async def python(stack: Stack, *arguments: str) -> tuple[int, str]:
    """The same of any Python process that is told what the api is told."""
    settings = await asyncio.to_thread(stack.api_settings)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def opens(stack: Stack) -> dict[str, str]:
    """The header that opens the api of a stack that was started."""
    return {"Authorization": f"Bearer {stack.api_key}"}


@contextlib.asynccontextmanager
async def running(**plan: Any) -> AsyncIterator[System]:
    """A system in a folder of its own, with its sample people loaded."""
    with tempfile.TemporaryDirectory(prefix="system-") as folder:
        async with served(Stack(Plan(var=Path(folder), **plan))) as system:
            yield system


@contextlib.asynccontextmanager
async def served(stack: Stack) -> AsyncIterator[System]:
    """A system on a stack that was not started yet."""
    async with stack.running(), httpx.AsyncClient(timeout=60, headers=opens(stack)) as http:
        if stack.plan.people:
            await asyncio.to_thread(load_samples, stack.api_url, stack.telegram_url, stack.api_key)
        yield System(stack, http)
    log = (stack.logs / "nats.log").read_text()
    assert "Violation" not in log, "something was asked of NATS without permission"
    assert_no_token(stack)


def assert_no_token(stack: Stack) -> None:
    """No bot's token is in a log, a database, a stream or a bucket. The emulator is Telegram: it may know."""
    secrets = [bot["token"].partition(":")[2].encode() for bot in stack.plan.bots.values()]
    files = [file for file in stack.plan.var.rglob("*") if file.is_file() and file.name not in TELEGRAMS]
    assert {"api.log", "nats.log"} <= {file.name for file in files}
    for file in files:
        content = file.read_bytes()
        assert not any(secret in content for secret in secrets), f"a bot's token is in {file}"


def assert_adds_up(counts: Json) -> None:
    """Every recipient is in exactly one place."""
    parts = ("delivered", "failed", "unconfirmed", "skipped", "pending")
    assert counts["total"] == sum(counts[part] for part in parts), counts
