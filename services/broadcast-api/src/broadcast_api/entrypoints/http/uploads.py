"""One file of a multipart body, counted and hashed while it streams into a temporary file that vanishes by itself."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from broadcast_api.entrypoints.http.problems import Problem

PART = "file"
AROUND_BYTES = 256 * 1024
"""What may surround the file: boundaries, headers and small fields."""


@dataclass(frozen=True, slots=True)
class Upload:
    """`name` is what the client called it; `file` lives as long as the context that made it."""

    name: str
    size: int
    sha256: str
    file: BinaryIO
    fields: dict[str, str]


@asynccontextmanager
async def received(request: Request, most: int, *, others: bool = False) -> AsyncIterator[Upload]:
    """The part `file`, of `most` bytes; beside it nothing may come but, with `others`, the small fields of a form.

    Raises `Problem` as soon as it can.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem(415, "not_multipart", part=PART)
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most + AROUND_BYTES:
        raise _too_large(most)
    with tempfile.TemporaryFile() as file:
        parts = _Parts(most, others)
        await _read(request, parts, boundary, file)
        if parts.name is None:
            raise Problem(422, "no_file_part", part=PART)
        yield Upload(parts.name, parts.size, parts.digest.hexdigest(), file, parts.fields)


async def _read(request: Request, parts: "_Parts", boundary: bytes, file: BinaryIO) -> None:
    read = 0
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        async for chunk in request.stream():
            read += len(chunk)
            if read > parts.most + AROUND_BYTES:
                raise _too_large(parts.most)
            parser.write(chunk)
            if data := parts.taken():
                await asyncio.to_thread(file.write, data)
    except FormParserError as error:
        raise Problem(400, "bad_multipart") from error
    except ClientDisconnect as error:
        raise Problem(400, "cut_off") from error
    if not parts.ended:
        raise Problem(400, "cut_off")
    file.flush()


class _Parts:
    """What the parser found so far."""

    def __init__(self, most: int, others: bool) -> None:
        self.most, self._others = most, others
        self.name: str | None = None
        self.size, self.digest = 0, hashlib.sha256()
        self.fields: dict[str, str] = {}
        self.ended = False
        self._buffer = bytearray()
        self._header, self._value, self._disposition = b"", b"", b""
        self._field: str | None = None

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def taken(self) -> bytes:
        """The bytes of the file that have come since the last call."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def _part_begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        part = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = _file_name(options)
        if self._others and file_name is None:
            self._field = part
            self.fields[part] = ""
        elif part == PART and file_name is not None and self.name is None:
            self._field, self.name = None, file_name
        else:
            raise Problem(422, "unexpected_part", {"Connection": "close"}, part=PART, found=part[:100])

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._field is not None:
            self.fields[self._field] += piece.decode("utf-8", "replace")
            return
        self.size += len(piece)
        if self.size > self.most:
            raise _too_large(self.most)
        self.digest.update(piece)
        self._buffer += piece

    def _end(self) -> None:
        self.ended = True


def _file_name(options: dict[bytes, bytes]) -> str | None:
    """RFC 7578 forbids `filename*`, and some clients send it all the same; browsers write quotes and line ends so."""
    if (extended := options.get(b"filename*")) is not None:
        return unquote(extended.decode("ascii", "replace").rpartition("''")[2], errors="replace")
    plain = options.get(b"filename")
    if plain is None:
        return None
    name = plain.decode("utf-8", "replace")
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _too_large(most: int) -> Problem:
    return Problem(413, "file_too_large", {"Connection": "close"}, limit=most, megabytes=f"{most / 1024**2:g}")
