"""Who is in an audience, as the form has it and as a sentence says it; HTTP v1 has the same as a definition."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from broadcast_api.domain.audience import ATTRIBUTES
from broadcast_api.domain.errors import BadDefinition
from broadcast_api.domain.rules import FIELDS
from broadcast_api.entrypoints.console import rule_form
from broadcast_api.entrypoints.console.forms import Form
from broadcast_api.entrypoints.console.rule_form import EMPTY, Group, rule_of, tree_of
from broadcast_api.entrypoints.console.wording import ATTRIBUTES as LABELS
from broadcast_api.entrypoints.console.wording import VALUES
from broadcast_api.entrypoints.console.words import Words
from broadcast_api.entrypoints.http.audiences import AnyDefinition, PreviewRequest

SHOWN_FIELDS = ("department", "position", "kind", "language", "tags")
SHOWN_VALUES = 6

assert set(SHOWN_FIELDS) == set(FIELDS)


@dataclass(frozen=True, slots=True)
class Draft:
    """An audience as the form has it. `where` holds the chosen values of each field, `tree` a rule of any shape."""

    bot: str
    name: str = ""
    by: str = "attributes"
    where: dict[str, list[str]] = field(default_factory=dict)
    after: str = ""
    before: str = ""
    members: list[int] = field(default_factory=list)
    tree: Group = EMPTY
    version: int | None = None

    def definition(self) -> AnyDefinition:
        """As HTTP v1 checks it; raises `BadDefinition`."""
        try:
            body = {"bot": self.bot, "definition": self._stated()}
            return PreviewRequest.model_validate(body).definition
        except ValidationError as error:
            raise BadDefinition("nobody_chosen", "") from error

    def _stated(self) -> dict[str, Any]:
        if self.by == "everyone":
            return {"kind": "everyone"}
        if self.by == "list":
            return {"kind": "list", "recipient_ids": self.members}
        if self.by == "rule":
            return {"kind": "rule", "rule": rule_of(self.tree)}
        joined = {name: day for name, day in (("after", self.after), ("before", self.before)) if day}
        if not joined and not self.where:
            raise BadDefinition("nobody_chosen", "")
        if not joined and self.where.keys() <= set(ATTRIBUTES):
            return {"kind": "attributes", "where": self.where}
        parts: list[dict[str, Any]] = [{"field": name, "in": values} for name, values in self.where.items()]
        return {"kind": "rule", "rule": {"all": [*parts, *([{"field": "joined", **joined}] if joined else [])]}}


def drafted(form: Form) -> Draft:
    """What was filled in."""
    return Draft(
        bot=form.one("bot"),
        name=form.one("name"),
        by=form.one("by"),
        where={name: values for name in SHOWN_FIELDS if (values := form.all(name))},
        after=form.one("joined_after"),
        before=form.one("joined_before"),
        members=[int(id) for id in form.all("member") if id.isdecimal() and len(id) < 19],
        tree=rule_form.read(form),
        version=form.version,
    )


def stored(row: Any, members: list[int]) -> Draft:
    """An audience that there is. A rule that says more than attributes can opens in the builder."""
    fixed: dict[str, Any] = {"bot": row.bot, "name": row.name, "version": row.version}
    match row.definition:
        case {"kind": "attributes", "where": where}:
            return Draft(**fixed, where=where)
        case {"kind": "rule", "rule": rule}:
            simple = _simple(rule)
            tree = tree_of(rule)
            return Draft(**fixed, **simple, tree=tree) if simple else Draft(**fixed, by="rule", tree=tree)
        case {"kind": kind}:
            return Draft(**fixed, by=kind, members=members)
    raise ValueError(f"an audience of an unknown kind: {row.definition}")


def _simple(rule: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of a draft, where each attribute has to match once."""
    where: dict[str, list[str]] = {}
    joined: dict[Any, Any] = {}
    for part in rule.get("all", [rule]):
        match part:
            case {"field": "joined", **bounds} if not joined:
                joined = bounds
            case {"field": name, "in": values} if name not in where:
                where[name] = values
            case _:
                return None
    return {"where": where, "after": joined.get("after", ""), "before": joined.get("before", "")}


def described(definition: dict[str, Any], words: Words) -> str:
    """Who is in it, in a sentence."""
    match definition:
        case {"kind": "everyone"}:
            return words.gettext("Everyone connected to the bot")
        case {"kind": "list"}:
            return words.gettext("A list of people")
        case {"kind": "attributes", "where": where}:
            return _sentence({"all": [{"field": name, "in": values} for name, values in where.items()]}, words)
        case {"rule": rule}:
            return _sentence(rule, words)
    return ""


def _inside(rule: dict[str, Any], words: Words) -> str:
    """A part of several that must match: what has alternatives stands in brackets."""
    said = _sentence(rule, words)
    return f"({said})" if len(rule.get("any", ())) > 1 else said


def _sentence(rule: dict[str, Any], words: Words) -> str:
    match rule:
        case {"all": parts}:
            return "; ".join(_inside(part, words) for part in parts)
        case {"any": parts}:
            return words.gettext(" or ").join(
                f"({_sentence(part, words)})" if "all" in part else _sentence(part, words) for part in parts
            )
        case {"not": inner}:
            return words.gettext("except (%(rule)s)") % {"rule": _sentence(inner, words)}
        case {"field": "joined", **bounds}:
            after, before = bounds.get("after"), bounds.get("before")
            since = [words.gettext("since %(day)s") % {"day": words.day(after)}] if after else []
            until = [words.gettext("before %(day)s") % {"day": words.day(before)}] if before else []
            return f"{words.gettext('Joined')}: {' '.join(since + until)}"
        case {"field": name, "in": values}:
            named = [words.gettext(VALUES[value]) if value in VALUES else value for value in values[:SHOWN_VALUES]]
            more = "…" if len(values) > SHOWN_VALUES else ""
            return f"{words.gettext(LABELS[name])}: {', '.join(named)}{more}"
        case _:
            return words.gettext("another audience")
