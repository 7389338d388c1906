"""`make migration NAME="a column for …"`: the next revision of the SQL tables, from what the code says they are.

It is compared on SQLite: what only PostgreSQL has must be written by hand. Read what came out before you commit it.
"""

import sys
import tempfile

from alembic import command

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.migrate import alembic, migrate
from broadcast_api.adapters.schema_version import NEEDED


def main() -> None:
    """The words are the arguments."""
    words = " ".join(sys.argv[1:])
    if not words:
        sys.exit('say what changes: make migration NAME="a column for …"')
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/tables.db"
        migrate(url)
        database = Database(url)
        with database.engine.connect() as connection:
            command.revision(alembic(connection), words, autogenerate=True, rev_id=f"{int(NEEDED) + 1:04}")
        database.close()


if __name__ == "__main__":
    main()
