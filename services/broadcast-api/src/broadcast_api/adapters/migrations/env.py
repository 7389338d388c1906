"""Run by Alembic for each of its commands, on the connection that it was handed."""

from typing import Any

from alembic import context
from sqlalchemy import Connection

from broadcast_api.adapters.identity_schema import metadata

connection: Connection = context.config.attributes["connection"]


def _is_of_this_engine(thing: Any, *_: object) -> bool:
    """What only the other engine has is no difference."""
    return bool(thing.info.get("only_on", connection.dialect.name) == connection.dialect.name)


context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=_is_of_this_engine,
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
