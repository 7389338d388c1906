"""The grammar of rules: who belongs to an audience, as JSON that can be read aloud.

    R = {"all": [R, …]}                                    everybody who matches all of them
      | {"any": [R, …]}                                    … at least one of them
      | {"not": R}                                         … who does not match it
      | {"field": "department", "in": ["IT", …]}           kind, department, position, language or tags
      | {"field": "joined", "after": D, "before": D}       from the day D on, before the day D (UTC); one will do
      | {"audience": id}                                   whoever is in another audience of the same bot

Two more forms are never written by people: `{"ids": [n, …]}`, directory ids, stands for a list once a rule is resolved,
and `{"all": []}` for everybody.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import UUID

from broadcast_api.domain.errors import BadDefinition

Rule = dict[str, Any]

FIELDS = ("kind", "department", "position", "language", "tags")
DEPTH_MAX = 8
NODES_MAX = 200
VALUES_MAX = 500
VALUE_LENGTH_MAX = 256

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

EVERYBODY: Rule = {"all": []}
NOBODY: Rule = {"any": []}


def check(rule: Any) -> None:
    """Raises `BadDefinition` that says where and why, unless the rule can be read."""
    for count, (node, path, depth) in enumerate(_walk(rule, "rule", 1), 1):
        if count > NODES_MAX:
            raise BadDefinition("too_many_parts", "rule", most=NODES_MAX)
        if depth > DEPTH_MAX:
            raise BadDefinition("too_deep", path, most=DEPTH_MAX)
        _check_node(node, path)


def references(rule: Rule) -> Iterator[tuple[UUID, str]]:
    """The other audiences that a checked rule names, each with its path."""
    for node, path, _ in _walk(rule, "rule", 1):
        if "audience" in node:
            yield UUID(node["audience"]), path


def expand(rule: Rule, resolved: Callable[[UUID, str], Rule], path: str = "rule") -> Rule:
    """The rule with what `resolved(id, path)` answers in place of each other audience."""
    match rule:
        case {"audience": id}:
            return resolved(UUID(id), path)
        case {"not": inner}:
            return {"not": expand(inner, resolved, f"{path}/not")}
        case {"all": parts} | {"any": parts}:
            key = next(iter(rule))
            return {key: [expand(part, resolved, f"{path}/{key}/{n}") for n, part in enumerate(parts)]}
    return rule


def size(rule: Rule) -> int:
    """How many parts it has."""
    return sum(1 for _ in _walk(rule, "rule", 1))


def of_attributes(where: dict[str, list[str]]) -> Rule:
    """All the given attributes match, each by any of its values."""
    return {"all": [{"field": field, "in": values} for field, values in sorted(where.items())]}


def _walk(node: Any, path: str, depth: int) -> Iterator[tuple[Any, str, int]]:
    """Every part before the parts in it. Stops below `DEPTH_MAX`, which whoever checks has refused by then."""
    yield node, path, depth
    if not isinstance(node, dict) or depth > DEPTH_MAX:
        return
    for key in ("all", "any"):
        parts = node.get(key)
        for n, part in enumerate(parts if isinstance(parts, list) else []):
            yield from _walk(part, f"{path}/{key}/{n}", depth + 1)
    if "not" in node:
        yield from _walk(node["not"], f"{path}/not", depth + 1)


def _check_node(node: Any, path: str) -> None:
    match node:
        case {"all": list(parts), **rest} | {"any": list(parts), **rest} if not rest:
            if not parts:
                raise BadDefinition("no_parts", path)
        case {"not": dict(), **rest} if not rest:
            pass
        case {"field": "joined", **bounds} if bounds and bounds.keys() <= {"before", "after"}:
            for name, bound in bounds.items():
                _check_date(bound, f"{path}/{name}")
        case {"field": str(field), "in": list(values), **rest} if not rest:
            if field not in FIELDS:
                raise BadDefinition("unknown_field", path, field=field[:40], known=[*FIELDS, "joined"])
            _check_values(values, f"{path}/in")
        case {"audience": str(id), **rest} if not rest:
            if not _UUID.fullmatch(id):
                raise BadDefinition("not_an_id", path)
        case _:
            raise BadDefinition("unknown_form", path)


def _check_date(bound: Any, path: str) -> None:
    try:
        date.fromisoformat(bound)
    except (ValueError, TypeError):
        raise BadDefinition("not_a_day", path) from None


def _check_values(values: list[Any], path: str) -> None:
    if not 1 <= len(values) <= VALUES_MAX:
        raise BadDefinition("number_of_values", path, most=VALUES_MAX)
    for n, value in enumerate(values):
        if not isinstance(value, str) or not 1 <= len(value) <= VALUE_LENGTH_MAX or not _storable(value):
            raise BadDefinition("not_a_value", f"{path}/{n}", most=VALUE_LENGTH_MAX)


def _storable(value: str) -> bool:
    """Neither NUL, which PostgreSQL refuses, nor half a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
