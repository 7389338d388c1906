"""A connection that a client or a reverse proxy keeps."""

import asyncio
from pathlib import Path

from broadcast_api.__main__ import served
from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.postgres import with_tables
from tests.support.serving import serving

REQUEST = b"GET /livez HTTP/1.1\r\nHost: api\r\n\r\n"
CLIENTS_KEEP_SECONDS = 5
"""httpx; uvicorn by itself would close just then."""


async def test_a_connection_is_kept_for_longer_than_by_those_who_call(tmp_path: Path) -> None:
    url = with_tables(f"sqlite:///{tmp_path}/b.db")
    settings = Settings(database_url=url, event_store=f"sqlite:///{tmp_path}/e.db", port=0)
    async with serving(served(build(settings), settings)) as server:
        host, port = server.servers[0].sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        for pause in (0, CLIENTS_KEEP_SECONDS + 1):
            await asyncio.sleep(pause)
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await reader.read(65_536)
        writer.close()
