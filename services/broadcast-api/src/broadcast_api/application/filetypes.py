"""What a file is, by its content: neither its name nor what the sender says of it is believed.

puremagic knows formats by their first bytes. Families that share those (ZIP, OLE, ISO media) are told apart here, text
is recognised by being text, and what a computer would run is refused whatever it is called.
"""

import codecs
import io
import mmap
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import imagesize  # type: ignore[import-untyped]
import puremagic

from broadcast_api.domain.errors import FileEmpty, FileMacros, FileMarkup, FileNotAllowed, FileRuns, FileUnknown
from broadcast_contracts import FileKind

MIB = 1024**2
PHOTO_BYTES, PHOTO_SIDES, PHOTO_RATIO = 10 * MIB, 10_000, 20
"""What sendPhoto takes: bytes, width + height, and the longer side through the shorter (Bot API)."""

HEAD = 8192
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Type:
    """How Telegram shows it, and how names of it end; the first ending is given to a name that has another."""

    kind: FileKind
    endings: tuple[str, ...]


_OFFICE = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

TYPES: dict[str, Type] = {
    "image/jpeg": Type(FileKind.PHOTO, (".jpg", ".jpeg")),
    "image/png": Type(FileKind.PHOTO, (".png",)),
    "image/webp": Type(FileKind.PHOTO, (".webp",)),
    "image/gif": Type(FileKind.DOCUMENT, (".gif",)),
    "image/heic": Type(FileKind.DOCUMENT, (".heic", ".heif")),
    "video/mp4": Type(FileKind.VIDEO, (".mp4", ".m4v")),
    "video/quicktime": Type(FileKind.DOCUMENT, (".mov",)),
    "audio/mpeg": Type(FileKind.AUDIO, (".mp3",)),
    "audio/mp4": Type(FileKind.AUDIO, (".m4a",)),
    "audio/ogg": Type(FileKind.DOCUMENT, (".ogg", ".oga", ".opus")),
    "application/pdf": Type(FileKind.DOCUMENT, (".pdf",)),
    "application/rtf": Type(FileKind.DOCUMENT, (".rtf",)),
    f"{_OFFICE}wordprocessingml.document": Type(FileKind.DOCUMENT, (".docx",)),
    f"{_OFFICE}spreadsheetml.sheet": Type(FileKind.DOCUMENT, (".xlsx",)),
    f"{_OFFICE}presentationml.presentation": Type(FileKind.DOCUMENT, (".pptx",)),
    f"{_ODF}text": Type(FileKind.DOCUMENT, (".odt",)),
    f"{_ODF}spreadsheet": Type(FileKind.DOCUMENT, (".ods",)),
    f"{_ODF}presentation": Type(FileKind.DOCUMENT, (".odp",)),
    "application/msword": Type(FileKind.DOCUMENT, (".doc",)),
    "application/vnd.ms-excel": Type(FileKind.DOCUMENT, (".xls",)),
    "application/vnd.ms-powerpoint": Type(FileKind.DOCUMENT, (".ppt",)),
    "text/plain": Type(FileKind.DOCUMENT, (".txt", ".md", ".log", ".json")),
    "text/csv": Type(FileKind.DOCUMENT, (".csv",)),
    "text/calendar": Type(FileKind.DOCUMENT, (".ics",)),
    "application/zip": Type(FileKind.DOCUMENT, (".zip",)),
}
"""All that can be recognised; an operator chooses from these."""

USUAL = tuple(name for name in TYPES if name != "application/zip")
"""What is allowed unless an operator says otherwise: not archives, whose content nobody sees before they are opened."""

INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""What a browser may show in its place: pictures that hold no script."""

_MACH_O = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
_PROGRAMS = (b"\x7fELF", *_MACH_O, b"\xca\xfe\xba\xbe", b"dex\n", b"\0asm", b"!<arch>", b"L\0\0\0\x01\x14\x02\0")
_PROGRAM_ENDINGS = (".exe", ".dll", ".scr", ".com", ".msi", ".jar", ".apk", ".lnk", ".class", ".dex")
_OF_SHELLS = (".bat", ".cmd", ".desktop", ".ps1", ".reg", ".sh", ".url")
_SCRIPT_ENDINGS = (*_OF_SHELLS, ".hta", ".js", ".jse", ".mjs", ".php", ".pl", ".py", ".rb", ".vbe", ".vbs", ".wsf")
_MARKUP = re.compile(rb"<\s*(!doctype\s+html|html|head|body|svg|script|iframe)\b", re.IGNORECASE)
_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
_BRANDS |= dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1"), "image/heic")
_MP4 = re.compile(rb"mp4[12]|iso[m2-9]|avc1|M4V |dash|MSNV")
_OLE = {"WordDocument": "application/msword", "Workbook": "application/vnd.ms-excel"}
_OLE |= {"Book": "application/vnd.ms-excel", "PowerPoint Document": "application/vnd.ms-powerpoint"}


def recognised(file: BinaryIO, size: int, name: str, allowed: Collection[str]) -> tuple[str, FileKind]:
    """The media type and kind of a file on disk of `size` bytes; raises `BadFile`."""
    if size == 0:
        raise FileEmpty
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _media_type(data, name.lower())
        if found not in TYPES:
            raise FileUnknown
        if found not in allowed:
            raise FileNotAllowed(found=found)
        kind = TYPES[found].kind
        if kind is FileKind.PHOTO and not _fits_photo(data):
            kind = FileKind.DOCUMENT
        return found, kind


def _media_type(data: mmap.mmap, name: str) -> str:
    head = data[:HEAD]
    if head.startswith(_PROGRAMS) or (head.startswith(b"MZ") and b"\0" in head):
        raise FileRuns
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(data)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _in_ole(data)
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if (known := _by_magic(head)) is not None:
        return known
    return _text(data, name)


def _by_magic(head: bytes) -> str | None:
    """Several formats may begin alike: the first that is in the table."""
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    for match in matches:
        for media_type, type in TYPES.items():
            if not media_type.startswith("text/") and (
                match.mime_type == media_type or (not match.mime_type and match.extension in type.endings)
            ):
                return media_type
    return None


def _in_zip(data: mmap.mmap) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data[:])) as archive:
            names = archive.namelist()
            declared = archive.open("mimetype").read(100).decode("ascii", "replace") if "mimetype" in names else ""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return ""
    if any(name.endswith("vbaProject.bin") or name.startswith("Basic/") for name in names):
        raise FileMacros
    if any(name.lower().endswith((*_PROGRAM_ENDINGS, *_SCRIPT_ENDINGS)) for name in names):
        raise FileRuns
    if {"META-INF/MANIFEST.MF", "AndroidManifest.xml"} & set(names):
        raise FileRuns
    if declared.startswith(_ODF):
        return declared
    if "[Content_Types].xml" in names:
        for part, document in (
            ("word/", "wordprocessingml.document"),
            ("xl/", "spreadsheetml.sheet"),
            ("ppt/", "presentationml.presentation"),
        ):
            if any(name.startswith(part) for name in names):
                return _OFFICE + document
    return "application/zip"


def _in_ole(data: mmap.mmap) -> str:
    """Word, Excel and PowerPoint before 2007; by the names of their streams, which are UTF-16. Installers have none."""
    if data.find("_VBA_PROJECT".encode("utf-16-le")) >= 0:
        raise FileMacros
    return next((type for name, type in _OLE.items() if data.find(name.encode("utf-16-le")) >= 0), "")


def _iso_media(head: bytes) -> str:
    brands = head[8 : min(int.from_bytes(head[:4], "big"), HEAD)]
    return _BRANDS.get(brands[:4]) or ("video/mp4" if _MP4.search(brands) else "")


def _text(data: mmap.mmap, name: str) -> str:
    """Of people who write: UTF-8, UTF-16 with its mark, or Windows-1251. Not of those who program."""
    if data[:2] == b"#!" or name.endswith(_SCRIPT_ENDINGS):
        raise FileRuns
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1251")
    if not any(_reads_as(data, encoding) for encoding in encodings):
        return ""
    plain = data[:].replace(b"\0", b"")
    if name.endswith((".html", ".htm", ".xhtml", ".svg", ".xml")) or _MARKUP.search(plain):
        raise FileMarkup
    if plain.lstrip(b"\xef\xbb\xbf").startswith(b"BEGIN:VCALENDAR"):
        return "text/calendar"
    return "text/csv" if PurePosixPath(name).suffix == ".csv" else "text/plain"


def _reads_as(data: mmap.mmap, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), CHUNK):
            piece = decoder.decode(data[start : start + CHUNK], final=start + CHUNK >= len(data))
            if any(letter < " " and letter not in "\t\n\r\f\x1b" for letter in piece):
                return False
    except UnicodeDecodeError:
        return False
    return True


def _fits_photo(data: mmap.mmap) -> bool:
    """Whether Telegram takes it as a photo; what is too large or too long goes as a document."""
    try:
        width, height = imagesize.get(io.BytesIO(data[:]))
    except Exception:  # whatever it stumbles upon in a broken header
        return False
    if min(width, height) < 1 or len(data) > PHOTO_BYTES:
        return False
    return bool(width + height <= PHOTO_SIDES and max(width, height) <= PHOTO_RATIO * min(width, height))
