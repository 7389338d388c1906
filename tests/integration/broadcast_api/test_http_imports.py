"""People from CSV files, and back into one."""

import asyncio
import csv
import io
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert, select

from broadcast_api.adapters import imports as adapter
from broadcast_api.adapters.entering import Person, enter
from broadcast_api.adapters.imports import Fault, Imports
from broadcast_api.adapters.schema import imports, recipients
from broadcast_api.entrypoints.http import middleware
from broadcast_api.entrypoints.http.people_csv import open_people
from tests.support.broadcast_api import Api, Json

PATH = "/v1/recipients/imports"
TWO = "chat_id,first_name,department\n1,Анна,Кадры\n2,Пётр,IT\n"


async def posted(api: Api, body: str | bytes, **params: Any) -> httpx.Response:
    headers = {"Content-Type": "text/csv"}
    content = body.encode() if isinstance(body, str) else body
    return await api.http.post(PATH, content=content, params={"bot": "main", **params}, headers=headers)


async def imported(api: Api, body: str | bytes, **params: Any) -> Json:
    """The import when it has ended."""
    answer = await posted(api, body, **params)
    assert answer.status_code == 202, answer.text
    return await ended(api, answer.headers["location"])


async def ended(api: Api, address: str, seconds: float = 60) -> Json:
    async with asyncio.timeout(seconds):
        while (found := (await api.http.get(address)).json())["state"] == "running":
            await asyncio.sleep(0.1)
    result: Json = found
    return result


async def people(api: Api) -> list[Json]:
    found: list[Json] = (await api.http.get("/v1/recipients", params={"limit": 500})).json()["items"]
    return found


