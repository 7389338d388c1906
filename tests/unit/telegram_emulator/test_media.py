"""Files: uploaded once, then known by an id that fits one bot and one kind; albums and their rules."""

import base64
from typing import Any

import aiohttp
import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramEntityTooLarge
from aiogram.types import BufferedInputFile, InputMediaAudio, InputMediaDocument, InputMediaPhoto, InputMediaVideo

from .conftest import TOKEN, Telegram

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MIB = 1024 * 1024


def document(name: str = "приказ", size: int = 100) -> BufferedInputFile:
    return BufferedInputFile(name.encode().ljust(size, b"."), f"{name}.pdf")


def photo(name: str = "a.png") -> BufferedInputFile:
    return BufferedInputFile(PNG, name)


async def test_a_document_keeps_its_name_and_size(telegram: Telegram) -> None:
    message = await telegram.bot.send_document(telegram.people[0], document("отчёт", 1234), caption="<i>вот</i>")
    assert message.document
    assert (message.document.file_name, message.document.file_size, message.caption) == (
        "отчёт.pdf",
        1234,
        "<i>вот</i>",
    )
    assert (await telegram.control("GET", "state"))["uploaded_bytes"] == 1234


async def test_a_photo_comes_in_sizes_that_all_stand_for_it(telegram: Telegram) -> None:
    wide = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (2000).to_bytes(4) + (500).to_bytes(4)
    message = await telegram.bot.send_photo(telegram.people[0], BufferedInputFile(wide, "a.png"))
    assert [(size.width, size.height) for size in message.photo or []] == [(90, 22), (320, 80), (800, 200), (1280, 320)]
    for size in message.photo or []:
        await telegram.bot.send_photo(telegram.people[1], size.file_id)
    assert telegram.account.uploads == 1


@pytest.mark.parametrize("kind", ["photo", "document", "video", "audio"])
async def test_every_kind_is_sent_and_sent_again_by_its_id(telegram: Telegram, kind: str) -> None:
    send = getattr(telegram.bot, f"send_{kind}")
    message = await send(telegram.people[0], photo(), caption="c")
    sent = getattr(message, kind)
    file_id = sent[-1].file_id if kind == "photo" else sent.file_id
    again = await send(telegram.people[1], file_id)
    assert getattr(again, kind) == sent
    assert telegram.account.uploaded_bytes == len(PNG)


async def test_a_plain_part_is_as_good_as_an_attachment(telegram: Telegram) -> None:
    form = aiohttp.FormData({"chat_id": str(telegram.people[0])})
    form.add_field("document", b"hello", filename="hello.txt", content_type="text/plain")
    async with telegram.http.post(f"{telegram.url}/bot{TOKEN}/sendDocument", data=form) as answer:
        sent = (await answer.json())["result"]["document"]
    assert (sent["file_name"], sent["mime_type"], sent["file_size"]) == ("hello.txt", "text/plain", 5)


async def test_a_file_id_does_not_change_its_kind_nor_its_bot(telegram: Telegram) -> None:
    message = await telegram.bot.send_photo(telegram.people[0], photo())
    file_id = (message.photo or [])[0].file_id
    with pytest.raises(TelegramBadRequest, match="can't use file of type Photo as Document"):
        await telegram.bot.send_document(telegram.people[0], file_id)
    await telegram.control("POST", "bots", {"token": "43:OTHER"})
    other = telegram.new_bot("43:OTHER")
    with pytest.raises(TelegramBadRequest, match="wrong file identifier/HTTP URL specified"):
        await other.send_photo(telegram.people[0], file_id)
    await other.session.close()


@pytest.mark.parametrize(
    ("method", "arguments", "description"),
    [
        ("sendDocument", {"document": "made.up"}, "wrong remote file identifier specified: can't unserialize it"),
        ("sendDocument", {"document": "attach://nothing"}, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {}, "there is no photo in the request"),
        ("sendMediaGroup", {"media": []}, "there are no messages to send"),
        (
            "sendMediaGroup",
            {"media": [{"type": "document", "media": "x"}] * 11},
            "too many messages to send as an album",
        ),
        ("sendMediaGroup", {"media": [{"type": "animation", "media": "x"}] * 2}, "invalid message content type"),
    ],
)
async def test_a_bad_file_is_refused(
    telegram: Telegram, method: str, arguments: dict[str, Any], description: str
) -> None:
    answer = await telegram.call(method, chat_id=telegram.people[0], **arguments)
    assert (answer["error_code"], answer["description"]) == (400, f"Bad Request: {description}")


