"""Who did what is on record, is shown to administrators alone, and can be exported so that a change is noticed."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, text

from broadcast_api import __main__
from broadcast_api.application.audit_chain import check
from tests.integration.identity.conftest import Browser, Build, client
from tests.support.broadcast_api import Api
from tests.support.identity import bearer, sign_in


@pytest.fixture
async def app(built: Build, database_url: str, event_store_url: str) -> AsyncIterator[FastAPI]:
    """On each engine in turn."""
    app = built(database_url=database_url, event_store=event_store_url)
    async with app.router.lifespan_context(app):
        yield app


async def lines(api: Api, roles: str = "*=admin", **query: str) -> list[str]:
    async with client(api.app, bearer(api.app, roles)) as http:
        answer = await http.get("/v1/audit/export", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text.splitlines(keepends=True)


async def whats(api: Api, **query: str) -> list[str]:
    answer = await api.http.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["what"] for entry in answer.json()["items"]]


async def test_every_kind_of_act_is_on_record_newest_first(api: Api) -> None:
    (person,) = await api.people(77)
    await api.http.patch(f"/v1/recipients/{person}", json={"first_name": "Тайна"})
    await api.http.delete(f"/v1/recipients/{person}", params={"erase": True})
    await api.http.post("/v1/recipients/imports", params={"bot": "main"}, content="chat_id\n78\n")
    await api.broadcast()
    assert await whats(api) == [
        "broadcast.created",
        "audience.created",
        "import.started",
        "person.erased",
        "person.changed",
        "people.entered",
    ]
    assert "Тайна" not in "".join(await lines(api))


async def test_the_audit_is_searched_by_person_object_and_time_and_read_in_pages(api: Api) -> None:
    id = await api.in_state("sent")
    async with client(api.app, bearer(api.app, name="Иванова")) as http:
        await http.post(f"/v1/broadcasts/{id}/recall")
    assert await whats(api, person="иванов") == ["broadcast.recall_requested"]
    assert len(await whats(api, subject=id)) == 5
    assert await whats(api, until="2020-01-01T00:00:00Z") == []
    everything = await whats(api)
    assert await whats(api, since="2020-01-01T00:00:00+03:00") == everything
    first = (await api.http.get("/v1/audit", params={"limit": 3})).json()
    assert [entry["what"] for entry in first["items"]] == everything[:3]
    assert await whats(api, cursor=first["next"]) == everything[3:]
    named = (await api.http.get("/v1/audit", params={"subject": id})).json()["items"]
    assert {(entry["title"], entry["bot"]) for entry in named} == {("Собрание", "main")}


async def test_an_administrator_of_one_bot_sees_nothing_of_another(api: Api) -> None:
    await api.broadcast(bot="other", audience_id=(await api.audience(bot="other"))["id"])
    await api.audience()
    async with client(api.app, bearer(api.app, "main=admin")) as http:
        items = (await http.get("/v1/audit")).json()["items"]
    assert [entry["what"] for entry in items] == ["audience.created"]
    assert check(await lines(api, "main=admin")).number
    assert not any('"other"' in line for line in await lines(api, "main=admin"))


async def test_a_later_export_joins_the_earlier_one(api: Api) -> None:
    await api.broadcast()
    earlier = await lines(api)
    end = check(earlier)
    await api.broadcast()
    later = await lines(api, after=str(end.number), previous=end.hash)
    assert check([*earlier, *later]).number > end.number


async def test_the_console_shows_the_audit_to_administrators_alone(api: Api, browser: Browser) -> None:
    id = await api.in_state("sent")
    admin, author = browser(api.app), browser(api.app)
    sign_in(admin.http, api.app, "main=admin")
    sign_in(author.http, api.app, "main=author")
    page = await admin.open("/audit", **{"Accept-Language": "ru"})
    assert all(words in page.text for words in ("Журнал действий", "Отправка начата", "Собрание"))
    assert f"/broadcasts/{id}" in page.links()
    assert "/audit" in page.links()
    assert (await admin.open("/audit?since=not-a-day&person=nobody")).status == 200
    assert (await author.open("/audit")).status == 403
    assert "/audit" not in (await author.open("/broadcasts")).links()
    assert check((await admin.open("/audit/export")).raw.splitlines(keepends=True)).number


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, object]:
    """The command in this process: what it prints, and what it exits with."""
    monkeypatch.setattr(sys, "argv", ["broadcast_api", *map(str, arguments)])
    monkeypatch.setattr(__main__, "log_json", lambda _: None)
    code: object = 0
    try:
        __main__.main()
    except SystemExit as error:
        code = error.code
    return capsys.readouterr().out, code


@pytest.fixture
def environment(app: FastAPI, database_url: str, event_store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROADCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("BROADCAST_EVENT_STORE", event_store_url)


@pytest.mark.usefixtures("environment")
def test_what_is_done_by_command_to_accounts_and_keys_is_on_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(monkeypatch, capsys, "account", "add", "anna", "--name", "Anna", "--roles", "main=author")
    run(monkeypatch, capsys, "account", "disable", "anna")
    id, key = run(monkeypatch, capsys, "key", "create", "payroll", "--roles", "*=viewer")[0].split()
    run(monkeypatch, capsys, "key", "revoke", id)
    run(monkeypatch, capsys, "key", "list")
    out, code = run(monkeypatch, capsys, "audit", "export")
    assert code == 0
    for what in ("account.added", "account.disabled", "key.created", "key.revoked"):
        assert f'"what":"{what}"' in out
    assert check(out.splitlines(keepends=True)).number == 4
    assert key not in out
    file, later = tmp_path / "audit.ndjson", tmp_path / "later.ndjson"
    file.write_text(out)
    run(monkeypatch, capsys, "account", "enable", "anna")
    later.write_text(run(monkeypatch, capsys, "audit", "export", "--after", file)[0])
    assert run(monkeypatch, capsys, "audit", "verify", "--log", file, later)[1] == 0
    file.write_text(out.replace("Anna", "Emma"))
    assert run(monkeypatch, capsys, "audit", "verify", file)[1] == f"{file}: line 2: was changed"


@pytest.mark.usefixtures("environment")
async def test_the_list_of_keys_says_which_are_used_and_on_which_day(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client(app, bearer(app, name="payroll")) as http:
        bearer(app, name="forgotten")
        for said in ("never used", r"used \d{4}-\d\d-\d\d"):
            listed = [line.split("\t") for line in run(monkeypatch, capsys, "key", "list")[0].splitlines()]
            used = {line[1]: line[-1] for line in listed}
            assert re.fullmatch(said, used["payroll"])
            assert used["forgotten"] == "never used"
            await http.get("/v1/bots")


@pytest.mark.usefixtures("environment")
async def test_a_command_signs_somebody_out_everywhere_and_nobody_else(
    app: FastAPI, browser: Browser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also whom a provider signed in, whose account is not here to be disabled."""
    at_work, at_home, boris = browser(app), browser(app), browser(app)
    for reader in (at_work, at_home):
        sign_in(reader.http, app, "main=author", id="oidc:4711", name="Анна Петрова")
    sign_in(boris.http, app, "main=author", id="oidc:4712", name="Борис")
    listed = run(monkeypatch, capsys, "session", "list")[0].splitlines()
    assert [line.split("\t")[:4] for line in listed] == [
        *[["oidc:4711", "Анна Петрова", "", "main=author"]] * 2,
        ["oidc:4712", "Борис", "", "main=author"],
    ]
    assert run(monkeypatch, capsys, "session", "end", "oidc:4711") == ("", 0)
    paths = [(await reader.open("/broadcasts")).path for reader in (at_work, at_home, boris)]
    assert paths == ["/sign-in", "/sign-in", "/broadcasts"]
    assert run(monkeypatch, capsys, "session", "end", "oidc:4711")[1] == "oidc:4711 is not signed in"
    exported = run(monkeypatch, capsys, "audit", "export")[0]
    assert (exported.count('"what":"session.ended"'), exported.count('"id":"oidc:4711"')) == (2, 2)


