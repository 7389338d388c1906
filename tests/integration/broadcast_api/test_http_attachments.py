"""The files of a broadcast over HTTP, kept in a real object store."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from nats.js import JetStreamContext
from sqlalchemy import select

from broadcast_api.adapters.schema import runs
from broadcast_api.adapters.vault import STREAM, stored
from broadcast_contracts.topology import ATTACHMENTS
from tests.support.broadcast_api import Api, Json, key
from tests.support.formats import EXE, MP4, PDF, SVG, png
from tests.support.nats import NatsServer

LIMIT = 5 * 1024**2


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    return nats_server.url


@pytest.fixture
def api(api: Api, js: JetStreamContext) -> Api:
    """With a place for files."""
    return api


async def upload(api: Api, id: str, content: bytes, name: str = "x", **headers: str) -> httpx.Response:
    files = {"file": (name, content, "application/octet-stream")}
    return await api.http.post(f"/v1/broadcasts/{id}/attachments", files=files, headers=headers)


async def attached(api: Api, *files: bytes, **more: Any) -> Json:
    """A broadcast with these files."""
    broadcast = await api.broadcast(**more)
    for content in files:
        answer = await upload(api, broadcast["id"], content)
        assert answer.status_code == 201, answer.text
        broadcast = answer.json()
    return broadcast


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


async def objects(js: JetStreamContext) -> tuple[int, int]:
    """How many objects there are, and how many of them have chunks."""
    names, chunks = await stored(js)
    return len(names), len(chunks)


async def test_a_file_is_attached_shown_and_given_back_byte_for_byte(api: Api, js: JetStreamContext) -> None:
    id = (await api.broadcast())["id"]
    answer = await upload(api, id, png(), "Схема проезда.png")
    [shown] = answer.json()["attachments"]
    sha256 = hashlib.sha256(png()).hexdigest()
    url = f"/v1/broadcasts/{id}/attachments/{sha256}"
    assert shown == {
        "id": sha256,
        "name": "Схема проезда.png",
        "kind": "photo",
        "media_type": "image/png",
        "size": len(png()),
        "url": url,
    }
    assert (answer.headers["location"], answer.headers["etag"], (await api.get(id))["version"]) == (url, '"2"', 2)
    assert (await api.http.get(url)).content == png()
    assert (await (await js.object_store(ATTACHMENTS.name)).get(sha256)).data == png(), "workers read it the usual way"


async def test_a_large_file_comes_back_whole(api: Api) -> None:
    content = PDF + bytes(range(256)) * 20_000
    broadcast = await attached(api, content)
    assert (await api.http.get(broadcast["attachments"][0]["url"])).content == content


async def test_a_download_is_saved_and_only_pictures_may_be_shown_in_their_place(api: Api) -> None:
    id = (await api.broadcast())["id"]
    await upload(api, id, PDF, 'План "2027".pdf')
    picture, document = (await upload(api, id, png(), "a.png")).json()["attachments"][::-1]
    for file, inline, disposition in (
        (picture, "true", "inline; filename*=UTF-8''a.png"),
        (picture, "false", "attachment; filename*=UTF-8''a.png"),
        (document, "true", "attachment; filename*=UTF-8''%D0%9F%D0%BB%D0%B0%D0%BD%20_2027_.pdf"),
    ):
        answer = await api.http.get(file["url"], params={"inline": inline})
        assert answer.headers["content-disposition"] == disposition
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_files_are_renamed_moved_and_taken_away(api: Api) -> None:
    broadcast = await attached(api, png(), PDF, MP4)
    path, ids = f"/v1/broadcasts/{broadcast['id']}/attachments", [file["id"] for file in broadcast["attachments"]]
    assert (await api.http.put(path, json={"ids": ids[::-1]})).json()["attachments"][0]["id"] == ids[2]
    renamed = await api.http.patch(f"{path}/{ids[1]}", json={"name": "../Приказ"})
    assert renamed.json()["attachments"][1]["name"] == "Приказ.pdf"
    left = await api.http.delete(f"{path}/{ids[0]}")
    assert [file["id"] for file in left.json()["attachments"]] == [ids[2], ids[1]]
    assert (await api.http.get(f"{path}/{ids[0]}")).status_code == 404
    history = (await api.http.get(f"/v1/broadcasts/{broadcast['id']}/history")).json()["items"]
    assert [entry["what"] for entry in history] == ["created"] + ["files_changed"] * 6


async def test_an_order_of_other_files_and_a_file_that_is_not_there_are_refused(api: Api) -> None:
    broadcast = await attached(api, png(), PDF)
    path, [one, two] = (
        f"/v1/broadcasts/{broadcast['id']}/attachments",
        [file["id"] for file in broadcast["attachments"]],
    )
    for ids in ([], [one], [one, one], [one, two, "0" * 64]):
        assert code_of(await api.http.put(path, json={"ids": ids})) == (409, "other_files"), ids
    assert code_of(await api.http.delete(f"{path}/{'0' * 64}")) == (404, "not_found")
    assert code_of(await api.http.patch(f"{path}/{'0' * 64}", json={"name": "x"})) == (404, "not_found")
    assert code_of(await api.http.patch(f"{path}/{one}", json={"name": ""})) == (422, "invalid")
    assert (await api.get(broadcast["id"]))["version"] == broadcast["version"]


async def test_pictures_can_be_sent_as_files(api: Api) -> None:
    broadcast = await attached(api, png(), MP4, pictures_as_files=True)
    assert [file["kind"] for file in broadcast["attachments"]] == ["document", "video"]
    changed = {"pictures_as_files": False}
    edited = await api.http.patch(f"/v1/broadcasts/{broadcast['id']}", json=changed, headers={"If-Match": "*"})
    assert [file["kind"] for file in edited.json()["attachments"]] == ["photo", "video"]


async def test_files_alone_are_enough_and_nothing_at_all_is_not_sent(api: Api) -> None:
    await api.people(1001)
    draft = await api.draft()
    del draft["text"]
    id = (await api.http.post("/v1/broadcasts", json=draft)).json()["id"]
    assert code_of(await api.press("send", id)) == (409, "nothing_to_send")
    assert code_of(await api.http.post(f"/v1/broadcasts/{id}/test", json={"recipient_id": 1})) == (
        409,
        "nothing_to_send",
    )
    await upload(api, id, png())
    assert (await api.press("send", id)).status_code == 202


async def test_a_text_may_be_emptied_only_where_files_speak(api: Api) -> None:
    bare, full = await api.broadcast(), await attached(api, png())
    answers = [
        await api.http.patch(f"/v1/broadcasts/{broadcast['id']}", json={"text": ""}, headers={"If-Match": "*"})
        for broadcast in (bare, full)
    ]
    assert code_of(answers[0]) == (422, "bad_text")
    assert (answers[1].status_code, answers[1].json()["text"]) == (200, "")


async def test_the_broadcast_says_in_how_many_messages_it_arrives(api: Api) -> None:
    broadcast = await attached(api, png(), PDF, MP4, text="я" * 1025)
    picture, document, video = (file["id"] for file in broadcast["attachments"])
    assert broadcast["plan"] == [
        {"method": "sendMessage", "files": [], "messages": 1, "text": True},
        {"method": "sendMediaGroup", "files": [picture, video], "messages": 2, "text": False},
        {"method": "sendDocument", "files": [document], "messages": 1, "text": False},
    ]
    assert (broadcast["messages"], (await api.broadcast())["messages"]) == (4, 1)


async def test_a_run_keeps_the_files_it_started_with(api: Api) -> None:
    await api.people(1001)
    broadcast = await attached(api, png(), PDF)
    await api.press("send", broadcast["id"])
    with api.database.read() as connection:
        [content] = connection.scalars(select(runs.c.content).where(runs.c.broadcast_id == UUID(broadcast["id"])))
    assert [file["sha256"] for file in content["files"]] == [file["id"] for file in broadcast["attachments"]]


# -- what is refused, of which nothing may be kept


async def test_what_cannot_be_attached_is_refused_with_its_reason(api: Api, js: JetStreamContext) -> None:
    id = (await api.broadcast())["id"]
    for name, content, expected in (
        ("фото.jpg", EXE, (422, "file_runs")),
        ("logo.svg", SVG, (422, "file_markup")),
        ("a.txt", b"", (422, "file_empty")),
        ("a.jpg", bytes(range(256)), (422, "file_unknown")),
        ("a.pdf", PDF + b"\0" * (LIMIT + 1 - len(PDF)), (413, "file_too_large")),
    ):
        answer = await upload(api, id, content, name)
        assert code_of(answer) == expected, name
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get(id))["attachments"] == []
    assert await objects(js) == (0, 0)


async def test_a_file_at_the_limit_is_taken(api: Api) -> None:
    id = (await api.broadcast())["id"]
    assert (await upload(api, id, PDF + b"\0" * (LIMIT - len(PDF)))).json()["attachments"][0]["size"] == LIMIT


async def test_an_eleventh_file_is_refused(api: Api, js: JetStreamContext) -> None:
    broadcast = await attached(api, *(png(n, 1) for n in range(1, 11)))
    answer = await upload(api, broadcast["id"], png(11, 1))
    assert (code_of(answer), answer.json()["most"]) == ((409, "too_many_files"), 10)
    assert await objects(js) == (10, 10)


async def test_the_same_file_is_attached_once(api: Api, js: JetStreamContext) -> None:
    id = (await api.broadcast())["id"]
    await upload(api, id, png(), "a.png")
    answer = await upload(api, id, png(), "b.png")
    assert (code_of(answer), answer.json()["name"]) == ((409, "already_attached"), "a.png")
    assert (await api.http.get(f"/v1/broadcasts/{id}/attachments/{hashlib.sha256(png()).hexdigest()}")).content == png()


async def test_two_broadcasts_share_the_bytes(api: Api, js: JetStreamContext) -> None:
    one, other = await attached(api, png()), await attached(api, png())
    assert one["id"] != other["id"]
    assert await objects(js) == (1, 1)


async def test_names_are_made_harmless(api: Api) -> None:
    id = (await api.broadcast())["id"]
    for n, (given, kept) in enumerate(
        {
            "../../etc/passwd": "passwd.png",
            "C:\\Windows\\схема.png": "схема.png",
            "пл\u202eан.png": "план.png",
            "я" * 300 + ".png": "я" * 125 + ".png",
            "фото.exe": "фото.exe.png",
        }.items(),
        1,
    ):
        assert (await upload(api, id, png(n, 7), given)).json()["attachments"][-1]["name"] == kept


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"{}", (415, "not_multipart")),
        ("multipart/form-data", b"x", (415, "not_multipart")),
        ("multipart/form-data; boundary=b", b"nothing of the kind", (400, "bad_multipart")),
        ("multipart/form-data; boundary=b", b"", (400, "cut_off")),
        ("multipart/form-data; boundary=b", b"--b--\r\n", (422, "no_file_part")),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\nx\r\n--b--\r\n',
            (422, "unexpected_part"),
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
            (422, "unexpected_part"),
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + png(),
            (400, "cut_off"),
        ),
    ],
)
async def test_a_body_of_another_shape_is_refused(
    api: Api, js: JetStreamContext, content_type: str, body: bytes, expected: tuple[int, str]
) -> None:
    id = (await api.broadcast())["id"]
    headers = {"Content-Type": content_type}
    answer = await api.http.post(f"/v1/broadcasts/{id}/attachments", content=body, headers=headers)
    assert code_of(answer) == expected
    assert await objects(js) == (0, 0)


async def test_a_body_without_an_end_is_refused_long_before_it(api: Api, js: JetStreamContext) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + png()
        for _ in range(1_000):
            sent += 1
            yield b"\0" * 100_000

    id = (await api.broadcast())["id"]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await api.http.post(f"/v1/broadcasts/{id}/attachments", content=endless(), headers=headers)
    assert code_of(answer) == (413, "file_too_large")
    assert sent < 60
    assert await objects(js) == (0, 0)


async def test_a_connection_that_is_cut_half_way_leaves_nothing(api: Api, js: JetStreamContext) -> None:
    id = (await api.broadcast())["id"]
    half = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + png(900, 900)[:500]
    messages = [{"type": "http.request", "body": half, "more_body": True}, {"type": "http.disconnect"}]
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v1/broadcasts/{id}/attachments",
        "query_string": b"",
        "headers": [
            (b"content-type", b"multipart/form-data; boundary=b"),
            (b"authorization", api.http.headers["authorization"].encode()),
        ],
    }
    said: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    await api.app(scope, receive, send)
    assert said[0]["status"] == 400
    assert (await api.get(id))["attachments"] == []
    assert await objects(js) == (0, 0)


async def test_two_files_in_one_request_are_refused(api: Api, js: JetStreamContext) -> None:
    id = (await api.broadcast())["id"]
    files = [("file", ("a.png", png())), ("file", ("b.pdf", PDF))]
    answer = await api.http.post(f"/v1/broadcasts/{id}/attachments", files=files)
    assert code_of(answer) == (422, "unexpected_part")
    assert await objects(js) == (0, 0)


async def test_files_do_not_change_while_it_is_being_sent(api: Api, js: JetStreamContext) -> None:
    await api.people(1001)
    broadcast = await attached(api, png(), PDF)
    await api.press("send", broadcast["id"])
    path, [one, two] = (
        f"/v1/broadcasts/{broadcast['id']}/attachments",
        [file["id"] for file in broadcast["attachments"]],
    )
    for answer in (
        await upload(api, broadcast["id"], MP4),
        await api.http.put(path, json={"ids": [two, one]}),
        await api.http.patch(f"{path}/{one}", json={"name": "x"}),
        await api.http.delete(f"{path}/{one}"),
    ):
        assert code_of(answer) == (409, "not_created")
    assert await objects(js) == (2, 2)


async def test_who_saw_an_older_version_is_told_so_and_nothing_is_kept(api: Api, js: JetStreamContext) -> None:
    broadcast = await attached(api, png())
    answer = await upload(api, broadcast["id"], PDF, **{"If-Match": '"1"'})
    assert (code_of(answer), answer.json()["version"]) == ((412, "stale"), 2)
    assert [file["id"] for file in answer.json()["current"]["attachments"]] == [broadcast["attachments"][0]["id"]]
    assert await objects(js) == (1, 1)


async def test_a_repeated_upload_attaches_once(api: Api) -> None:
    id, again = (await api.broadcast())["id"], key()
    for _ in range(2):
        assert (await upload(api, id, png(), "a.png", **again)).status_code == 201
    assert code_of(await upload(api, id, PDF, "a.png", **again)) == (422, "key_reused")
    assert len((await api.get(id))["attachments"]) == 1


async def test_files_attached_at_the_same_moment_all_stay(api: Api, js: JetStreamContext) -> None:
    id = (await api.broadcast())["id"]
    answers = await asyncio.gather(*(upload(api, id, png(n, 1)) for n in range(1, 5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len((await api.get(id))["attachments"]) == 4
    assert await objects(js) == (4, 4)


async def test_the_same_bytes_stored_at_the_same_moment_are_stored_once(api: Api, js: JetStreamContext) -> None:
    ids = [(await api.broadcast())["id"] for _ in range(4)]
    answers = await asyncio.gather(*(upload(api, id, png(500, 500)) for id in ids))
    assert {answer.status_code for answer in answers} == {201}
    assert await objects(js) == (1, 1)
    assert (await api.http.get(answers[0].json()["attachments"][0]["url"])).content == png(500, 500)


async def test_a_full_store_is_told_and_keeps_nothing_half(api: Api, js: JetStreamContext) -> None:
    config = (await js.stream_info(STREAM)).config
    await js.update_stream(config.evolve(max_bytes=600_000))
    id = (await api.broadcast())["id"]
    assert code_of(await upload(api, id, PDF + b"\0" * 1_000_000)) == (507, "storage_full")
    assert ((await api.get(id))["attachments"], await objects(js)) == ([], (0, 0))
    assert (await upload(api, id, png())).status_code == 201, "what fits is taken"


async def test_without_nats_files_wait_and_everything_else_goes_on(api: Api, nats_server: NatsServer) -> None:
    broadcast = await attached(api, png())
    nats_server.stop()
    for answer in (await upload(api, broadcast["id"], PDF), await api.http.get(broadcast["attachments"][0]["url"])):
        assert (code_of(answer), answer.headers["retry-after"]) == ((503, "storage_away"), "1")
    assert (await api.broadcast())["status"] == "created"
    nats_server.start()
    async with asyncio.timeout(20):
        while (await upload(api, broadcast["id"], PDF)).status_code != 201:
            await asyncio.sleep(0.2)
