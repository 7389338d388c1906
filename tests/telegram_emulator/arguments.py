"""Arguments of a call, from query, form, multipart form or JSON: all become strings, as in the Bot API server."""

from dataclasses import dataclass, field
from email.message import Message
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import orjson

from .errors import bad_request

_remembered = lru_cache(4096)(unquote_plus)  # a broadcast posts the same long text to everybody


@dataclass(slots=True, frozen=True)
class Upload:
    """A file that came with the request."""

    name: str
    mime_type: str
    data: bytes


@dataclass(slots=True)
class Arguments:
    values: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.values.get(name, "")

    def flag(self, name: str) -> bool:
        return self.values.get(name, "").strip().lower() in {"true", "yes", "1"}

    def integer(self, name: str, default: int = 0) -> int:
        try:
            return int(self.values.get(name, default))
        except ValueError:
            return default

    def parsed(self, name: str) -> Any:
        """A JSON argument, or None when it is absent."""
        value = self.values.get(name)
        if not value:
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise bad_request(f"can't parse {name} JSON object") from None

    @property
    def chat_id(self) -> int | None:
        try:
            return int(self.values.get("chat_id", ""))
        except ValueError:
            return None

    @property
    def uploaded_bytes(self) -> int:
        return sum(len(upload.data) for upload in self.uploads.values())


def parse_arguments(query: str, content_type: str, body: bytes) -> Arguments:
    """Body arguments win over those of the query."""
    arguments = Arguments()
    if query:
        _read_form(query, arguments.values)
    if not body:
        return arguments
    if content_type.startswith("application/x-www-form-urlencoded"):
        _read_form(body.decode("ascii", "replace"), arguments.values)
    elif content_type.startswith("application/json"):
        _read_json(body, arguments.values)
    elif content_type.startswith("multipart/form-data"):
        _read_multipart(content_type, body, arguments)
    return arguments


def _read_form(form: str, values: dict[str, str]) -> None:
    for pair in form.split("&"):
        name, _, value = pair.partition("=")
        if name:
            values[_remembered(name)] = _remembered(value) if len(value) > 30 else unquote_plus(value)


def _read_json(body: bytes, values: dict[str, str]) -> None:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("can't parse JSON in request body") from None
    if not isinstance(given, dict):
        raise bad_request("expected a JSON object")
    for name, value in given.items():
        if isinstance(value, str):
            values[name] = value
        elif value is not None:
            values[name] = orjson.dumps(value).decode()


def _read_multipart(content_type: str, body: bytes, arguments: Arguments) -> None:
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise bad_request("wrong boundary in multipart/form-data")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        if part.startswith(b"--"):
            break
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        described = _part_headers(head)
        name = described.get_param("name", header="content-disposition")
        filename = described.get_filename()
        if not isinstance(name, str):
            continue
        if filename is None:
            arguments.values[name] = data.decode("utf-8", "replace")
        else:
            kind = described.get("Content-Type") or "application/octet-stream"
            arguments.uploads[name] = Upload(filename, kind, data)


def _part_headers(head: bytes) -> Message:
    described = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        described[name] = value.strip()
    return described
