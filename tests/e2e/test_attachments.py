"""Files from the upload over HTTP to the chats, recalled whole, changed and sent again, on real processes."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from broadcast_contracts import FileKind
from tests.support.files import bytes_of, file_of
from tests.support.system import System, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300), pytest.mark.xdist_group("files")]

PEOPLE = 12
PHOTO, DOCUMENT = FileKind.PHOTO, FileKind.DOCUMENT
LONG = "x" * 1025
"""One character more than a caption may have."""

Seen = tuple[str, str]
"""What a message shows: the name of a file, or "photo", or nothing; and its words."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    async with running(people=PEOPLE, dispatchers=2) as system:
        await system.limits(rate=0)
        yield system


def documents(*numbers: int) -> list[tuple[FileKind, int]]:
    return [(DOCUMENT, n) for n in numbers]


def photos(*numbers: int) -> list[tuple[FileKind, int]]:
    return [(PHOTO, n) for n in numbers]


MIXTURES: dict[str, tuple[str, list[tuple[FileKind, int]], list[Seen]]] = {
    "one photo": ("Вид из окна", photos(11), [("photo", "Вид из окна")]),
    "two documents": (
        "Приказы",
        documents(21, 22),
        [("document 21.pdf", "Приказы"), ("document 22.pdf", "")],
    ),
    "three photos, two documents and a long text": (
        LONG,
        [*photos(31), *documents(32), *photos(33, 34), *documents(35)],
        [("", LONG), ("photo", ""), ("photo", ""), ("photo", ""), ("document 32.pdf", ""), ("document 35.pdf", "")],
    ),
    "ten documents": (
        "Все десять",
        documents(*range(40, 50)),
        [(f"document {n}.pdf", "Все десять" if n == 40 else "") for n in range(40, 50)],
    ),
}


@pytest.mark.parametrize("mixture", MIXTURES)
async def test_files_arrive_as_planned_are_recalled_whole_changed_and_sent_again(system: System, mixture: str) -> None:
    text, files, expected = MIXTURES[mixture]
    before = (await system.totals())["uploads"]
    broadcast = await system.broadcast(await system.audience(), text)
    for kind, n in files:
        await attach(system, broadcast, kind, n)
    drawn_up = await system.get(broadcast)
    assert drawn_up["messages"] == len(expected), "the plan is known before sending"
    assert await sent_to_all(system, broadcast) == expected
    assert (await system.totals())["uploads"] == before + len(files), "each file once, for both dispatchers"

    new = 90 + list(MIXTURES).index(mixture)
    last = drawn_up["attachments"][-1]["id"]
    await system.call("DELETE", f"/v1/broadcasts/{broadcast}/attachments/{last}")
    await attach(system, broadcast, DOCUMENT, new)
    version = (await system.get(broadcast))["version"]
    edited = {"If-Match": f'"{version}"'}
    await system.call("PATCH", f"/v1/broadcasts/{broadcast}", {"text": "Исправлено"}, **edited)
    again = await sent_to_all(system, broadcast)
    assert f"document {new}.pdf" in [name for name, _ in again]
    assert again[0][1] == "Исправлено"
    assert len(again) == (await system.get(broadcast))["messages"]


async def test_a_test_message_carries_the_files(system: System) -> None:
    broadcast = await system.broadcast(await system.audience(), "Проба")
    await attach(system, broadcast, PHOTO, 61)
    (one,) = (await system.call("GET", "/v1/recipients?limit=1"))["items"]
    answer = await system.call("POST", f"/v1/broadcasts/{broadcast}/test", {"recipient_id": one["id"]})
    assert answer["outcome"] == "delivered"
    assert seen(await system.emulator("GET", f"/chats/{one['chat_id']}"))[-1] == ("photo", "Проба")


async def attach(system: System, broadcast: str, kind: FileKind, n: int) -> None:
    body = b"%PDF-1.7\n" * (kind is DOCUMENT) + bytes_of(kind, n)
    address = f"{system.api_url}/v1/broadcasts/{broadcast}/attachments"
    answer = await system.http.post(address, files={"file": (file_of(kind, n).name, body)})
    assert answer.status_code == 201, answer.text


async def sent_to_all(system: System, broadcast: str) -> list[Seen]:
    """Send, see that every chat shows the same, recall, see that every chat is empty; answers what they showed."""
    await system.press("send", broadcast)
    sent = await system.until_status(broadcast, "sent", 120)
    assert sent["counts"]["delivered"] == PEOPLE
    chats = [chat["chat_id"] for chat in (await system.emulator("GET", "/chats"))["chats"]]
    shown = [seen(await system.emulator("GET", f"/chats/{chat}")) for chat in chats]
    assert shown == [shown[0]] * PEOPLE
    await system.press("recall", broadcast)
    recalled = await system.until_status(broadcast, "created", 60)
    assert recalled["counts"]["recalled"] == PEOPLE
    assert (await system.totals())["present"] == 0, "every chat is empty"
    return shown[0]


def seen(chat: dict[str, Any]) -> list[Seen]:
    """What is in the chat now, of what the bot sent."""
    messages: Sequence[dict[str, Any]] = chat["messages"]
    there = [message for message in messages if message["outgoing"] and not message["deleted"]]
    return [(shown(message), message.get("text") or message.get("caption") or "") for message in there]


def shown(message: dict[str, Any]) -> str:
    return "photo" if "photo" in message else message.get("file_name", "")
