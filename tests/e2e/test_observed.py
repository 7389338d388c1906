"""What an operator sees of a running system: traces, logs, dashboard, alerts, and whether each part is ready."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from functools import reduce

import pytest
import pytest_asyncio
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.otlp import Collector, attributes, collecting
from tests.support.prometheus import FILES, Prometheus, watching
from tests.support.system import Json, System, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300), pytest.mark.xdist_group("observed")]

PEOPLE, BATCH = 40, 20
TOKEN, OTHER_TOKEN = "1000000001:EMULATED-SECRET", "1000000002:EMULATED-SECRET"
BOTS = {"main": {"token": TOKEN, "rate": 0}, "other": {"token": OTHER_TOKEN}}
DRAWN_UP = "publish broadcasts.event.created.v1"

STILL = {
    "Events not published yet": "they are within milliseconds, and it is looked at every five seconds",
    "Ledger records not projected yet": "they are within milliseconds, and it is looked at every five seconds",
    "The oldest ledger record not projected is": "it is within milliseconds, and it is looked at every five seconds",
    "Jobs issued again by the sweeper": "none was lost",
}
"""Panels that rightly show nothing but zeros, and why."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(collector: Collector) -> AsyncIterator[System]:
    settings = {**collector.settings(), "BROADCAST_BATCH_SIZE": str(BATCH)}
    async with running(people=PEOPLE, bots=BOTS, settings=settings) as system:
        await system.limits(rate=0)
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(system: System) -> AsyncIterator[Prometheus]:
    async with watching(system.stack) as prometheus:
        yield prometheus


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def under_way(system: System, prometheus: Prometheus) -> str:
    """A broadcast of the other bot: one call is without an answer, and then Telegram has it wait for longer than
    the system takes to look at itself."""
    chats = (await system.emulator("GET", f"/chats?limit={BATCH}"))["chats"]
    people = [{"chat_id": chat["chat_id"], "first_name": chat["first_name"]} for chat in chats]
    await system.call("PUT", "/v1/recipients", {"bot": "other", "recipients": people})
    everyone = {"bot": "other", "name": "everyone", "definition": {"kind": "everyone"}}
    audience = (await system.call("POST", "/v1/audiences", everyone))["id"]
    for fault in ({"kind": "server_error_after"}, {"kind": "rate_limited", "retry_after": 6}):
        await system.emulator("POST", f"/faults?bot={OTHER_TOKEN}", {"method": "sendMessage", "next": 1, **fault})
    broadcast = await system.broadcast(audience, bot="other")
    await system.press("send", broadcast)
    return broadcast


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sent(system: System, collector: Collector, under_way: str) -> str:
    """A broadcast that was sent, and one person was not reached."""
    await system.emulator(
        "POST", f"/faults?bot={TOKEN}", {"method": "sendMessage", "kind": "forbidden_blocked", "next": 1}
    )
    broadcast = await system.broadcast(await system.audience(), "a secret text")
    await system.press("send", broadcast)
    await system.until_status(broadcast, "sent")
    async with asyncio.timeout(20):
        while {"publish broadcasts.event.sent.v1", "send batch"} > {span.name for _, span in of(collector, broadcast)}:
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # the workers' last spans are on their way
    return broadcast


def of(collector: Collector, broadcast: str, root: str = "send") -> list[tuple[str, Span]]:
    """The spans of the one trace in which this was done to the broadcast; none before it is there."""
    begun = "freeze slice" if root == "send" else "plan recall"
    about = [
        (span.name, span.trace_id) for _, span in collector.spans if attributes(span).get("broadcast.id") == broadcast
    ]
    traces = {trace for name, trace in about if name == begun}
    return [(service, span) for service, span in collector.spans if span.trace_id in traces]


async def test_one_send_is_one_trace_from_the_request_to_the_calls_of_telegram(collector: Collector, sent: str) -> None:
    about = [span for _, span in collector.spans if attributes(span).get("broadcast.id") == sent]
    spans = of(collector, sent)
    assert {span.name for span in about if span.trace_id != spans[0][1].trace_id} <= {DRAWN_UP}
    assert len({span.trace_id for _, span in spans}) == 1
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
    spans = [span for _, span in of(collector, sent)]
    calls = [span for span in spans if span.name == "telegram sendMessage"]
    batches = [span for span in spans if span.name == "send batch"]
    failed = [span for span in calls if "error.type" in attributes(span)]
    assert [attributes(span)["error.type"] for span in failed] == ["TelegramForbiddenError"]
    assert len(calls) - len(failed) == len(batches) == PEOPLE // BATCH


