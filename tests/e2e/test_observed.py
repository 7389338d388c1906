"""What an operator sees of a running system: traces, logs, and whether each part is ready."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.otlp import Collector, attributes, collecting
from tests.support.system import Json, System, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300), pytest.mark.xdist_group("observed")]

PEOPLE = 300
TOKEN = "1000000001:EMULATED-SECRET"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(collector: Collector) -> AsyncIterator[System]:
    async with running(people=PEOPLE, bots={"main": {"token": TOKEN}}, settings=collector.settings()) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sent(system: System, collector: Collector) -> str:
    """A broadcast that was sent, and one person was not reached."""
    await system.limits(rate=0)
    await system.fault(method="sendMessage", kind="forbidden_blocked", next=1)
    broadcast = await system.broadcast(await system.audience(), "a secret text")
    await system.press("send", broadcast)
    await system.until_status(broadcast, "sent")
    async with asyncio.timeout(20):
        while not collector.traces_with("publish broadcasts.event.sent.v1"):
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)  # the workers' last spans are on their way
    return broadcast


async def test_one_send_is_one_trace_from_the_request_to_the_calls_of_telegram(collector: Collector, sent: str) -> None:
    (trace,) = collector.traces_with("POST /v1/broadcasts/{id}/send")
    spans = [(service, span) for service, span in collector.spans if span.trace_id == trace]
    by_id = {span.span_id: span for _, span in spans}
    (root,) = [span for _, span in spans if span.parent_span_id not in by_id]
    assert root.name == "POST /v1/broadcasts/{id}/send"
    made = {(service, span.name) for service, span in spans}
    assert made == {
        ("broadcast-api", "POST /v1/broadcasts/{id}/send"),
        ("broadcast-api", "publish broadcasts.event.sending_started.v1"),
        ("broadcast-api", "publish broadcasts.event.audience_frozen.v1"),
        ("broadcast-api", "publish broadcasts.event.sent.v1"),
        ("broadcast-api", "freeze slice"),
        ("broadcast-api", "plan batch"),
        ("dispatcher", "send batch"),
        ("dispatcher", "telegram sendMessage"),
    }
    for _, span in spans:
        if span.name == "telegram sendMessage":
            batch = by_id[span.parent_span_id]
            assert batch.name == "send batch"
            assert by_id[batch.parent_span_id].name == "plan batch"
            assert attributes(batch)["broadcast.id"] == sent


async def test_a_batch_has_spans_of_its_first_call_and_of_those_that_failed(collector: Collector, sent: str) -> None:
    (trace,) = collector.traces_with("POST /v1/broadcasts/{id}/send")
    calls = [span for _, span in collector.spans if span.trace_id == trace and span.name == "telegram sendMessage"]
    batches = [span for _, span in collector.spans if span.trace_id == trace and span.name == "send batch"]
    failed = [span for span in calls if "error.type" in attributes(span)]
    assert [attributes(span)["error.type"] for span in failed] == ["TelegramForbiddenError"]
    assert len(calls) - len(failed) == len(batches) == 2


async def test_no_token_no_text_and_no_person_is_in_a_trace(system: System, collector: Collector, sent: str) -> None:
    await system.call("GET", "/v1/recipients?bot=main&q=secretly")
    chats = (await system.emulator("GET", "/chats?limit=3"))["chats"]
    await asyncio.sleep(1)
    exported = b"".join(collector.bodies)
    assert b"url.query" in exported
    hidden = ["EMULATED-SECRET", "a secret text", "secretly", system.stack.api_key, str(chats[0]["chat_id"])]
    assert [text for text in hidden if text.encode() in exported] == []


async def test_a_recall_is_a_trace_of_its_own_that_links_to_the_send(
    system: System, collector: Collector, sent: str
) -> None:
    await system.press("recall", sent)
    await system.until_status(sent, "created")
    async with asyncio.timeout(20):
        while not collector.traces_with("telegram deleteMessage"):
            await asyncio.sleep(0.1)
    (send,) = collector.traces_with("POST /v1/broadcasts/{id}/send")
    (recall,) = collector.traces_with("POST /v1/broadcasts/{id}/recall")
    assert recall != send
    assert collector.traces_with("telegram deleteMessage") == {recall}
    planned = [span for _, span in collector.spans if span.name == "plan recall"]
    assert planned
    assert {link.trace_id for span in planned for link in span.links} == {send}


async def test_logs_of_every_service_name_the_broadcast_the_run_and_the_trace(
    system: System, collector: Collector, sent: str
) -> None:
    (trace,) = collector.traces_with("POST /v1/broadcasts/{id}/send")
    (started,) = lines(system, "api", what="broadcast.sending_started", broadcast_id=sent)
    assert (started["run"], started["trace_id"]) == (1, trace.hex())
    left = lines(system, "dispatcher-0", event="batch_left", broadcast_id=sent, trace_id=trace.hex())
    assert {(line["run"], line["batch"]) for line in left} == {(1, 0), (1, 1)}


def lines(system: System, part: str, **fields: str) -> list[Json]:
    """The lines of a log that have these fields."""
    found = [json.loads(line) for line in (system.stack.logs / f"{part}.log").read_text().splitlines()]
    return [line for line in found if fields.items() <= line.items()]


async def test_readiness_falls_while_nats_is_away_and_comes_back(system: System, sent: str) -> None:
    before = await readiness(system)
    assert set(before.values()) == {200}
    system.stack.parts["nats"].signal(signal.SIGKILL)
    await until_all(system, 503)
    for url in before:
        assert (await system.http.get(url.replace("/readyz", "/livez"))).status_code == 200
    await system.stack.start_nats()
    await until_all(system, 200)


async def readiness(system: System) -> dict[str, int]:
    """Of every service."""
    urls = [url.replace("/metrics", "/readyz") for url in system.stack.metrics_urls()]
    assert len(urls) == 3
    return {url: (await system.http.get(url)).status_code for url in urls}


async def until_all(system: System, status: int) -> None:
    async with asyncio.timeout(30):
        while set((await readiness(system)).values()) != {status}:
            await asyncio.sleep(0.2)
