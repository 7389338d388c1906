"""The published files say what the code does, and official tools accept them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from broadcast_contracts import ALL_MESSAGES, PUBLIC_MESSAGES, Message
from deploy.contract.files import FOLDER, stale
from deploy.contract.schemas import example

ASYNCAPI = Path(__file__).parent / "asyncapi-3.0.0.json"


def published(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def test_the_published_files_are_what_the_code_says() -> None:
    assert stale() == [], "run `make contract` and commit what it writes"


def faults_of(document: Any) -> list[str]:
    return [error.message[:200] for error in Draft7Validator(json.loads(ASYNCAPI.read_text())).iter_errors(document)]


def test_the_asyncapi_document_is_valid_by_the_official_schema() -> None:
    assert faults_of(published("asyncapi.json")) == []


def test_the_official_schema_finds_what_is_wrong() -> None:
    document = published("asyncapi.json")
    document["operations"]["publishBroadcastSentV1"]["action"] = "shout"
    assert faults_of(document)


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = published("asyncapi.json")
    for reference in _references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


@pytest.mark.parametrize("kind", PUBLIC_MESSAGES, ids=lambda kind: kind.type)
def test_the_examples_in_the_asyncapi_document_are_valid(kind: type[Message]) -> None:
    document = published("asyncapi.json")
    message = document["components"]["messages"][kind.__name__]
    for part in ("headers", "payload"):
        schema = {"allOf": [message[part]], "components": document["components"]}
        Draft7Validator(schema).validate(message["examples"][0][part])


@pytest.mark.parametrize("kind", ALL_MESSAGES, ids=lambda kind: kind.type)
def test_a_schema_is_sound_and_accepts_its_golden_example(kind: type[Message]) -> None:
    schema = published(f"schemas/{kind.type}.json")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example(kind))


def test_the_openapi_document_covers_the_commands() -> None:
    document = published("openapi.json")
    assert document["openapi"].startswith("3.1")
    for command in ("send", "stop", "resume", "recall"):
        assert "post" in document["paths"][f"/v1/broadcasts/{{id}}/{command}"]


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for one in part.values() for found in _references(one)]
    return [found for one in part for found in _references(one)] if isinstance(part, list) else []
