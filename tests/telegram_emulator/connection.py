"""The aiohttp server with two additions: the moment a request arrived, and cutting a connection without a reply."""

import logging
import socket
import struct
import time

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

SILENT = logging.getLogger("telegram_emulator.access")
SILENT.setLevel(logging.CRITICAL + 1)  # aiohttp then builds no access lines; `disabled` any dictConfig would undo
MOST_BODY_BYTES = 512 * 1024 * 1024


class Connection(RequestHandler):
    """Notes when the last bytes came in: earlier than any handler runs, so our own queue does not blur the limits."""

    __slots__ = ("received_at",)

    def data_received(self, data: bytes) -> None:
        self.received_at = time.monotonic()
        super().data_received(data)

    def cut(self) -> None:
        """Reset the connection as a failing network would: RST, no reply."""
        if self.transport is None:
            return
        if (sock := self.transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    @property
    def is_cut(self) -> bool:
        return self.transport is None or self.transport.is_closing()


class Server(web.Server):
    """Serves `Connection`s and takes bodies as large as an album of the largest files."""

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, access_log=SILENT, keepalive_timeout=75)

    def _make_request(self, message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=MOST_BODY_BYTES)