def counts(done: Json) -> tuple[int, ...]:
    return tuple(done[name] for name in ("read", "created", "updated", "refused"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_any_usual_encoding_and_separator_is_understood(api: Api, encoding: str, separator: str) -> None:
    done = await imported(api, TWO.replace(",", separator).encode(encoding))
    assert (done["state"], counts(done), done["errors"]) == ("finished", (2, 2, 0, 0), [])
    assert [(person["first_name"], person["department"]) for person in await people(api)] == [
        ("Анна", "Кадры"),
        ("Пётр", "IT"),
    ]


async def test_columns_may_have_russian_names_and_only_they_change(api: Api) -> None:
    await api.people(1, username="ann", last_name="Старая", status="blocked", tags=["a"])
    done = await imported(
        api,
        "ID чата;Имя;Вид;Теги;Дата подключения;Статус\n"
        '1;"Анна; Мария";подрядчик;"VIP, новый";31.01.2026;\n'
        "2;;;;;не запускал\n",
    )
    assert counts(done) == (2, 1, 1, 0)
    one, two = await people(api)
    assert (one["first_name"], one["last_name"], one["username"], one["kind"], one["status"], one["tags"]) == (
        "Анна; Мария",
        "Старая",
        "ann",
        "contractor",
        "blocked",
        ["vip", "новый"],
    )
    assert one["joined_at"] == "2026-01-31T00:00:00Z"
    assert (two["kind"], two["status"]) == ("employee", "not_started")
    found = (await api.http.get("/v1/recipients", params={"text": "старая"})).json()["items"]
    assert [person["id"] for person in found] == [one["id"]]


async def test_a_wrong_row_is_told_with_its_number_and_stops_nothing(api: Api) -> None:
    body = "chat_id,first_name,status,joined_at\n" + "".join(
        [
            "1,A,,\n",
            "x,A,,\n",
            "-100,A,,\n",
            f"2,{'я' * 5_000},,\n",
            "\n",
            "3,A,gone,\n",
            "4,A,,yesterday\n",
            ",A,,\n",
            "5,A,,,,extra\n",
            '6,"never closed,,\n',
            "7,a\0b,,\n",
            '8,"two\nlines",,\n',
            "9,last,,\n",
        ]
    )
    done = await imported(api, body)
    assert counts(done) == (12, 3, 0, 9)
    assert [(error["row"], error["column"], error["code"]) for error in done["errors"]] == [
        (3, "chat_id", "bad_chat_id"),
        (4, "chat_id", "group"),
        (5, "first_name", "too_long"),
        (7, "status", "unknown_value"),
        (8, "joined_at", "bad_date"),
        (9, "chat_id", "not_identified"),
        (10, "", "too_many_cells"),
        (11, "", "unreadable"),
        (12, "first_name", "invalid"),
    ]
    assert [person["chat_id"] for person in await people(api)] == [1, 8, 9]
    answer = await api.http.get(f"{PATH}/{done['id']}/errors", headers={"Accept-Language": "ru"})
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[1] == ["3", "chat_id", "bad_chat_id", "это не chat_id"]
    assert len(rows) == 10


async def test_a_file_that_cannot_be_meant_is_refused_up_front(api: Api) -> None:
    for body, code in (
        ("", "empty_file"),
        ("chat_id,salary\n1,2\n", "unknown_columns"),
        ("first_name\nA\n", "no_identity_column"),
        ("chat_id,Telegram ID\n1,1\n", "repeated_columns"),
        (b"chat_id,first_name\n1,\x98\xff\n", "bad_encoding"),
    ):
        answer = await posted(api, body)
        assert (answer.status_code, answer.json()["type"]) == (422, f"urn:broadcasts:problem:{code}"), body
    refused = (await posted(api, "chat_id,salary\n1,2\n")).json()
    assert (refused["columns"], "department" in refused["known"]) == (["salary"], True)
    assert (await people(api), (await api.http.get(PATH)).json()["items"]) == ([], [])
    assert counts(await imported(api, "chat_id,salary\n1,2\n", ignore_unknown=1)) == (1, 1, 0, 0)
    assert (await posted(api, TWO, bot="nobody")).json()["type"].endswith(":unknown_bot")


async def test_a_form_with_a_file_is_taken_too(api: Api) -> None:
    for content in (TWO, TWO + '3,"--x",\r\n'):
        files = {"file": ("Люди.csv", content.encode(), "text/csv")}
        answer = await api.http.post(PATH, params={"bot": "main"}, files=files)
        done = await ended(api, answer.headers["location"])
        assert (done["state"], done["refused"], done["file_name"]) == ("finished", 0, "Люди.csv")
    assert len(await people(api)) == 3
    nothing = await api.http.post(PATH, params={"bot": "main"}, files={"file": ("a.csv", b"", "text/csv")})
    assert nothing.json()["type"].endswith(":empty_file")


async def test_a_file_that_is_too_large_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(middleware.BODY_MAX_OF, PATH, 1_000)
    body = "chat_id\n" + "1\n" * 1_000
    assert (await posted(api, body)).status_code == 413

    async def unannounced() -> Any:
        yield body.encode()

    answer = await api.http.post(PATH, params={"bot": "main"}, content=unannounced())
    assert (answer.status_code, answer.json()["limit"]) == (413, 1_000)


async def test_twenty_thousand_rows_go_in_while_the_api_answers(api: Api) -> None:
    rows = "".join(f"{n},Имя{n},Отдел {n % 50},новый\n" for n in range(1, 20_001))
    answer = await posted(api, "chat_id,имя,отдел,теги\n" + rows)
    assert (await posted(api, TWO)).json()["type"].endswith(":import_under_way")
    assert (await api.http.get("/v1/recipients", params={"limit": 1})).status_code == 200
    done = await ended(api, answer.headers["location"], 110)
    assert (done["state"], counts(done)) == ("finished", (20_000, 20_000, 0, 0))
    preview = {"kind": "rule", "rule": {"field": "tags", "in": ["новый"]}}
    found = await api.http.post("/v1/audiences/preview", json={"bot": "main", "definition": preview})
    assert found.json()["reachable"] == 20_000


async def test_a_batch_is_taken_whole_or_not_at_all_and_what_was_done_is_said(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "BATCH", 10)
    calls = 0

    def third_fails(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        entered = enter(*arguments)
        if calls == 3:
            raise RuntimeError("the disk is full")
        return entered

    monkeypatch.setattr(adapter, "enter", third_fails)
    done = await imported(api, "chat_id\n" + "".join(f"{n}\n" for n in range(1, 36)))
    assert (done["state"], done["reason"], counts(done)) == ("failed", "RuntimeError", (20, 20, 0, 0))
    assert len(await people(api)) == 20


async def test_an_import_that_was_cut_off_is_shown_as_interrupted(api: Api) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    row = {"id": uuid4(), "bot": "main", "file_name": "", "state": "running", "started_at": long_ago}
    with api.database.write() as connection:
        connection.execute(insert(imports).values(**row, beat_at=long_ago, read=1_000, created=1_000))
    found = (await api.http.get(f"{PATH}/{row['id']}")).json()
    assert (found["state"], found["created"], found["ended_at"] is not None) == ("interrupted", 1_000, True)
    assert counts(await imported(api, TWO)) == (2, 2, 0, 0), "it keeps nobody out"
    assert (await api.http.get(f"{PATH}/{uuid4()}")).status_code == 404


async def test_a_service_that_stops_interrupts_an_import_between_two_batches(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "BATCH", 10)
    reader = Imports(api.database)

    def rows() -> Any:
        for n in range(1, 100_000):
            yield n, Person(chat_id=n)
            time.sleep(0.001)

    cleaned: list[bool] = []
    id = reader.begin(uuid4(), "main", "", ["chat_id"], rows, lambda: cleaned.append(True), 99_999)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(reader.close)
    row = reader.get(id)
    assert row is not None
    with api.database.read() as connection:
        entered = len(connection.scalars(select(recipients.c.id)).all())
    assert (row.state, row.read, cleaned) == ("interrupted", entered, [True])
    assert entered % 10 == 0
    assert entered > 0


async def test_an_export_is_harmless_in_a_spreadsheet_and_can_be_imported_again(api: Api) -> None:
    await api.people(1, last_name="=HYPERLINK(1)", department="+7", tags=["b", "a"])
    await api.http.put(
        "/v1/recipients", json={"bot": "main", "recipients": [{"external_id": "E", "last_name": 'О"Нил, "я"'}]}
    )
    answer = await api.http.get("/v1/recipients", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert (rows[0]["last_name"], rows[0]["department"], rows[0]["tags"]) == ("'=HYPERLINK(1)", "'+7", "a|b")
    before = await people(api)
    assert counts(await imported(api, answer.content)) == (2, 0, 2, 0)
    after = await people(api)
    assert [{**person, "updated_at": ""} for person in after] == [{**person, "updated_at": ""} for person in before]


async def test_many_rows_tell_how_far_they_are_and_what_was_wrong(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "BATCH", 500)
    rows = "".join(f"{'x' if n % 100 == 0 else n}\n" for n in range(1, 5_001))
    answer = await posted(api, "chat_id\n" + rows)
    seen = set()
    async with asyncio.timeout(60):
        while (found := (await api.http.get(answer.headers["location"])).json())["state"] == "running":
            assert found["read"] == found["created"] + found["updated"] + found["refused"]
            seen.add(found["read"])
            await asyncio.sleep(0.02)
    assert counts(found) == (5_000, 4_950, 0, 50)
    assert len(seen) > 2, "progress is told while it runs"
    assert [(error["row"], error["code"]) for error in found["errors"]][:2] == [
        (101, "bad_chat_id"),
        (201, "bad_chat_id"),
    ]
    assert len(found["errors"]) == 50


async def test_of_rows_with_one_chat_id_the_last_one_counts(api: Api) -> None:
    done = await imported(api, "chat_id,first_name\n1,A\n2,B\n1,C\n")
    assert (done["read"], done["refused"]) == (3, 0)
    assert [(person["chat_id"], person["first_name"]) for person in await people(api)] == [(1, "C"), (2, "B")]


async def test_groups_are_taken_where_they_are_enabled(tmp_path: Path) -> None:
    groups = open_people(_file(tmp_path, "chat_id\n-100123\n"), 0, ignore_unknown=False, groups=True)
    assert [found.chat_id for _, found in groups.rows() if isinstance(found, Person)] == [-100123]
    refused = open_people(_file(tmp_path, "chat_id\n-100123\n"), 0, ignore_unknown=False, groups=False)
    assert [found for _, found in refused.rows()] == [[Fault("chat_id", "group")]]


async def test_a_large_file_is_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    with path.open("w") as file:
        file.write("chat_id,first_name\n")
        for n in range(1, 100_001):
            file.write(f"{n},{'я' * 200}\n")
    size = path.stat().st_size
    tracemalloc.start()
    try:
        read = open_people(path, 0, ignore_unknown=False, groups=False).rows()
        for _ in range(3_000):
            next(read)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 40_000_000
    assert peak < 8_000_000, "the file itself is never in memory"


def _file(folder: Path, content: str) -> Path:
    path = folder / "some.csv"
    path.write_text(content)
    return path
