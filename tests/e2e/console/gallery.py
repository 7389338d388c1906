"""Every page of the console with something on it; what the services behind it would find out is said by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from sqlalchemy import insert, update

from broadcast_api.adapters.schema import batches, broadcasts, deliveries, import_errors, imports, recipients, runs
from broadcast_api.app import build
from broadcast_api.application.broadcasts import Broadcasts
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.identity import EVERYTHING, parse_roles
from broadcast_api.settings import Settings
from deploy.local.stack import free_port
from tests.support.broadcast_api import Api, Json
from tests.support.identity import bearer, identity
from tests.support.postgres import with_tables
from tests.support.serving import serving

NAMES = (
    "Анна Петрова",
    "Иван Соколов",
    "Мария Морозова",
    "Павел Орлов",
    "Дарья Лебедева",
    "Илья Фёдоров",
    "Ольга Попова",
)
DEPARTMENTS = ("Бухгалтерия", "Производство", "Логистика", "IT", "Кадры")
POSITIONS = ("специалист", "ведущий специалист", "руководитель группы")
TEXT = "Коллеги, <b>завтра в 9:00</b> учебная тревога.\nВыходите через <i>главный вход</i> — сбор у ворот."
PEOPLE = 400
IT = {"field": "department", "in": ["IT", "Кадры"]}
RULE: Json = {
    "all": [
        IT,
        {"any": [{"field": "position", "in": ["специалист"]}, {"field": "joined", "after": "2026-01-31"}]},
        {"not": {"any": [{"field": "kind", "in": ["contractor"]}, {"field": "language", "in": ["en"]}]}},
    ]
}
STATES = {
    "Канцелярия закрыта в понедельник": ("created", {}),
    "Учебная тревога во вторник": ("sending", {"delivered": 212, "failed": 14, "unconfirmed": 3}),
    "Опрос о столовой": ("stopped", {"delivered": 150, "failed": 9}),
    "Неверная дата корпоратива": ("recalling", {"delivered": 391, "failed": 9, "recalled": 240, "unrecalled": 2}),
    "График отпусков на лето": ("sent", {"delivered": 383, "failed": 15, "unconfirmed": 2}),
}
REFUSALS = ("blocked", "blocked", "not_started", "deactivated", "refused")


class Gallery:
    """`paths` names the pages; `api_url` is where they are."""

    def __init__(self, api_url: str, database_url: str) -> None:
        self.api_url, self.database_url = api_url, database_url
        self.paths: dict[str, str] = {}


def database_of(folder: Path) -> str:
    """Where one of them keeps its rows."""
    return f"sqlite:///{folder}/broadcasts.db"


@contextlib.asynccontextmanager
async def gallery(folder: Path) -> AsyncIterator[Gallery]:
    """Served over real HTTP until the end; an empty one beside it is at `empty`."""
    async with (
        served(folder / "full", approval_above=PEOPLE // 2) as (full, api),
        served(folder / "empty", api) as (empty, _),
    ):
        shown = Gallery(full, database_of(folder / "full"))
        shown.paths = {"list-empty": f"{empty}/broadcasts", "people-empty": f"{empty}/people"}
        shown.paths |= {name: full + path for name, path in (await _fill(api)).items()}
        yield shown


@contextlib.asynccontextmanager
async def served(folder: Path, known: Api | None = None, **settings: Any) -> AsyncIterator[tuple[str, Api]]:
    """`known` is one that knows who signed in: cookies are the same for every port."""
    await asyncio.to_thread(folder.mkdir)
    stores = {"database_url": with_tables(database_of(folder)), "event_store": f"sqlite:///{folder}/events.db"}
    app = build(Settings(**{**stores, "usernames": {"main": "company_bot"}, **settings}))
    if known is not None:
        app.state.services = replace(app.state.services, identity=identity(known.app))
    port = free_port()
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    async with serving(config):
        opened = bearer(app, name="Анна Петрова", position="Отдел кадров")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=opened) as http:
            yield f"http://127.0.0.1:{port}", Api(http, app)


async def _fill(api: Api) -> dict[str, str]:
    await _people(api)
    everyone = (await api.audience(name="Все сотрудники и подрядчики"))["id"]
    await api.audience({"kind": "attributes", "where": {"department": ["IT", "Логистика"]}}, name="IT и логистика")
    rule = (await api.audience({"kind": "rule", "rule": RULE}, name="IT и кадры без подрядчиков"))["id"]
    paths = {"list": "/broadcasts", "form": "/broadcasts/new", "audiences": "/audiences", "rules": f"/audiences/{rule}"}
    for minutes, (name, (state, counts)) in enumerate(reversed(STATES.items())):
        draft = {"bot": "main", "name": name, "text": TEXT, "parse_mode": "HTML", "audience_id": everyone}
        id = (await api.http.post("/v1/broadcasts", json=draft)).json()["id"]
        paths[f"broadcast-{state}"] = f"/broadcasts/{id}"
        if state != "created":
            _approve(api, UUID(id))
            await api.http.post(f"/v1/broadcasts/{id}/send")
            api.runs.record_frozen(UUID(id), 1, PEOPLE, 5)
            _run(api, id, state, counts, datetime.now(UTC) - timedelta(hours=5 - minutes))
    created = paths["broadcast-created"]
    paths |= {"edit": f"{created}/edit", "ask-send": f"{created}/send", "ask-approve": f"{created}/approve"}
    paths |= {"people": "/people", "import": "/people/import", "invite": "/people/invite", "audit": "/audit"}
    return paths | _keys(api) | _imports(api)


def _keys(api: Api) -> dict[str, str]:
    """Beside the one that made all this: one of a single bot, and one that was revoked."""
    keys = identity(api.app).keys
    revoked, _ = keys.create("Старая выгрузка", "", parse_roles("*=viewer"), "Борис Орлов", 30)
    keys.revoke(revoked)
    id, _ = keys.create("Кадровая программа", "", parse_roles("main=author+sender"), "Анна Петрова", 90)
    return {"keys": "/people/keys", "ask-revoke": f"/people/keys/{id}/revoke"}


def _approve(api: Api, id: UUID) -> None:
    broadcasts: Broadcasts = api.app.state.services.broadcasts
    boris = Call(Actor("Борис Орлов", "Директор", "local:boris"), scope=EVERYTHING)
    broadcasts.approve(id, broadcasts.standing(id).subject.digest, boris)


async def _people(api: Api) -> None:
    people = []
    for n in range(PEOPLE):
        first, last = NAMES[n % len(NAMES)].split()
        person: Json = {"chat_id": 5_000 + n, "first_name": first, "last_name": last, "username": f"person_{n}"}
        person |= {
            "department": DEPARTMENTS[n % 5],
            "position": POSITIONS[n % 3],
            "language": "en" if n % 9 == 0 else "ru",
        }
        people.append({**person, "kind": "contractor" if n % 7 == 0 else "employee"})
    invited = {"external_id": "T-17", "first_name": "Светлана", "last_name": "Павлова", "department": "Кадры"}
    await api.http.put("/v1/recipients", json={"bot": "main", "recipients": [invited, *people]})
    with api.database.write() as connection:
        connection.execute(update(recipients).where(recipients.c.chat_id % 40 == 7).values(status="blocked"))


def _run(api: Api, id: str, state: str, counts: dict[str, int], began: datetime) -> None:
    """As the projection would have left it."""
    with api.database.write() as connection:
        of_run = (runs.c.broadcast_id == UUID(id)) & (runs.c.run == 1)
        run_id = connection.execute(runs.select().where(of_run)).one().id
        connection.execute(
            update(runs).where(of_run).values(**counts, total=PEOPLE, size=PEOPLE - 5, frozen=True, state=state)
        )
        status: dict[str, Any] = {"status": state, "sent_at": began}
        connection.execute(update(broadcasts).where(broadcasts.c.id == UUID(id)).values(status))
        tried = [
            *["delivered"] * counts["delivered"],
            *(REFUSALS[n % len(REFUSALS)] for n in range(counts["failed"] - 5)),
            *["unconfirmed"] * counts.get("unconfirmed", 0),
        ]
        spread: list[str | None] = [tried[n * 37 % len(tried)] for n in range(len(tried))]
        spread += [None] * (PEOPLE - 5 - len(spread))
        first = int(began.timestamp())
        rows = [
            {
                "run_id": run_id,
                "position": n,
                "recipient_id": n + 2,
                "chat_id": 5_000 + n,
                "outcome": outcome,
                "reason": "Bad Request: chat not found" if outcome == "refused" else None,
                "sent_at": first + n // 3 if outcome else None,
            }
            for n, outcome in enumerate(spread)
        ]
        connection.execute(insert(deliveries), rows)
        kinds = {"delivered": 0, "unconfirmed": 2}
        timeline: dict[str, list[int]] = {}
        for n, outcome in enumerate(spread):
            if outcome:
                timeline.setdefault(str((first + n // 3) // 5), [0, 0, 0])[kinds.get(outcome, 1)] += 1
        batch = {"run_id": run_id, "batch": 0, "size": PEOPLE - 5, "version": 1, "timeline": timeline}
        connection.execute(insert(batches).values(batch))


def _imports(api: Api) -> dict[str, str]:
    """One that is read just now, and one that was read with faults."""
    now = datetime.now(UTC)
    running, finished = uuid4(), uuid4()
    row = {"bot": "main", "started_at": now, "beat_at": now + timedelta(hours=1), "total": 12_000}
    with api.database.write() as connection:
        now_read = {"read": 7_000, "created": 420, "updated": 6_571, "refused": 9}
        then_read = {"read": 12_000, "created": 640, "updated": 11_355, "refused": 5}
        connection.execute(
            insert(imports),
            [
                {"id": running, "file_name": "сотрудники-ноябрь.csv", "state": "running", **row, **now_read},
                {"id": finished, "file_name": "подрядчики.csv", "state": "finished", **row, **then_read},
            ],
        )
        codes = ("bad_date", "unknown_value", "not_identified", "bad_chat_id", "too_long")
        columns = ("joined_at", "kind", "", "chat_id", "department")
        faults = [
            {"import_id": finished, "row": 90 * n + 17, "column": column, "code": code}
            for n, (column, code) in enumerate(zip(columns, codes, strict=True))
        ]
        connection.execute(insert(import_errors), faults)
    return {"import-running": f"/people/imports/{running}", "import-finished": f"/people/imports/{finished}"}
