"""Who is in an audience: its definition resolved into one rule, and the rule as a SQL condition over the directory."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, and_, bindparam, false, not_, or_, select, true

from broadcast_api.adapters.schema import audience_members, audiences, recipients
from broadcast_api.adapters.tags import tagged
from broadcast_api.domain import rules
from broadcast_api.domain.audience import Definition
from broadcast_api.domain.errors import BadDefinition
from broadcast_api.domain.rules import Rule

EXPANDED_MAX = 400
"""Parts of a rule with all the audiences in it written out: SQLite reads expressions up to 1,000 deep."""


def resolve(
    connection: Connection,
    bot: str,
    audience_id: UUID,
    definition: Definition,
    members: Sequence[int] | None = None,
    path: str = "rule",
    inside: tuple[UUID, ...] = (),
) -> Rule:
    """One rule with nothing left to look up. `members` stands for a list that is not stored (yet).

    Raises `BadDefinition` where an audience contains itself, another one is unknown, or it all is too large.
    """

    def other(id: UUID, where: str) -> Rule:
        if id in (*inside, audience_id):
            raise BadDefinition("contains_itself", where)
        found = connection.execute(select(audiences).where(audiences.c.id == id)).one_or_none()
        if found is None or found.bot != bot:
            raise BadDefinition("no_such_audience", where, bot=bot, audience_id=str(id))
        if len(inside) >= rules.DEPTH_MAX:
            raise BadDefinition("audiences_too_deep", where, most=rules.DEPTH_MAX)
        return resolve(connection, bot, id, found.definition, None, where, (*inside, audience_id))

    match definition:
        case {"kind": "everyone"}:
            return rules.EVERYBODY
        case {"kind": "list"}:
            return {"ids": sorted(set(members)) if members is not None else _members(connection, audience_id)}
        case {"kind": "attributes", "where": dict(where)}:
            return rules.of_attributes(where)
        case {"kind": "rule", "rule": dict(rule)}:
            expanded = rules.expand(rule, other, path)
            if rules.size(expanded) > EXPANDED_MAX:
                raise BadDefinition("too_many_parts_together", path, most=EXPANDED_MAX)
            return expanded
        case _:
            raise ValueError(f"an audience of an unknown kind: {definition}")


def condition(rule: Rule) -> ColumnElement[bool]:
    """Everybody who matches a resolved rule, reachable or not. The caller adds the bot and, where needed, the status.

    Nothing is ever unknown: who has no department is not in IT, and is in "not IT".
    """
    return _condition(rule, negated=False)


def _condition(rule: Rule, *, negated: bool) -> ColumnElement[bool]:
    """`not` is carried down to the fields, where a missing value can be told apart from another one."""
    match rule:
        case {"all": parts} | {"any": parts}:
            found = [_condition(part, negated=negated) for part in parts]
            return and_(true(), *found) if ("all" in rule) is not negated else or_(false(), *found)
        case {"not": inner}:
            return _condition(inner, negated=not negated)
        case {"field": "tags", "in": tags}:
            found_by_tag = tagged(tags)
            return not_(found_by_tag) if negated else found_by_tag
        case {"field": "joined"}:
            joined = _joined(rule)
            return not_(joined) if negated else joined
        case {"field": field, "in": values}:
            column: Column[Any] = recipients.c[field]
            return or_(column.is_(None), column.not_in(values)) if negated else column.in_(values)
        case {"ids": ids}:
            # Written out: a statement may have fewer parameters than a list has members.
            listed = recipients.c.id.in_(bindparam("ids", ids, unique=True, expanding=True, literal_execute=True))
            return not_(listed) if negated else listed
        case _:
            raise ValueError(f"a rule of an unknown form: {rule}")


def _joined(rule: Rule) -> ColumnElement[bool]:
    after = [recipients.c.joined_at >= _midnight(rule["after"])] if "after" in rule else []
    before = [recipients.c.joined_at < _midnight(rule["before"])] if "before" in rule else []
    return and_(true(), *after, *before)


def _midnight(day: str) -> datetime:
    found = date.fromisoformat(day)
    return datetime(found.year, found.month, found.day, tzinfo=UTC)


def _members(connection: Connection, audience_id: UUID) -> list[int]:
    query = select(audience_members.c.recipient_id).where(audience_members.c.audience_id == audience_id)
    return list(connection.scalars(query.order_by(audience_members.c.recipient_id)))
