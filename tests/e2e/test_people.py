"""People connect themselves, are chosen by a rule, and get what the preview promised: on real processes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import WEBHOOK_SECRET
from tests.support.system import Json, System, assert_adds_up, running

PEOPLE, MANY = 300, 5_000


@pytest.fixture
async def system(database_url: str, event_store_url: str) -> AsyncIterator[System]:
    stores = {"database_url": database_url, "event_store_url": event_store_url}
    async with running(**stores, people=0, dispatchers=2, door="polling") as system:
        yield system


@pytest.mark.timeout(300)
async def test_who_pressed_start_is_reached_and_who_blocked_the_bot_is_left_out(system: System) -> None:
    await everybody_gets_what_the_preview_promised(system, PEOPLE)


@pytest.mark.bench
@pytest.mark.skipif("'bench' not in config.option.markexpr", reason="takes minutes: pytest -m bench tests/e2e")
@pytest.mark.timeout(900)
async def test_five_thousand_people_connect_and_are_reached(system: System) -> None:
    await everybody_gets_what_the_preview_promised(system, MANY)


@pytest.mark.timeout(120)
async def test_telegram_posts_to_the_webhook_that_the_command_sets(tmp_path: Path) -> None:
    async with running(people=0, dispatchers=0, revokers=0, door="webhook") as system:
        plan = system.stack.plan
        tokens = {"main": {"token": plan.bots["main"]["token"], "secret": WEBHOOK_SECRET}}
        environment = {"BROADCAST_TELEGRAM_URL": system.stack.telegram_url, "BROADCAST_DOOR_TOKENS": json.dumps(tokens)}
        command = ["-m", "broadcast_api", "set-webhook", "main", f"{system.api_url}/telegram/main/webhook"]
        setting = await asyncio.create_subprocess_exec(
            sys.executable, *command, env={**os.environ, **environment}, cwd=tmp_path
        )
        assert await setting.wait() == 0
        for chat in (await system.emulator("POST", "/people", {"count": 20, "status": "not_started"}))["chats"]:
            await system.emulator("POST", f"/people/{chat['id']}/start", {})
        await until_counted(system, {"kind": "everyone"}, {"reachable": 20})
        await system.emulator("POST", f"/people/{chat['id']}/block")
        await until_counted(system, {"kind": "everyone"}, {"reachable": 19, "blocked": 1})


async def everybody_gets_what_the_preview_promised(system: System, count: int) -> None:
    await system.limits(rate=0)
    invited = [{"external_id": f"E-{n}", "department": "IT" if n % 2 else "HR"} for n in range(count)]
    for start in range(0, count, 5_000):
        await system.call("PUT", "/v1/recipients", {"bot": "main", "recipients": invited[start : start + 5_000]})
    chats = (await system.emulator("POST", "/people", {"count": count, "status": "not_started"}))["chats"]
    for n, chat in enumerate(chats):
        await system.emulator("POST", f"/people/{chat['id']}/start", {"payload": f"id-E-{n}"})
    await until_counted(system, {"kind": "everyone"}, {"reachable": count})
    for chat in chats[::10]:
        await system.emulator("POST", f"/people/{chat['id']}/block")
    rule = {"all": [{"field": "department", "in": ["IT", "HR"]}, {"not": {"field": "department", "in": ["HR"]}}]}
    definition = {"kind": "rule", "rule": rule}
    blocked = len([n for n in range(0, count, 10) if n % 2])
    await until_counted(system, {"kind": "everyone"}, {"blocked": len(chats[::10])})
    preview = await until_counted(system, definition, {"blocked": blocked, "total": count // 2})
    # One account is deleted, which Telegram tells nobody: the send finds out.
    await system.emulator("POST", f"/people/{chats[1]['id']}/deactivate")

    audience = await system.audience("IT", definition)
    broadcast = await system.broadcast(audience)
    await system.press("send", broadcast)
    sent = await system.until_status(broadcast, "sent", 240)
    assert_adds_up(sent["counts"])
    totals = await system.totals()
    assert sent["counts"]["delivered"] == preview["reachable"] - 1 == await messages_of(system, "Завтра")
    assert (sent["counts"]["blocked"], sent["counts"]["failed"]) == (blocked, blocked + 1)
    assert totals["duplicates"] == 0
    now = await system.call("GET", f"/v1/audiences/{audience}/preview")
    assert (now["reachable"], now["deactivated"]) == (preview["reachable"] - 1, 1)


async def until_counted(system: System, definition: Json, expected: Json, seconds: float = 240) -> Json:
    """The preview, when it says what is expected."""
    found: Json = {}
    async with asyncio.timeout(seconds):
        while True:
            found = await system.call("POST", "/v1/audiences/preview", {"bot": "main", "definition": definition})
            if expected.items() <= found.items():
                return found
            await asyncio.sleep(0.2)


async def messages_of(system: System, text: str) -> int:
    """How many chats got this text, as the emulator saw it."""
    answer = await system.http.get(f"{system.stack.telegram_url}/_control/deliveries", params={"text_contains": text})
    return len(answer.text.splitlines())