TEXT = "Come to the gate"


def forge(event_store_url: str) -> int:
    """Change `TEXT` in every event that holds it, as an administrator of the database can; answers how many events."""
    engine = create_engine(event_store_url.replace("postgresql://", "postgresql+psycopg://"))
    table, words, stored = "broadcasts_events", "convert_from(state, 'UTF8')", "convert_to({}, 'UTF8')"
    if engine.dialect.name == "sqlite":
        table, words, stored = "stored_events", "CAST(state AS TEXT)", "CAST({} AS BLOB)"
    forged = stored.format(f"REPLACE({words}, '{TEXT}', 'Stay at home')")
    with engine.begin() as events:
        changed = events.execute(text(f"UPDATE {table} SET state = {forged} WHERE {words} LIKE '%{TEXT}%'"))
    engine.dispose()
    return int(changed.rowcount)


@pytest.mark.usefixtures("environment")
async def test_a_log_that_was_changed_after_an_export_is_found(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    event_store_url: str,
) -> None:
    await api.broadcast(text=TEXT)
    file = tmp_path / "audit.ndjson"
    file.write_text("".join(await lines(api)))
    assert run(monkeypatch, capsys, "audit", "verify", "--log", file)[1] == 0
    assert forge(event_store_url) == 1
    _, code = run(monkeypatch, capsys, "audit", "verify", "--log", file)
    assert code == f"{file}: line 3: the event log says something else"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", ["audit export", "policies"])
def test_a_command_whose_reader_has_gone_ends_without_a_word(app: FastAPI, command: str) -> None:
    bearer(app)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        arguments = [sys.executable, "-m", "broadcast_api", *command.split()]
        ended = subprocess.run(arguments, stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (141, b"")
