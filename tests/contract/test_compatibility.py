"""No released version is broken: by rule, each proved on a mutated schema, and by every message ever written."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from broadcast_contracts import ALL_MESSAGES, PUBLIC_MESSAGES, decode, encode
from deploy.contract.compatibility import breaks, changes
from deploy.contract.history import releases
from deploy.contract.schemas import Schema, example

CREATED: Schema = {
    "type": "object",
    "required": ["title", "mode"],
    "properties": {
        "title": {"type": "string", "maxLength": 100, "minLength": 1},
        "mode": {"$ref": "#/$defs/Mode"},
        "by": {"anyOf": [{"$ref": "#/$defs/Actor"}, {"type": "null"}], "default": None},
        "detail": {"type": "string", "default": ""},
        "people": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {
        "Mode": {"type": "string", "enum": ["html", "none"]},
        "Actor": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    },
}

Mutation = Callable[[Any], object]


def broken_by(mutate: Mutation, *, public: bool) -> list[str]:
    mutated = deepcopy(CREATED)
    mutate(mutated)
    return changes({"created": CREATED}, {"created": mutated}, {"created"} if public else set())


def holds(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, at its place."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


def field(schema: Schema, name: str) -> Schema:
    found: Schema = schema["properties"][name]
    return found


BREAKING: dict[str, tuple[Mutation, str]] = {
    "a field removed": (lambda s: s["properties"].pop("detail"), "created.detail: removed"),
    "a field renamed": (
        lambda s: s["properties"].update(subject=s["properties"].pop("title"), title2={"type": "string"}),
        "created.title: removed",
    ),
    "a nested field removed": (lambda s: s["$defs"]["Actor"]["properties"].clear(), "created.by.name: removed"),
    "a new required field": (
        lambda s: (s["properties"].update(bot={"type": "string"}), s["required"].append("bot")),
        "created.bot: new and required",
    ),
    "optional made required": (lambda s: s["required"].append("detail"), "created.detail: required, was optional"),
    "required made optional": (lambda s: s["required"].remove("title"), "created.title: optional, was required"),
    "another type": (lambda s: field(s, "title").update(type="integer"), "created.title: type changed"),
    "another type in a list": (
        lambda s: field(s, "people")["items"].update(type="string"),
        "created.people[]: type changed",
    ),
    "another type of values": (
        lambda s: field(s, "labels")["additionalProperties"].update(type="integer"),
        "created.labels{}: type changed",
    ),
    "unknown fields forbidden": (
        lambda s: s.update(additionalProperties=False),
        "created: additionalProperties changed",
    ),
    "null no longer taken": (lambda s: field(s, "by")["anyOf"].pop(), "created.by: Actor or null became Actor"),
    "null newly written": (
        lambda s: s["properties"].update(title={"anyOf": [field(s, "title"), {"type": "null"}]}),
        "created.title: one type became string or null",
    ),
    "another default": (lambda s: field(s, "detail").update(default="none"), "created.detail: default changed"),
    "a value removed": (lambda s: s["$defs"]["Mode"]["enum"].remove("html"), "created.mode: value 'html' removed"),
    "free text made an enum": (lambda s: field(s, "detail").update(enum=["a"]), "created.detail: an enum on one side"),
    "a limit lowered": (lambda s: field(s, "title").update(maxLength=50), "created.title: maxLength narrowed"),
    "a new limit": (lambda s: field(s, "people").update(maxItems=9), "created.people: maxItems narrowed"),
    "a least value raised": (
        lambda s: field(s, "people")["items"].update(minimum=2),
        "created.people[]: minimum narrowed",
    ),
    "another pattern": (lambda s: field(s, "detail").update(pattern="^a"), "created.detail: pattern changed"),
    "another format": (lambda s: field(s, "detail").update(format="uuid"), "created.detail: format changed"),
}

BREAKING_FOR_READERS: dict[str, tuple[Mutation, str]] = {
    "a value added": (lambda s: s["$defs"]["Mode"]["enum"].append("rich"), "created.mode: value 'rich' added"),
    "a limit raised": (lambda s: field(s, "title").update(maxLength=200), "created.title: maxLength widened"),
    "a limit lifted": (lambda s: field(s, "title").pop("minLength"), "created.title: minLength widened"),
}

HARMLESS: dict[str, Mutation] = {
    "a new optional field": lambda s: s["properties"].update(files={"type": "array", "default": []}),
    "other words": lambda s: (s.update(description="…", title="Drawn"), field(s, "title").update(description="…")),
    "a definition moved inline": lambda s: s["properties"].update(mode=s["$defs"].pop("Mode")),
}


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("public", [True, False], ids=["public", "private"])
def test_this_breaks_every_message(name: str, public: bool) -> None:
    mutate, said = BREAKING[name]
    assert [line for line in broken_by(mutate, public=public) if line.startswith(said)]


@pytest.mark.parametrize("name", BREAKING_FOR_READERS)
def test_this_breaks_readers_of_public_messages_and_may_happen_in_private_ones(name: str) -> None:
    mutate, said = BREAKING_FOR_READERS[name]
    assert [line for line in broken_by(mutate, public=True) if line.startswith(said)]
    assert broken_by(mutate, public=False) == []


@pytest.mark.parametrize("name", HARMLESS)
def test_this_breaks_nobody(name: str) -> None:
    assert broken_by(HARMLESS[name], public=True) == []


def test_a_type_removed_breaks_and_a_new_type_does_not() -> None:
    assert changes({"created": CREATED}, {}, set()) == ["created: removed"]
    assert changes({}, {"created": CREATED}, {"created"}) == []


def test_no_released_version_is_broken() -> None:
    assert releases()
    assert breaks() == []


def test_every_message_that_a_released_version_wrote_is_read_and_nothing_of_it_is_lost() -> None:
    kinds = {kind.type: kind for kind in ALL_MESSAGES}
    for release in releases().values():
        for type, one in release.items():
            read = decode(kinds[type], json.dumps(one["example"]).encode())
            assert holds(json.loads(encode(read)), one["example"]), type


def test_what_is_written_today_is_accepted_by_the_public_schemas_of_every_released_version() -> None:
    for release in releases().values():
        for kind in PUBLIC_MESSAGES:
            if kind.type in release:
                Draft202012Validator(release[kind.type]["schema"]).validate(example(kind))
