"""A rule as a form: groups of conditions, named by where they stand: `r`, `r.0`, `r.0.2`; whatever is said in HTTP v1
can be said here and is shown again the same.

The form posts, for a group, `r.mode`; for a condition `r.0.field`, `r.0.is`, and what fits the field: `r.0.value`
(many), `r.0.more` (typed), `r.0.after`, `r.0.before`, `r.0.audience`. `r.0.was` is the field that the values are of.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from broadcast_api.domain.errors import BadDefinition
from broadcast_api.domain.rules import DEPTH_MAX, FIELDS, NODES_MAX
from broadcast_api.entrypoints.console.forms import Form

ROOT = "r"
MODES = ("all", "any", "none")
CONDITIONS = (*FIELDS, "joined", "audience")


@dataclass(frozen=True, slots=True)
class Condition:
    """One line. `negated`: whoever does not match."""

    field: str = "department"
    negated: bool = False
    values: tuple[str, ...] = ()
    after: str = ""
    before: str = ""
    audience: str = ""

    @property
    def complete(self) -> bool:
        """Whether it says anything yet."""
        return bool(self.values or self.after or self.before or self.audience)


@dataclass(frozen=True, slots=True)
class Group:
    """All, any or none of its parts match."""

    mode: str = "all"
    parts: tuple["Part", ...] = field(default=())


Part = Condition | Group
EMPTY = Group("all", (Condition(),))


def read(form: Form) -> Group:
    """What the form shows; a form without a rule shows an empty one."""
    found = _read(form, ROOT, _children(form), 1)
    return found if isinstance(found, Group) and found.parts else EMPTY


def rule_of(tree: Group) -> dict[str, Any]:
    """As HTTP v1 has it; raises `BadDefinition` where a line says nothing yet."""
    return _rule(tree)


def tree_of(rule: dict[str, Any]) -> Group:
    """A checked rule as groups and lines."""
    found = _tree(rule)
    return found if isinstance(found, Group) else Group("all", (found,))


def changed(tree: Group, act: str) -> tuple[Group, str]:
    """After one of the buttons (`condition:r.1`, `group:r`, `remove:r.0`): the tree, and the part to go on with."""
    what, _, path = act.partition(":")
    group = part_at(tree, path)
    if what in ("condition", "group", "except") and isinstance(group, Group):
        new: Part = Condition()
        if what != "condition":
            new = Group("any" if what == "group" else "none", (Condition(),))
        place = f"{path}.{len(group.parts)}"
        grown = _put(tree, path, replace(group, parts=(*group.parts, new)))
        fits = sum(1 for _ in walk(grown)) <= NODES_MAX and all(at.count(".") < DEPTH_MAX for at, _ in walk(grown))
        start = place if what == "condition" else f"{place}.0"
        return (grown, start) if fits else (tree, path)
    if what == "remove" and path != ROOT and group is not None:
        above, _, number = path.rpartition(".")
        around = part_at(tree, above)
        assert isinstance(around, Group)
        left = tuple(part for n, part in enumerate(around.parts) if n != int(number))
        if not left:
            return changed(tree, f"remove:{above}") if above != ROOT else (EMPTY, ROOT)
        return _put(tree, above, replace(around, parts=left)), above
    return tree, path if group is not None else ROOT


def part_at(tree: Group, path: str) -> Part | None:
    """The part of this name; None where there is none."""
    return dict(walk(tree)).get(path)


def walk(part: Part, path: str = ROOT) -> Iterator[tuple[str, Part]]:
    """Every part with its name."""
    yield path, part
    for n, inner in enumerate(part.parts if isinstance(part, Group) else ()):
        yield from walk(inner, f"{path}.{n}")


def _put(tree: Group, path: str, new: Group) -> Group:
    """The tree with another group in the place of this name."""
    if path == ROOT:
        return new
    above, _, number = path.rpartition(".")
    around = part_at(tree, above)
    assert isinstance(around, Group)
    n = int(number)
    return _put(tree, above, replace(around, parts=(*around.parts[:n], new, *around.parts[n + 1 :])))


def _children(form: Form) -> dict[str, list[str]]:
    """The names of the parts inside each group, in order."""
    names = {name.rpartition(".")[0] for name, _ in form.fields if name.endswith((".mode", ".field"))}
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names - {ROOT}:
        above, _, number = name.rpartition(".")
        if above.startswith(ROOT) and number.isdecimal() and len(number) < 5:
            found.setdefault(above, []).append((int(number), name))
    return {above: [name for _, name in sorted(inner)] for above, inner in found.items()}


def _read(form: Form, path: str, children: dict[str, list[str]], depth: int) -> Part:
    mode = form.one(f"{path}.mode")
    if mode or path == ROOT:
        inner = children.get(path, []) if depth <= DEPTH_MAX else []
        parts = tuple(_read(form, name, children, depth + 1) for name in inner)
        return Group(mode if mode in MODES else "all", parts)
    chosen = form.one(f"{path}.field")
    known = chosen if chosen in CONDITIONS else "department"
    negated = form.one(f"{path}.is") == "not"
    if form.one(f"{path}.was", known) != known:
        return Condition(known, negated)
    if known == "joined":
        return Condition(known, negated, after=form.one(f"{path}.after"), before=form.one(f"{path}.before"))
    if known == "audience":
        return Condition(known, negated, audience=form.one(f"{path}.audience"))
    typed = form.one(f"{path}.more").strip()
    values = dict.fromkeys([*form.all(f"{path}.value"), *([typed] if typed else [])])
    return Condition(known, negated, values=tuple(values))


def _rule(part: Part) -> dict[str, Any]:
    if isinstance(part, Condition):
        said = _said(part)
        return {"not": said} if part.negated else said
    inner = [_rule(each) for each in part.parts]
    if part.mode == "none":
        return inner[0].get("not") or {"not": inner[0]} if len(inner) == 1 else {"not": {"any": inner}}
    return inner[0] if len(inner) == 1 else {part.mode: inner}


def _said(line: Condition) -> dict[str, Any]:
    if not line.complete:
        raise BadDefinition("nobody_chosen", "")
    if line.field == "joined":
        bounds = {"after": line.after, "before": line.before}
        return {"field": "joined", **{name: day for name, day in bounds.items() if day}}
    if line.field == "audience":
        return {"audience": line.audience}
    return {"field": line.field, "in": list(line.values)}


def _tree(rule: dict[str, Any]) -> Part:
    match rule:
        case {"not": {"not": inner}}:
            return _tree(inner)
        case {"not": {"any": parts}}:
            return Group("none", tuple(_tree(part) for part in parts))
        case {"not": {"all": _} as inner}:
            return Group("none", (_tree(inner),))
        case {"not": inner}:
            line = _tree(inner)
            assert isinstance(line, Condition)
            return replace(line, negated=not line.negated)
        case {"all": parts}:
            return Group("all", tuple(_tree(part) for part in parts))
        case {"any": parts}:
            return Group("any", tuple(_tree(part) for part in parts))
        case {"audience": id}:
            return Condition("audience", audience=id)
        case {"field": "joined", **bounds}:
            return Condition("joined", after=bounds.get("after", ""), before=bounds.get("before", ""))
        case _:
            return Condition(rule["field"], values=tuple(rule["in"]))
