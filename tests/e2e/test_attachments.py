"""Files from the upload over HTTP to the chats, recalled whole and sent again, on real processes."""

from collections.abc import AsyncIterator

import pytest

from broadcast_contracts import FileKind
from tests.support.files import bytes_of, file_of
from tests.support.system import System, running

PEOPLE = 12
PHOTO, DOCUMENT = FileKind.PHOTO, FileKind.DOCUMENT


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with running(people=PEOPLE, dispatchers=2) as system:
        await system.limits(rate=0)
        yield system


@pytest.mark.timeout(300)
async def test_three_photos_a_document_and_a_long_text_arrive_are_recalled_whole_and_sent_again(system: System) -> None:
    broadcast = await system.broadcast(await system.audience(), "x" * 1025)
    files = [(PHOTO, 1), (PHOTO, 2), (PHOTO, 3), (DOCUMENT, 4)]
    for kind, n in files:
        version = (await system.get(broadcast))["version"]
        answer = await system.http.post(
            f"{system.api_url}/v1/broadcasts/{broadcast}/attachments",
            files={"file": (file_of(kind, n).name, b"%PDF-1.7\n" * (kind is DOCUMENT) + bytes_of(kind, n))},
            headers={"If-Match": f'"{version}"'},
        )
        assert answer.status_code == 201, answer.text
    for run in (1, 2):
        await system.press("send", broadcast)
        sent = await system.until_status(broadcast, "sent", 120)
        assert (sent["run"], sent["counts"]["delivered"]) == (run, PEOPLE)
        totals = await system.totals()
        assert totals["present"] == PEOPLE * 5, "a text, an album of three, a document"
        assert totals["uploads"] == len(files), "each file once, whatever the dispatchers and the runs"
        await system.press("recall", broadcast)
        await system.until_status(broadcast, "created", 60)
        assert (await system.totals())["present"] == 0, "every chat is empty"
