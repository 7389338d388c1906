"""Files to attach: their bytes, and putting them where the api keeps them."""

import hashlib
import struct
import zlib

from nats.js import JetStreamContext

from broadcast_contracts import File, FileKind
from broadcast_contracts.topology import ATTACHMENTS

MEDIA_TYPES = {
    FileKind.PHOTO: "image/png",
    FileKind.VIDEO: "video/mp4",
    FileKind.AUDIO: "audio/mpeg",
    FileKind.DOCUMENT: "application/pdf",
}
SUFFIXES = {FileKind.PHOTO: "png", FileKind.VIDEO: "mp4", FileKind.AUDIO: "mp3", FileKind.DOCUMENT: "pdf"}


def bytes_of(kind: FileKind, n: int, size: int = 2_000) -> bytes:
    """Different for every `n`, the same every time; a photo is a real picture of one colour."""
    if kind is not FileKind.PHOTO:
        return hashlib.shake_256(f"{kind}{n}".encode()).digest(size)
    colour = hashlib.shake_256(f"{n}".encode()).digest(3)
    rows = b"".join(b"\0" + colour * 60 for _ in range(40))
    header = struct.pack(">IIBBBBB", 60, 40, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(tag: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))


def file_of(kind: FileKind, n: int, size: int = 2_000) -> File:
    """The file that `bytes_of` makes."""
    data = bytes_of(kind, n, size)
    name = f"{kind.value} {n}.{SUFFIXES[kind]}"
    digest = hashlib.sha256(data).hexdigest()
    return File(sha256=digest, name=name, kind=kind, media_type=MEDIA_TYPES[kind], size=len(data))


async def stored(js: JetStreamContext, kind: FileKind, n: int, size: int = 2_000) -> File:
    """Put such a file into the object store."""
    file = file_of(kind, n, size)
    await (await js.object_store(ATTACHMENTS.name)).put(file.sha256, bytes_of(kind, n, size))
    return file
