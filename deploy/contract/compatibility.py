"""What may change in a message of a released version, and what may not.

Two promises. *Stored*: whatever an earlier version wrote is read today (streams keep messages for 30 days). *Reader*:
whatever is written today is read by the code of an earlier version (subscribers upgrade when they like). Private
messages owe their earlier readers less: our own services are upgraded before anything new is written, so there a value
or a limit may widen.

| change | public | private |
|---|---|---|
| a type or a field removed or renamed | breaks | breaks |
| another type, or a type wider or narrower (null included) | breaks | breaks |
| a new required field; required made optional, or the reverse | breaks | breaks |
| another default: it says what an absent field means | breaks | breaks |
| an enum value removed; a limit narrowed | breaks | breaks |
| an enum value added; a limit widened | breaks: a new type | allowed |
| a new optional field, a new type, other descriptions | allowed | allowed |
"""

from collections.abc import Iterator, Mapping
from typing import Any

from broadcast_contracts import PUBLIC_MESSAGES
from deploy.contract.history import releases
from deploy.contract.schemas import Schema, schemas

WORDS = {"title", "description", "examples", "$schema", "$id", "$defs", "$ref"}
"""What a validator does not look at, or what is followed rather than compared."""

LOWEST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
HIGHEST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
PARTS = {"properties", "required", "items", "additionalProperties", "anyOf", "enum"}


def breaks() -> list[str]:
    """Every way in which today's schemas break a released version, one line each."""
    public = {kind.type for kind in PUBLIC_MESSAGES}
    return [
        f"{version}: {broken}"
        for version, release in releases().items()
        for broken in changes({type: one["schema"] for type, one in release.items()}, schemas(), public)
    ]


def changes(old: Mapping[str, Schema], new: Mapping[str, Schema], public: set[str]) -> list[str]:
    """The breaking changes from the messages `old` to `new`, by type; `public` names the types that others read."""
    broken = [f"{type}: removed" for type in old if type not in new]
    for type in old.keys() & new.keys():
        broken += (
            f"{type}{change}" for change in _compare(old[type], new[type], _Pair(old[type], new[type], type in public))
        )
    return sorted(broken)


class _Pair:
    """The two documents that references are looked up in."""

    def __init__(self, old: Schema, new: Schema, public: bool) -> None:
        self.old, self.new, self.public = old, new, public

    def follow(self, old: Schema, new: Schema) -> tuple[Schema, Schema]:
        return _followed(old, self.old), _followed(new, self.new)


def _followed(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        around = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**document["$defs"][schema["$ref"].removeprefix("#/$defs/")], **around}
    return schema


def _compare(old: Schema, new: Schema, pair: _Pair) -> Iterator[str]:
    old, new = pair.follow(old, new)
    yield from _fields(old, new, pair)
    yield from _parts(old, new, pair)
    yield from _values(old, new, pair)
    for key in sorted((old.keys() | new.keys()) - WORDS - PARTS):
        yield from _keyword(key, old.get(key), new.get(key), pair)


def _fields(old: Schema, new: Schema, pair: _Pair) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required, requires = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() - after.keys()):
        yield f".{name}: removed"
    for name in sorted(requires - before.keys()):
        yield f".{name}: new and required"
    for name in sorted(before.keys() & after.keys()):
        if name in requires - required:
            yield f".{name}: required, was optional"
        if name in required - requires:
            yield f".{name}: optional, was required"
        yield from (f".{name}{change}" for change in _compare(before[name], after[name], pair))


def _parts(old: Schema, new: Schema, pair: _Pair) -> Iterator[str]:
    for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from (f"{sign}{change}" for change in _compare(before, after, pair))
        elif before != after:
            yield f": {key} changed"
    before, after = ({_sort(one, pair): one for one in side.get("anyOf", ())} for side in (old, new))
    if before.keys() != after.keys():
        yield f": {' or '.join(before) or 'one type'} became {' or '.join(after) or 'one type'}"
        return
    for sort in before:
        yield from _compare(before[sort], after[sort], pair)


def _sort(schema: Schema, pair: _Pair) -> str:
    """What tells the alternatives of an anyOf apart."""
    return str(schema.get("$ref", schema.get("type"))).rpartition("/")[2]


def _values(old: Schema, new: Schema, pair: _Pair) -> Iterator[str]:
    if "enum" not in old and "enum" not in new:
        return
    if "enum" not in old or "enum" not in new:
        yield ": an enum on one side only"
        return
    for value in old["enum"]:
        if value not in new["enum"]:
            yield f": value {value!r} removed"
    if pair.public:
        yield from (
            f": value {value!r} added, which earlier readers refuse"
            for value in new["enum"]
            if value not in old["enum"]
        )


def _keyword(key: str, old: Any, new: Any, pair: _Pair) -> Iterator[str]:
    if old == new:
        return
    if key in LOWEST | HIGHEST:
        narrower = new is not None and (old is None or (new > old if key in LOWEST else new < old))
        if narrower:
            yield f": {key} narrowed from {old} to {new}"
        elif pair.public:
            yield f": {key} widened from {old} to {new}, which earlier readers refuse"
    else:
        yield f": {key} changed from {old!r} to {new!r}"
