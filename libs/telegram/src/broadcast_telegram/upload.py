"""The body of a request that carries files: read from the object store one after another while it is written."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from aiohttp import FormData

from broadcast_contracts import File
from broadcast_delivery import Hold
from broadcast_telegram.files import Files, Missing, Unavailable

CHUNK_BYTES = 256 * 1024


class Upload:
    """One request's files by part name; in memory is one at a time.

    A request that is cut off before its last byte delivers nothing: that is what `finished` tells. It is cut off when
    bytes are missing, and when the lease no longer `covers` the `reply_seconds` that Telegram may take to answer.
    """

    def __init__(self, files: Files, parts: Mapping[str, File], hold: Hold, reply_seconds: float) -> None:
        self._files, self._parts, self._hold, self._reply_seconds = files, parts, hold, reply_seconds
        self._left = len(parts)
        self.broken: Missing | Unavailable | None = None
        """Why it was cut off by us."""

    @property
    def finished(self) -> bool:
        """Whether the last byte of the last file was handed over."""
        return self._left == 0

    def form(self, fields: Mapping[str, Any]) -> FormData:
        """`fields` are those of the method; what is no text is written as JSON."""
        form = FormData(quote_fields=False)  # Telegram reads file names as UTF-8
        for name, value in fields.items():
            form.add_field(name, value if isinstance(value, str) else orjson.dumps(value).decode())
        for name, file in self._parts.items():
            form.add_field(name, self._bytes(file), content_type=file.media_type, filename=file.name)
        return form

    async def _bytes(self, file: File) -> AsyncIterator[bytes]:
        try:
            data = await self._files.read(file)
            for start in range(0, len(data), CHUNK_BYTES):
                if not self._hold.covers(self._reply_seconds):
                    raise Unavailable("this process was given up while it was uploading")
                yield data[start : start + CHUNK_BYTES]
        except (Missing, Unavailable) as error:
            self.broken = error
            raise
        self._left -= 1
