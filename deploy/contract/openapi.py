"""The OpenAPI document of the HTTP API, as the running service answers it."""

import tempfile
from pathlib import Path
from typing import Any

from broadcast_api.app import build
from broadcast_api.settings import Settings


def openapi() -> dict[str, Any]:
    """Of the whole application, on an empty database that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        database, events = (f"sqlite:///{Path(folder)}/{name}.db" for name in ("broadcasts", "events"))
        app = build(Settings(database_url=database, event_store=events, door={"": "off"}))
        try:
            return app.openapi()
        finally:
            app.state.services.queries._database.close()
