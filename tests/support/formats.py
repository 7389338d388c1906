"""Small files of many kinds, each as its own format demands."""

import io
import struct
import zipfile
import zlib

MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0" * 40
MP3 = b"ID3\x03\0\0\0\0\0\0" + (b"\xff\xfb\x90\x64" + b"\0" * 413) * 3
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
EXE = b"MZ" + b"\0" * 58 + b"\x80\0\0\0" + b"\0" * 64 + b"PE\0\0" + b"\0" * 100
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def png(width: int = 3, height: int = 2, color: bytes = b"\x20\x60\xc0") -> bytes:
    """A picture of one color."""
    rows = (b"\0" + color * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def jpeg(width: int = 3, height: int = 2) -> bytes:
    """The headers of a picture: enough for whoever looks at those."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"
    jfif = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    segments = ((b"\xff\xe0", jfif), (b"\xff\xc0", frame))
    body = b"".join(mark + struct.pack(">H", len(data) + 2) + data for mark, data in segments)
    return b"\xff\xd8" + body + b"\xff\xd9"


def archive(members: dict[str, str]) -> bytes:
    """A ZIP file of these members by name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in members.items():
            made.writestr(name, text)
    return content.getvalue()
