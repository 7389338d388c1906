"""A file is what its bytes say: neither what it is called nor what somebody claims."""

import tempfile

import pytest

from broadcast_api.application.filenames import NAME_BYTES, clean
from broadcast_api.application.filetypes import TYPES, USUAL, recognised
from broadcast_api.domain.errors import (
    BadFile,
    FileEmpty,
    FileMacros,
    FileMarkup,
    FileNotAllowed,
    FileRuns,
    FileUnknown,
)
from broadcast_contracts import FileKind
from tests.support.formats import EXE, MP3, MP4, PDF, SVG, archive, jpeg, png

OFFICE = "application/vnd.openxmlformats-officedocument."
ODF = "application/vnd.oasis.opendocument."
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def office(*names: str) -> bytes:
    return archive({"[Content_Types].xml": "", "_rels/.rels": "", **dict.fromkeys(names, "")})


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def look(content: bytes, name: str = "x", allowed: tuple[str, ...] = USUAL) -> tuple[str, FileKind]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return recognised(file, len(content), name, allowed)


KNOWN: dict[str, tuple[bytes, FileKind]] = {
    "image/png": (png(), FileKind.PHOTO),
    "image/jpeg": (jpeg(), FileKind.PHOTO),
    "image/gif": (b"GIF89a\x01\0\x01\0\0\0\0;", FileKind.DOCUMENT),
    "video/mp4": (MP4, FileKind.VIDEO),
    "video/quicktime": (b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + b"\0" * 40, FileKind.DOCUMENT),
    "audio/mpeg": (MP3, FileKind.AUDIO),
    "audio/mp4": (b"\0\0\0\x18ftypM4A \0\0\2\0M4A mp42" + b"\0" * 40, FileKind.AUDIO),
    "image/heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 20, FileKind.DOCUMENT),
    "application/pdf": (PDF, FileKind.DOCUMENT),
    "application/rtf": (b"{\\rtf1 hello}", FileKind.DOCUMENT),
    f"{OFFICE}wordprocessingml.document": (office("word/document.xml"), FileKind.DOCUMENT),
    f"{OFFICE}spreadsheetml.sheet": (office("xl/workbook.xml"), FileKind.DOCUMENT),
    f"{OFFICE}presentationml.presentation": (office("ppt/presentation.xml"), FileKind.DOCUMENT),
    f"{ODF}text": (archive({"mimetype": f"{ODF}text", "content.xml": ""}), FileKind.DOCUMENT),
    "application/msword": (OLE + utf16("WordDocument"), FileKind.DOCUMENT),
    "application/vnd.ms-excel": (OLE + utf16("Workbook"), FileKind.DOCUMENT),
    "text/plain": ("Собрание в 9:00, 5 < 7\n".encode(), FileKind.DOCUMENT),
    "text/calendar": (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", FileKind.DOCUMENT),
}


@pytest.mark.parametrize("media_type", KNOWN)
def test_a_file_is_recognised_by_its_content_whatever_it_is_called(media_type: str) -> None:
    content, kind = KNOWN[media_type]
    for name in ("x", "photo.exe", "a.jpg"):
        assert look(content, name) == (media_type, kind), name


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16", "utf-8-sig"])
def test_russian_text_is_text_in_any_usual_encoding(encoding: str) -> None:
    assert look("Имя;Отдел\nЁжик;Лес\n".encode(encoding), "список.csv")[0] == "text/csv"


REFUSED: dict[str, tuple[bytes, str, type[BadFile]]] = {
    "empty": (b"", "a.txt", FileEmpty),
    "a Windows program called a picture": (EXE, "фото.jpg", FileRuns),
    "a Linux program": (b"\x7fELF\2\1\1" + b"\0" * 60, "a.pdf", FileRuns),
    "a macOS program": (b"\xcf\xfa\xed\xfe" + b"\0" * 60, "a.png", FileRuns),
    "a Java class": (b"\xca\xfe\xba\xbe\0\0\0\x34", "a.txt", FileRuns),
    "a shortcut": (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0" + b"\0" * 60, "a.docx", FileRuns),
    "an Android package": (archive({"AndroidManifest.xml": "", "classes.dex": ""}), "a.zip", FileRuns),
    "an archive with a program": (archive({"readme.txt": "", "setup.EXE": ""}), "a.zip", FileRuns),
    "a shell script": (b"#!/bin/sh\nrm -rf /\n", "notes.txt", FileRuns),
    "a batch file": (b"@echo off\r\n", "run.BAT", FileRuns),
    "an SVG with a script": (SVG, "logo.png", FileMarkup),
    "an SVG in UTF-16": (SVG.decode().encode("utf-16"), "logo.png", FileMarkup),
    "a web page": (b"<!DOCTYPE html><title>x</title>", "a.txt", FileMarkup),
    "a script behind a long beginning": (b" " * 9000 + b"<script>alert(1)</script>", "a.txt", FileMarkup),
    "a document with macros": (office("word/document.xml", "word/vbaProject.bin"), "a.docx", FileMacros),
    "an old document with macros": (OLE + utf16("WordDocument_VBA_PROJECT"), "a.doc", FileMacros),
    "an installer": (OLE + utf16("SummaryInformation"), "a.doc", FileUnknown),
    "noise": (bytes(range(256)) * 4, "a.jpg", FileUnknown),
    "a damaged archive": (b"PK\x03\x04" + b"\0" * 50, "a.docx", FileUnknown),
    "an archive": (archive({"a.txt": "x"}), "a.zip", FileNotAllowed),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_computer_would_run_or_nobody_knows_is_refused_with_the_reason(case: str) -> None:
    content, name, reason = REFUSED[case]
    with pytest.raises(reason):
        look(content, name)


def test_an_operator_may_allow_more_and_less() -> None:
    assert look(archive({"a.txt": "x"}), allowed=tuple(TYPES))[0] == "application/zip"
    with pytest.raises(FileNotAllowed):
        look(PDF, allowed=("image/png",))


@pytest.mark.parametrize(("width", "height"), [(9_000, 1_001), (21, 1), (1, 21)])
def test_a_picture_that_telegram_takes_for_no_photo_goes_as_a_document(width: int, height: int) -> None:
    assert look(png(width, height))[1] is FileKind.DOCUMENT
    assert look(jpeg(width, height))[1] is FileKind.DOCUMENT


def test_a_picture_at_the_limit_is_a_photo_and_one_with_a_broken_header_is_a_document() -> None:
    assert look(jpeg(9_000, 1_000))[1] is look(png(20, 1))[1] is FileKind.PHOTO
    assert look(b"\xff\xd8\xff\xe0\0\x10JFIF\0")[1] is FileKind.DOCUMENT


NAMES: dict[str, tuple[str, str]] = {
    "folders of Unix": ("../../etc/план.pdf", "план.pdf"),
    "folders of Windows": ("C:\\secret\\план.pdf", "план.pdf"),
    "control characters": ("пл\0а\x1b\r\nн\x7f.pdf", "план.pdf"),
    "direction characters": ("план\u202efdp.exe", "планfdp.exe.pdf"),
    "another ending": ("scan.jpg", "scan.jpg.pdf"),
    "no ending": ("scan", "scan.pdf"),
    "the ending in capitals": ("SCAN.PDF", "SCAN.PDF"),
    "nothing at all": ("", "file.pdf"),
    "only dots": ("...", "file.pdf"),
    "spaces": ("  мой   план .pdf ", "мой план.pdf"),
    "what Windows forbids": ('a<b>:"c|d?*.pdf', "a_b___c_d__.pdf"),
    "an emoji of several parts": ("👩\u200d💻.pdf", "👩\u200d💻.pdf"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_is_made_harmless(case: str) -> None:
    given, expected = NAMES[case]
    assert clean(given, "application/pdf") == expected


def test_a_name_of_300_russian_letters_is_shortened_and_keeps_its_ending() -> None:
    name = clean("я" * 300 + ".pdf", "application/pdf")
    assert name == "я" * 125 + ".pdf"
    assert len(name.encode()) <= NAME_BYTES
