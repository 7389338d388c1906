"""The main job from end to end, on real processes, as an official and an operator would see it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.system import System, assert_adds_up, running

PEOPLE = 300


@pytest.fixture
async def system(database_url: str, event_store_url: str) -> AsyncIterator[System]:
    async with running(
        database_url=database_url, event_store_url=event_store_url, people=PEOPLE, dispatchers=2, revokers=2
    ) as system:
        yield system


@pytest.mark.timeout(300)
async def test_create_send_stop_resume_sent_recall_edit_and_send_again(system: System) -> None:
    broadcast = await system.broadcast(await system.audience())
    created = await system.get(broadcast)
    assert (created["status"], created["run"], created["sent_at"]) == ("created", 0, None)

    await system.press("send", broadcast)
    under_way = await system.until(broadcast, lambda b: bool(b["counts"]["delivered"] >= 40))
    assert under_way["status"] == "sending"
    assert_adds_up(under_way["counts"])

    await system.press("stop", broadcast)
    stopped = await system.until_status(broadcast, "stopped")
    at_stop = await system.totals()
    assert stopped["counts"]["delivered"] == at_stop["sent"] < PEOPLE
    assert stopped["counts"]["pending"] == PEOPLE - at_stop["sent"]
    await asyncio.sleep(1)
    assert (await system.totals())["sent"] == at_stop["sent"], "nothing leaves once it is stopped"

    await system.press("resume", broadcast)
    sent = await system.until_status(broadcast, "sent")
    totals = await system.totals()
    assert sent["counts"]["delivered"] == totals["sent"] == PEOPLE
    assert totals["duplicates"] == 0
    assert_adds_up(sent["counts"])

    await system.press("recall", broadcast)
    recalled = await system.until_status(broadcast, "created")
    assert recalled["counts"]["recalled"] == PEOPLE
    assert (await system.totals())["present"] == 0, "every chat is empty"

    etag = f'"{recalled["version"]}"'
    await system.call("PATCH", f"/v1/broadcasts/{broadcast}", {"text": "Завтра в 10:00"}, **{"If-Match": etag})
    await system.limits(rate=0)
    await system.press("send", broadcast)
    again = await system.until_status(broadcast, "sent")
    assert again["run"] == 2
    assert again["counts"]["delivered"] == PEOPLE
    totals = await system.totals()
    assert totals["present"] == PEOPLE
    assert totals["duplicates"] == 0

    history = (await system.call("GET", f"/v1/broadcasts/{broadcast}/history"))["items"]
    assert len(history) == again["version"]