async def test_sizes_are_limited(telegram: Telegram) -> None:
    person = telegram.people[0]
    with pytest.raises(TelegramBadRequest, match="file must be non-empty"):
        await telegram.bot.send_document(person, BufferedInputFile(b"", "empty"))
    with pytest.raises(TelegramBadRequest, match="is too big for a photo; the maximum size is 10485760 bytes"):
        await telegram.bot.send_photo(person, BufferedInputFile(PNG.ljust(10 * MIB + 1), "a.png"))
    with pytest.raises(TelegramEntityTooLarge, match="Request Entity Too Large"):
        await telegram.bot.send_document(person, document(size=50 * MIB + 1))
    assert (await telegram.bot.send_document(person, document(size=50 * MIB))).document


@pytest.mark.parametrize(
    ("data", "description"),
    [
        (b"not an image", "IMAGE_PROCESS_FAILED"),
        (PNG[:16] + (9000).to_bytes(4) + (1001).to_bytes(4), "PHOTO_INVALID_DIMENSIONS"),
        (PNG[:16] + (2100).to_bytes(4) + (100).to_bytes(4), "PHOTO_INVALID_DIMENSIONS"),
    ],
)
async def test_what_is_no_photo_is_refused(telegram: Telegram, data: bytes, description: str) -> None:
    with pytest.raises(TelegramBadRequest, match=description):
        await telegram.bot.send_photo(telegram.people[0], BufferedInputFile(data, "a.png"))


async def test_a_caption_is_limited_after_its_tags(telegram: Telegram) -> None:
    caption = f"<b>{'ж' * 1024}</b>"
    await telegram.bot.send_document(telegram.people[0], document(), caption=caption, parse_mode="HTML")
    with pytest.raises(TelegramBadRequest, match="message caption is too long"):
        await telegram.bot.send_document(telegram.people[0], document(), caption="ж" * 1025)


async def test_an_album_is_several_messages_under_one_group(telegram: Telegram) -> None:
    items = [InputMediaPhoto(media=photo(), caption="<b>1</b>", parse_mode="HTML"), InputMediaVideo(media=document())]
    messages = await telegram.bot.send_media_group(telegram.people[0], items)  # type: ignore[arg-type]
    assert len({message.message_id for message in messages}) == 2
    assert len({message.media_group_id for message in messages}) == 1
    assert (messages[0].caption, bool(messages[0].photo), bool(messages[1].video)) == ("1", True, True)
    assert telegram.account.history.sent == 2


@pytest.mark.parametrize("kind", ["document", "audio"])
async def test_documents_and_audio_keep_to_themselves_in_an_album(telegram: Telegram, kind: str) -> None:
    secluded = {"document": InputMediaDocument, "audio": InputMediaAudio}[kind]
    await telegram.bot.send_media_group(telegram.people[0], [secluded(media=document(str(each))) for each in range(10)])
    mixed: Any = [secluded(media=document()), InputMediaPhoto(media=photo())]
    with pytest.raises(TelegramBadRequest, match=f"{kind} can't be mixed with other media types"):
        await telegram.bot.send_media_group(telegram.people[0], mixed)


async def test_an_album_of_one_is_refused(telegram: Telegram) -> None:
    with pytest.raises(TelegramBadRequest, match="group send failed"):
        await telegram.bot.send_media_group(telegram.people[0], [InputMediaPhoto(media=photo())])
    assert telegram.account.history.sent == 0


async def test_a_known_file_can_be_asked_for(telegram: Telegram) -> None:
    message = await telegram.bot.send_document(telegram.people[0], document("план", 10))
    assert message.document
    assert (await telegram.bot.get_file(message.document.file_id)).file_size == 10
