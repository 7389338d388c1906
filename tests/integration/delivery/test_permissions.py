"""The generated permissions, probed: whatever an identity has no need of, a real server refuses it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from broadcast_delivery.identities import Identity, identities
from deploy.local.stack import Plan, Stack

BOTS = {"main": {"token": "1:x"}, "hr": {"token": "2:x"}}
pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYBODY = {it.name: it for it in identities(tuple(BOTS))}
SERVICES = [name for name in EVERYBODY if name != "operator"]


def covers(pattern: str, subject: str) -> bool:
    """Whether a permission lets this subject (itself maybe a pattern) through, by the rules of NATS."""
    wanted, given = subject.split("."), pattern.split(".")
    for n, token in enumerate(given):
        if token == ">":
            return len(wanted) > n
        if n >= len(wanted) or token not in ("*", wanted[n]) or (token == "*" and wanted[n] == ">"):
            return False
    return len(wanted) == len(given)


def concrete(subject: str) -> str:
    return subject.replace("*", "some").replace(">", "some.thing")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("nats")
    stack = Stack(Plan(var=folder, bots=BOTS))
    stack.logs.mkdir()
    await stack.start_nats()
    yield stack
    await stack.stop()


async def refused(stack: Stack, identity: Identity, publish: list[str], subscribe: list[str]) -> set[str]:
    """The subjects that the server refuses this identity, of those that it tries."""
    errors: list[str] = []

    async def note(error: Exception) -> None:
        errors.append(str(error).lower())

    client: Client = await nats.connect(**stack.nats_options(identity.name), error_cb=note)
    try:
        for subject in publish:
            await client.publish(subject, b"probe")
        for subject in subscribe:
            await client.subscribe(subject)
        await client.flush()
        await asyncio.sleep(0.3)
    finally:
        await client.close()
    tried = {*publish, *subscribe}
    return {subject for subject in tried if any(f'"{subject.lower()}"' in error for error in errors)}


@pytest.mark.parametrize("name", SERVICES)
async def test_an_identity_may_publish_what_it_needs_and_nothing_that_others_need(stack: Stack, name: str) -> None:
    identity = EVERYBODY[name]
    every = {concrete(subject) for other in SERVICES for subject in EVERYBODY[other].publish}
    every |= {
        "$JS.API.STREAM.DELETE.LEDGER",
        "$JS.API.STREAM.PURGE.LEDGER",
        "$JS.API.CONSUMER.DELETE.LEDGER.projection",
    }
    every |= {"$SYS.REQ.SERVER.PING", "_INBOX_broadcast-api.x", "anything"}
    allowed = {subject for subject in every if any(covers(pattern, subject) for pattern in identity.publish)}
    assert await refused(stack, identity, sorted(every), []) == every - allowed
    assert every - allowed


@pytest.mark.parametrize("name", SERVICES)
async def test_nobody_reads_the_answers_to_another_or_what_is_not_meant_for_it(stack: Stack, name: str) -> None:
    identity = EVERYBODY[name]
    every = {subject for other in SERVICES for subject in EVERYBODY[other].subscribe}
    every |= {">", "broadcasts.>", "broadcasts.job.>", "broadcasts.ledger.>", "_INBOX.>", "$KV.>", "$O.>"}
    allowed = {subject for subject in every if any(covers(pattern, subject) for pattern in identity.subscribe)}
    assert await refused(stack, identity, [], sorted(every)) == every - allowed
    assert allowed == set(identity.subscribe)


async def test_a_wrong_password_and_no_name_are_let_in_nowhere(stack: Stack) -> None:
    for options in ({"user": "dispatcher", "password": "guess"}, {}):
        with pytest.raises(Exception, match=r"(?i)authorization|no servers"):
            await nats.connect(stack.nats_url, **options, allow_reconnect=False, connect_timeout=2, error_cb=_ignore)


async def test_a_worker_may_do_nothing_about_a_bot_that_is_not_its_own() -> None:
    (only_main,) = [it for it in identities(("main",)) if it.name == "dispatcher"]
    assert not any("hr" in subject.split(".") or "send-hr" in subject for subject in only_main.publish)
    assert any(covers(subject, "$JS.API.CONSUMER.MSG.NEXT.JOBS.send-main") for subject in only_main.publish)


async def _ignore(error: Exception) -> None:
    """The refusal is what is asked for."""