async def test_no_token_no_text_and_no_person_is_in_a_trace(system: System, collector: Collector, sent: str) -> None:
    await system.call("GET", "/v1/recipients?bot=main&text=secretly")
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
    parts = ("POST /v1/broadcasts/{id}/recall", "plan recall", "telegram deleteMessage")
    async with asyncio.timeout(20):
        while not all(collector.traces_with(name) for name in parts):
            await asyncio.sleep(0.1)
    recall = {span.trace_id for _, span in of(collector, sent, "recall")}
    assert collector.traces_with("POST /v1/broadcasts/{id}/recall") == recall
    assert collector.traces_with("telegram deleteMessage") == recall
    planned = [span for _, span in of(collector, sent, "recall") if span.name == "plan recall"]
    send = {span.trace_id for _, span in of(collector, sent)}
    assert {link.trace_id for span in planned for link in span.links} == send
    assert send != recall


async def test_logs_of_every_service_name_the_broadcast_the_run_and_the_trace(
    system: System, collector: Collector, sent: str
) -> None:
    (trace,) = {span.trace_id for _, span in of(collector, sent)}
    (started,) = lines(system, "api", what="broadcast.sending_started", broadcast_id=sent)
    assert (started["run"], started["trace_id"]) == (1, trace.hex())
    left = lines(system, "dispatcher-0", event="batch_left", broadcast_id=sent, trace_id=trace.hex())
    assert {(line["run"], line["batch"]) for line in left} == {(1, 0), (1, 1)}


def lines(system: System, part: str, **fields: str) -> list[Json]:
    """The lines of a log that have these fields."""
    found = [json.loads(line) for line in (system.stack.logs / f"{part}.log").read_text().splitlines()]
    return [line for line in found if fields.items() <= line.items()]


async def test_every_panel_of_the_dashboard_shows_a_broadcast_under_way(
    system: System, prometheus: Prometheus, sent: str, under_way: str
) -> None:
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    everything = {f"${it['name']}": it["allValue"] for it in dashboard["templating"]["list"] if "allValue" in it}
    assert everything.keys() == {"$namespace", "$bot"}
    await system.until_status(under_way, "sent")
    assert await prometheus.ask("label/bot/values", **{"match[]": "broadcasts_messages_total"}) == sorted(BOTS)
    for annotation in dashboard["annotations"]["list"]:
        assert await prometheus.values(filled(annotation["expr"], everything)) == []
    shown = {
        (panel["title"], filled(target["expr"], everything))
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }
    at_rest = {(title, expression) for title, expression in shown if title in STILL}
    assert {title for title, _ in at_rest} == STILL.keys()
    for title, expression in at_rest:
        assert await prometheus.values(expression), title
    await until_all_move(prometheus, shown - at_rest)


def filled(expression: str, values: dict[str, str]) -> str:
    """As Grafana would ask it."""
    return reduce(lambda text, name: text.replace(name, values[name]), values, expression)


async def until_all_move(prometheus: Prometheus, shown: set[tuple[str, str]]) -> None:
    """Each of these panels and expressions had a value above zero."""
    try:
        async with asyncio.timeout(20):
            while shown := {one for one in shown if max(await prometheus.values(one[1]), default=0) <= 0}:
                await asyncio.sleep(0.5)
    except TimeoutError:
        pytest.fail(f"no value above zero: {shown}")


async def test_every_alert_is_evaluated_without_an_error_and_none_is_raised(
    system: System, prometheus: Prometheus, sent: str
) -> None:
    (group,) = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        await prometheus.ask("query", query=rule["expr"])
    (evaluated,) = (await prometheus.ask("rules"))["groups"]
    assert {rule["name"]: (rule["health"], rule["state"] == "firing") for rule in evaluated["rules"]} == {
        rule["alert"]: ("ok", False) for rule in group["rules"]
    }


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
    urls = system.stack.readiness_urls()
    assert len(urls) == 3
    answers = await asyncio.gather(*(system.http.get(url) for url in urls))  # one that is not ready takes two seconds
    return {url: answer.status_code for url, answer in zip(urls, answers, strict=True)}


async def until_all(system: System, status: int) -> None:
    async with asyncio.timeout(30):
        while set((await readiness(system)).values()) != {status}:
            await asyncio.sleep(0.2)
