"""The JSON Schema of each message: what its readers accept. Fields that are not named here are to be ignored."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from broadcast_contracts import ALL_MESSAGES, Message

Schema = dict[str, Any]

LIBRARY = Path(__file__).parents[2] / "libs" / "contracts"
GOLDEN = LIBRARY / "golden"


def schema(kind: type[Message]) -> Schema:
    """One self-contained document, draft 2020-12; `$id` is its file's name."""
    found = _untitled(kind.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{kind.type}.json", **found}


def schemas() -> dict[str, Schema]:
    """The schema of every message by its type, public and private."""
    return {kind.type: schema(kind) for kind in ALL_MESSAGES}


def components(kinds: tuple[type[Message], ...]) -> dict[str, Schema]:
    """The schemas of these messages and of what they are made of, by class, to stand in one AsyncAPI document."""
    _, found = models_json_schema([(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}")
    return {name: _untitled(one) for name, one in sorted(found["$defs"].items())}


def example(kind: type[Message]) -> Any:
    """The golden file of a message; raises FileNotFoundError where `python -m tests.contract.golden` was not run."""
    return json.loads((GOLDEN / f"{kind.type}.json").read_text())


def _untitled(found: Schema) -> Schema:
    """Without the titles of fields, which repeat their names; that of the class stays, for generators of types."""
    properties = {
        name: {key: value for key, value in field.items() if key != "title"}
        for name, field in found.get("properties", {}).items()
    }
    result = {**found, "properties": properties} if properties else dict(found)
    if "$defs" in found:
        result["$defs"] = {name: _untitled(one) for name, one in found["$defs"].items()}
    return result
