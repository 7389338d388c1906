"""Who is in an audience, as a SQL condition over the directory."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, true

from broadcast_api.adapters.schema import audience_members, recipients
from broadcast_api.domain.audience import Definition


def condition(audience_id: UUID, definition: Definition) -> ColumnElement[bool]:
    """Everybody in the audience, reachable or not. The caller adds the bot and, where it matters, the status."""
    match definition:
        case {"kind": "everyone"}:
            return true()
        case {"kind": "list"}:
            members = select(audience_members.c.recipient_id).where(audience_members.c.audience_id == audience_id)
            return recipients.c.id.in_(members)
        case {"kind": "attributes", "where": dict(where)}:
            return and_(*(recipients.c[attribute].in_(values) for attribute, values in sorted(where.items())))
        case _:
            raise ValueError(f"an audience of an unknown kind: {definition}")
