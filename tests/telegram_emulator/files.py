"""Files of one bot: uploads become file ids, and file ids only fit the bot and the kind they were made for."""

import base64
import hashlib
import re
import struct

from .arguments import Arguments, Upload
from .content import File
from .errors import bad_request, entity_too_large
from .images import measure
from .world import BotAccount

PHOTO_BYTES, FILE_BYTES = 10 * 1024 * 1024, 50 * 1024 * 1024
PHOTO_SIDES, PHOTO_RATIO = 10_000, 20  # width + height, longer side / shorter side
PHOTO_BOXES = 90, 320, 800, 1280  # sides of the squares that Telegram scales photos into
PREFIXES = {"photo": "AgACAgIAAxkB", "document": "BQACAgIAAxkB", "video": "BAACAgIAAxkB", "audio": "CQACAgIAAxkB"}
SHELF_BYTES = 64 * 1024 * 1024


def take_file(bot: BotAccount, arguments: Arguments, kind: str, reference: str) -> File:
    """The file that `reference` names: a part of the request (`attach://part`) or a file_id; raises 400 or 413."""
    if reference.startswith("attach://"):
        upload = arguments.uploads.get(reference.removeprefix("attach://"))
        if upload is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        return _keep(bot, kind, upload)
    if "://" in reference:
        raise bad_request("failed to get HTTP URL content")
    file = bot.files.get(reference)
    if file is None:
        if re.fullmatch(r"[\w-]{20,}", reference, re.ASCII):  # well made, but of another bot
            raise bad_request("wrong file identifier/HTTP URL specified")
        raise bad_request("wrong remote file identifier specified: can't unserialize it")
    if file.kind != kind:
        raise bad_request(f"can't use file of type {file.kind.title()} as {kind.title()}")
    return file


def take_argument(bot: BotAccount, arguments: Arguments, kind: str) -> File:
    """The file of sendPhoto and its like, given as a part of that name or as a reference."""
    if kind in arguments.uploads:
        return _keep(bot, kind, arguments.uploads[kind])
    reference = arguments.text(kind)
    if not reference:
        raise bad_request(f"there is no {kind} in the request")
    return take_file(bot, arguments, kind, reference)


def _keep(bot: BotAccount, kind: str, upload: Upload) -> File:
    size = len(upload.data)
    bot.uploads += 1
    bot.uploaded_bytes += size
    if not size:
        raise bad_request("file must be non-empty")
    if size > FILE_BYTES:
        raise entity_too_large()
    digest = hashlib.sha256(upload.data).digest()
    file = _photo(bot, upload, digest) if kind == "photo" else _plain(bot, kind, upload, digest)
    for each in (file, *file.variants):
        bot.files[each.file_id] = file
    _shelve(bot, file, upload)
    return file


def _plain(bot: BotAccount, kind: str, upload: Upload, digest: bytes) -> File:
    file_id, unique_id = _new_ids(bot, kind, digest)
    return File(file_id, unique_id, kind, upload.name, upload.mime_type, len(upload.data))


def _photo(bot: BotAccount, upload: Upload, digest: bytes) -> File:
    size = len(upload.data)
    if size > PHOTO_BYTES:
        raise bad_request(f"file of size {size} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes")
    sides = measure(upload.data)
    if sides is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = sides
    if width + height > PHOTO_SIDES or max(sides) > PHOTO_RATIO * min(sides):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    boxes = [box for box in PHOTO_BOXES if box < max(sides)]
    if max(sides) <= PHOTO_BOXES[-1]:
        boxes.append(max(sides))
    variants: list[File] = []
    for box in boxes:
        scale = box / max(sides)
        file_id, unique_id = _new_ids(bot, "photo", digest + bytes([len(variants)]))
        shown = max(1, round(width * scale)), max(1, round(height * scale))
        variants.append(File(file_id, unique_id, "photo", upload.name, "image/jpeg", int(size * scale) or 1, *shown))
    largest = variants[-1]
    return File(
        largest.file_id, largest.unique_id, "photo", upload.name, upload.mime_type, size, width, height, tuple(variants)
    )


def _new_ids(bot: BotAccount, kind: str, digest: bytes) -> tuple[str, str]:
    """A new file_id for every upload; the unique id is the same for the same bytes, whoever sends them."""
    number = struct.pack(">QI", bot.id, bot.uploads) + digest[-9:]
    file_id = PREFIXES[kind] + base64.urlsafe_b64encode(number).decode().rstrip("=")
    return file_id, "AQAD" + base64.urlsafe_b64encode(hashlib.sha256(digest).digest()[:8]).decode().rstrip("=")


def _shelve(bot: BotAccount, file: File, upload: Upload) -> None:
    """Keep a photo's bytes for the chat page, the oldest making room."""
    if file.kind != "photo":
        return
    bot.shelf[file.unique_id] = upload.data
    while sum(map(len, bot.shelf.values())) > SHELF_BYTES:
        del bot.shelf[next(iter(bot.shelf))]
