"""What users rely on beyond the main path, on one running system."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from nats.js import JetStreamContext
from prometheus_client.parser import text_string_to_metric_families

from broadcast_api.duties.run import LOOK_SECONDS
from broadcast_contracts import ParkedV1, decode
from broadcast_contracts.topology import DEAD
from tests.support.system import System, assert_adds_up, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300), pytest.mark.xdist_group("promises")]

BOTS = {"main": {"token": "1000000001:EMULATED"}, "other": {"token": "1000000002:EMULATED"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    # At DEBUG, and with the faults of these tests, everything that could spell out a bot's token had its occasion.
    async with running(people=300, bots=BOTS, settings={"BROADCAST_LOG_LEVEL": "debug"}) as system:
        yield system


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def fresh(system: System) -> AsyncIterator[None]:
    await system.emulator("POST", "/reset")
    everybody = (await system.emulator("GET", "/chats?limit=1000"))["chats"]
    people = [{"chat_id": chat["chat_id"], "first_name": chat["first_name"], "status": "active"} for chat in everybody]
    await system.call("PUT", "/v1/recipients", {"bot": "main", "recipients": people})
    yield
    await system.emulator("DELETE", "/faults")


async def recipients(system: System, bot: str = "main", limit: int = 5) -> list[int]:
    found = await system.call("GET", f"/v1/recipients?bot={bot}&limit={limit}")
    return [person["id"] for person in found["items"]]


async def test_a_test_message_answers_with_its_outcome_while_a_broadcast_runs(system: System) -> None:
    everyone = await system.audience()
    running_one = await system.broadcast(everyone, "the long one")
    await system.press("send", running_one)
    await system.until(running_one, lambda b: bool(b["counts"]["delivered"] > 0))

    tried = await system.broadcast(everyone, "the tried one")
    person = (await recipients(system))[0]
    answer = await system.call("POST", f"/v1/broadcasts/{tried}/test", {"recipient_id": person})
    assert answer["outcome"] == "delivered"
    assert (await system.get(running_one))["status"] == "sending"
    assert (await system.get(tried))["counts"]["total"] == 0, "a test message is no part of any run"
    await system.press("stop", running_one)
    await system.until_status(running_one, "stopped")


async def test_a_small_broadcast_behind_a_large_one_is_interleaved(system: System) -> None:
    everyone = await system.audience()
    large = await system.broadcast(everyone, "large")
    await system.press("send", large)
    await system.until(large, lambda b: bool(b["counts"]["delivered"] > 0))
    few = await system.audience("few", {"kind": "list", "recipient_ids": await recipients(system)})
    small = await system.broadcast(few, "small")
    await system.press("send", small)
    await system.until_status(small, "sent", seconds=8)
    assert (await system.get(large))["status"] == "sending"
    await system.press("stop", large)
    await system.until_status(large, "stopped")


async def test_a_pause_of_one_bot_holds_up_no_other(system: System) -> None:
    people = [
        {"chat_id": chat["chat_id"], "first_name": chat["first_name"]}
        for chat in (await system.emulator("GET", "/chats?limit=60"))["chats"]
    ]
    await system.call("PUT", "/v1/recipients", {"bot": "other", "recipients": people})
    body = {"bot": "other", "name": "all", "definition": {"kind": "everyone"}}
    others = (await system.call("POST", "/v1/audiences", body))["id"]
    await system.emulator(
        "POST",
        f"/faults?bot={BOTS['other']['token']}",
        {"method": "sendMessage", "kind": "rate_limited", "next": 1, "retry_after": 60},
    )
    paused = await system.broadcast(others, "paused", bot="other")
    await system.press("send", paused)
    await asyncio.sleep(2)

    few = await system.audience("twenty", {"kind": "list", "recipient_ids": await recipients(system, limit=20)})
    free = await system.broadcast(few, "free")
    await system.press("send", free)
    sent = await system.until_status(free, "sent", seconds=20)
    assert sent["counts"]["delivered"] == 20
    waiting = await system.get(paused)
    assert waiting["status"] == "sending"
    assert waiting["counts"]["delivered"] < len(people)
    await system.press("stop", paused)
    await system.until_status(paused, "stopped", seconds=30)


async def test_nothing_leaves_after_a_stop_was_answered_and_what_had_left_is_recalled(system: System) -> None:
    broadcast = await system.broadcast(await system.audience(), "stopped in mid-flight")
    await system.press("send", broadcast)
    await system.until(broadcast, lambda b: bool(b["counts"]["delivered"] > 90))
    await system.press("stop", broadcast)
    answered = time.time()
    stopped = await system.until_status(broadcast, "stopped")
    assert_adds_up(stopped["counts"])
    totals = await system.totals()
    assert totals["sent"] == stopped["counts"]["delivered"]
    assert totals["last_sent_at"] <= answered + 0.25

    await system.press("recall", broadcast)  # takes as long as the sending: the revoker hears of the stop meanwhile
    recalled = await system.until_status(broadcast, "created", seconds=20)
    assert recalled["counts"]["recalled"] == stopped["counts"]["delivered"]
    assert (await system.totals())["present"] == 0


async def test_content_that_telegram_refuses_stops_the_run_and_fails_nobody(system: System) -> None:
    broadcast = await system.broadcast(await system.audience(), "refused")
    await system.fault(method="sendMessage", kind="content_error", probability=1.0)
    await system.press("send", broadcast)
    stopped = await system.until_status(broadcast, "stopped")
    assert stopped["stop_cause"] == "content_refused"
    assert stopped["stop_detail"]
    assert (stopped["counts"]["failed"], stopped["counts"]["pending"]) == (0, 300)


async def test_a_lost_token_stops_the_run_and_it_can_be_resumed(system: System) -> None:
    await system.limits(rate=0)
    broadcast = await system.broadcast(await system.audience(), "unauthorized for a while")
    await system.fault(method="sendMessage", kind="unauthorized", probability=1.0)
    await system.press("send", broadcast)
    stopped = await system.until_status(broadcast, "stopped")
    assert stopped["stop_cause"] == "bot_unauthorized"
    await system.emulator("DELETE", "/faults")
    await system.press("resume", broadcast)
    sent = await system.until_status(broadcast, "sent")
    assert sent["counts"]["delivered"] == 300
    await system.limits(rate=30)


async def test_every_kind_of_refusal_is_counted_and_named(system: System) -> None:
    await system.limits(rate=0)
    for kind, times in (("forbidden_blocked", 3), ("forbidden_deactivated", 2), ("chat_not_found", 1)):
        await system.fault(method="sendMessage", kind=kind, next=times)
    await system.fault(method="sendMessage", kind="server_error_after", next=1)
    broadcast = await system.broadcast(await system.audience(), "not to everybody")
    await system.press("send", broadcast)
    sent = await system.until_status(broadcast, "sent")
    counts = sent["counts"]
    assert (counts["failed"], counts["blocked"], counts["unconfirmed"]) == (6, 3, 1)
    assert counts["delivered"] == 300 - 7
    unconfirmed = await system.call("GET", f"/v1/broadcasts/{broadcast}/deliveries?outcome=unconfirmed")
    assert len(unconfirmed["items"]) == 1
    await system.limits(rate=30)


async def test_a_poison_message_on_each_stream_is_parked_and_the_rest_goes_on(system: System) -> None:
    await system.limits(rate=0)
    broadcast = await system.broadcast(await system.audience(), "beside the poison")
    client = await nats.connect(**system.stack.nats_options("operator"))
    try:
        js = client.jetstream()
        before = (await js.stream_info(DEAD.name)).state.messages
        poisoned = [f"broadcasts.job.{lane}.main.{broadcast}.1.0" for lane in ("send", "test", "recall")]
        poisoned += [f"broadcasts.{ledger}.{broadcast}.1.7" for ledger in ("ledger", "recall_ledger")]
        for subject in poisoned:
            await js.publish(subject, b"not json at all")
        await system.press("send", broadcast)
        sent = await system.until_status(broadcast, "sent")
        assert sent["counts"]["delivered"] == 300
        parked = await parked_since(js, before, len(poisoned))
        assert {message.subject for message in parked} == set(poisoned)
        assert all(message.reason for message in parked)
    finally:
        await client.close()
        await system.limits(rate=30)


async def parked_since(js: JetStreamContext, before: int, expected: int) -> list[ParkedV1]:
    async with asyncio.timeout(40):
        while (await js.stream_info(DEAD.name)).state.messages < before + expected:
            await asyncio.sleep(0.2)
    last = (await js.stream_info(DEAD.name)).state.last_seq
    messages = [await js.get_msg(DEAD.name, seq) for seq in range(last - expected + 1, last + 1)]
    return [decode(ParkedV1, message.data or b"") for message in messages]


async def test_counts_and_events_for_other_teams_agree_with_the_api(system: System) -> None:
    await system.limits(rate=0)
    broadcast = await system.broadcast(await system.audience(), "told to the world")
    await system.press("send", broadcast)
    sent = await system.until_status(broadcast, "sent")
    client = await nats.connect(**system.stack.nats_options("subscriber"))
    try:
        js = client.jetstream()
        subscription = await js.subscribe(f"broadcasts.event.*.{broadcast}", ordered_consumer=True)
        versions: list[int] = []
        while len(versions) < sent["version"]:
            message = await subscription.next_msg(timeout=10)
            versions.append(json.loads(message.data)["version"])
        assert versions == list(range(1, sent["version"] + 1))
        counted = await js.subscribe(f"broadcasts.counts.send.{broadcast}.>", ordered_consumer=True)
        first, second = [json.loads((await counted.next_msg(timeout=10)).data) for _ in range(2)]
        assert first["delivered"] + second["delivered"] == sent["counts"]["delivered"]
        assert first["final"]
        assert second["final"]
    finally:
        await client.close()
        await system.limits(rate=30)


async def test_what_prometheus_reads_agrees_with_the_counts_and_alerts_use_no_other_names(system: System) -> None:
    await system.limits(rate=0)
    before = await metrics_of(system)
    broadcast = await system.broadcast(await system.audience(), "measured")
    await system.press("send", broadcast)
    counts = (await system.until_status(broadcast, "sent"))["counts"]
    await asyncio.sleep(LOOK_SECONDS + 1)
    after = await metrics_of(system)
    delivered = 'broadcasts_messages_total{bot="main",outcome="delivered"}'
    assert sum(after[delivered]) - sum(before.get(delivered, [0])) == counts["delivered"]
    assert after["broadcasts_leader{}"] == [1]
    assert after['broadcasts_job_lag{bot="main",lane="send"}'] == [0]
    assert after["broadcasts_relay_lag_events{}"] == after["broadcasts_projection_lag_records{}"] == [0]
    assert after["broadcasts_ledger_lag_seconds{}"] == [0]
    assert after['http_requests_total{method="POST",route="/v1/broadcasts/{id}/send",status="202"}'][0] >= 1
    assert sum(after["broadcasts_window_seconds_count{}"]) > sum(before["broadcasts_window_seconds_count{}"])
    known = {name.partition("{")[0] for name in after}
    chart = Path("deploy/helm/telegram-broadcasts/files")
    used = {
        name
        for file in ("alerts.yaml", "dashboard.json")
        for name in re.findall(r"\b(?:broadcasts|http)_[a-z0-9_]+", (chart / file).read_text())
    }
    assert used
    assert used <= known, used - known
    await system.limits(rate=30)


async def metrics_of(system: System) -> dict[str, list[float]]:
    """Every series of every process, with a value for each process that has it."""
    found: dict[str, list[float]] = {}
    for url in system.stack.metrics_urls():
        for family in text_string_to_metric_families((await system.http.get(url)).text):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                found.setdefault(f"{sample.name}{{{labels}}}", []).append(sample.value)
    return found
