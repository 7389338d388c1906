"""A TCP proxy between a service and what it talks to: it lets through, freezes, cuts or refuses."""

import asyncio
import contextlib

from deploy.local.stack import free_port


class Proxy:
    """From `url` (loopback, a port of its own) to the URL `upstream`; what the two say is not looked at.

    With `single_use` every HTTP request gets a connection of its own: `Connection: close` is added to its first line.
    """

    def __init__(self, upstream: str) -> None:
        scheme, address = upstream.split("://")
        self._upstream, self._port = int(address.rsplit(":", 1)[1]), free_port()
        self.single_use = False
        self.url = f"{scheme}://127.0.0.1:{self._port}"
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Accept connections and let bytes through."""
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    def freeze(self) -> None:
        """Keep every connection and let nothing through, as a network that drops packets."""
        self._flows.clear()

    def refuse(self) -> None:
        """New connections are refused; those that exist go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def close(self) -> None:
        self.refuse()
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        try:
            await asyncio.gather(self._pump(reader, up_writer, self.single_use), self._pump(up_reader, writer))
        finally:
            self._writers -= {writer, up_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bool = False) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                await self._flows.wait()
                if request:
                    chunk = chunk.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\nConnection: close\r\n", 1)
                    request = False
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
