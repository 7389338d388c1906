"""Whatever is sent, HTTP v1 answers as its OpenAPI document says: made-up requests, sound and unsound, everywhere.

`FUZZ_EXAMPLES=300 pytest tests/contract/test_http_fuzzed.py` looks longer than every run can afford.
"""

import asyncio
import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast
from uuid import UUID

import nats
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.meta import TestPhase
from schemathesis.python import asgi
from schemathesis.specs.openapi import checks
from starlette.types import Receive, Scope, Send

from broadcast_api.app import build
from broadcast_api.settings import Settings
from broadcast_delivery.topology import ensure
from deploy.contract.files import FOLDER
from tests.support.formats import PDF
from tests.support.identity import bearer
from tests.support.nats import running_server
from tests.support.postgres import with_tables

Json = dict[str, Any]
Case: TypeAlias = schemathesis.Case[Any]

LONG = int(os.environ.get("FUZZ_EXAMPLES", "0"))
FILE = hashlib.sha256(PDF).hexdigest()
HOST = "http://testserver"
CONFORMS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def document(**more: Any) -> schemathesis.BaseSchema:
    """As published; the same requests every time."""
    config = {"seed": 1, "request-timeout": 60, **more}  # a busy machine is no fault of the answer
    config["generation"] = {"deterministic": True, "database": "none", **more.get("generation", {})}
    return schemathesis.openapi.from_path(FOLDER / "openapi.json", config=schemathesis.Config.from_dict(config))


fuzzed = document(
    generation={"max-examples": LONG or 3, "with-security-parameters": False}
)  # the key is put in by hand
briefly = document(
    generation={"max-examples": 1, "mode": "positive"},
    phases={"coverage": {"enabled": False}, "examples": {"enabled": False}},
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """With SQLite and a NATS for its files; nothing that was recorded is carried out."""
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    with running_server() as server:
        asyncio.run(prepare(server.url))
        given = Settings(
            nats_url=server.url,
            database_url=with_tables(f"sqlite:///{folder}/broadcasts.db"),
            event_store=f"sqlite:///{folder}/events.db",
            bots=("main",),
            test_wait_seconds=0.01,
            live_poll_seconds=0.05,
            heartbeat_seconds=0.2,
        )
        app = build(given)
        yield app
        with asgi.get_client(cast("asgi.ASGIApp", app)):
            asgi.shutdown_lifespans()  # begun and ended, which closes everything


async def prepare(url: str) -> None:
    """Make the place for files."""
    client = await nats.connect(url)
    await ensure(client.jetstream(), ("main",))
    await client.close()


def client(app: FastAPI) -> requests.Session:
    async def kept(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":  # schemathesis would end it after every test
            await app(scope, receive, send)

    session: requests.Session = asgi.get_client(cast("asgi.ASGIApp", kept), max_stream_events=1)
    session.trust_env = False  # no proxies are looked for: a tenth of the time
    return session


@pytest.fixture(scope="module")
def http(app: FastAPI) -> Iterator[requests.Session]:
    """Of somebody with every role."""
    with client(app) as http:
        http.headers.update(bearer(app))
        yield http


@pytest.fixture(scope="module")
def nobody(app: FastAPI) -> Iterator[requests.Session]:
    with client(app) as nobody:
        yield nobody


def asked(http: requests.Session, method: str, path: str, **how: Any) -> Json:
    answer = http.request(method, f"{HOST}/v1/{path}", **how)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    found: Json = answer.json()
    return found


@pytest.fixture(scope="module")
def imported(http: requests.Session) -> str:
    rows = "chat_id,first_name\n2001,Boris\nx,Clara\n"
    return str(asked(http, "POST", "recipients/imports?bot=main", data=rows)["id"])


@dataclass(frozen=True)
class Known:
    """What a test made for itself, so that its requests find something, and take nothing from another test."""

    draft: str
    sent: str
    audience: str
    imported: str
    person: int

    def put_into(self, case: Case) -> Case:
        """The same request, about something that is there wherever it is about something that could be."""
        path, parts = case.operation.path, case.path_parameters
        if "id" in parts and (number := number_of(parts["id"])) % 8:  # the others find nothing
            parts["id"] = self._about(path, number)
        if "attachment_id" in parts and number_of(parts["id"]) % 8:
            parts["attachment_id"] = FILE
        if "if-match" in case.headers and len(case.headers["if-match"]) % 2:
            case.headers["if-match"] = "*"
        if isinstance(case.body, dict):
            case.body = self._told(case.body)
        return case

    def _about(self, path: str, number: int) -> Any:
        kind = path.removeprefix("/v1/").partition("/{id}")[0]
        broadcast = self.sent if number % 3 == 0 else self.draft
        return {
            "broadcasts": broadcast,
            "audiences": self.audience,
            "recipients/imports": self.imported,
            "recipients": self.person,
        }[kind]

    def _told(self, body: Json) -> Json:
        told = dict(body)
        if isinstance(told.get("bot"), str) and len(told["bot"]) <= 32:
            told["bot"] = "main"
        if number_of(told.get("audience_id")):
            told["audience_id"] = self.audience
        if number_of(told.get("recipient_id")):
            told["recipient_id"] = self.person
        return told


def number_of(id: Any) -> int:
    """Of an id that could be one of ours; 0 for anything else."""
    if isinstance(id, int):
        return max(0, id) % 2**63
    try:
        return UUID(id).int
    except (ValueError, AttributeError, TypeError):
        return 0


@pytest.fixture
def known(http: requests.Session, imported: str) -> Known:
    people = [{"chat_id": 1001, "first_name": "Anna"}]
    asked(http, "PUT", "recipients", json={"bot": "main", "recipients": people})
    person = asked(http, "GET", "recipients?chat_id=1001")["items"][0]["id"]
    everyone = {"bot": "main", "name": "Everybody", "definition": {"kind": "everyone"}}
    audience = asked(http, "POST", "audiences", json=everyone)["id"]
    meeting = {"bot": "main", "name": "Meeting", "text": "Tomorrow", "audience_id": audience}
    draft, sent = (asked(http, "POST", "broadcasts", json=meeting)["id"] for _ in range(2))
    asked(http, "POST", f"broadcasts/{draft}/attachments", files={"file": ("plan.pdf", PDF)})
    asked(http, "POST", f"broadcasts/{sent}/send")
    return Known(draft, sent, audience, imported, person)


@pytest.fixture
def turn() -> Iterator[int]:
    return itertools.cycle(range(1 if LONG else 3))


@fuzzed.parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(
    case: Case, http: requests.Session, known: Known, turn: Iterator[int]
) -> None:
    assert case.meta
    if case.meta.phase.name is TestPhase.COVERAGE and next(turn):
        return  # a third of the values at every boundary is what a short run affords
    unsound = [] if case.media_type == "multipart/form-data" else [checks.negative_data_rejection]
    known.put_into(case).call_and_validate(HOST, http, headers=dict(http.headers), checks=[*CONFORMS, *unsound])


@briefly.parametrize()
def test_every_answer_to_nobody_is_as_the_document_says(case: Case, nobody: requests.Session) -> None:
    case.call_and_validate(HOST, nobody, checks=CONFORMS)
