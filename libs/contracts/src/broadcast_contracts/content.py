"""What a recipient is sent."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

MOST_FILES = 10
"""Files of one broadcast; also the most that one album of Telegram holds (sendMediaGroup in the Bot API)."""


class ParseMode(StrEnum):
    """How Telegram reads the text; `none` sends it as it stands."""

    HTML = "HTML"
    MARKDOWN_V2 = "MarkdownV2"
    NONE = "none"


class FileKind(StrEnum):
    """As what Telegram shows a file: it decides which files may share an album."""

    PHOTO = "photo"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


class File(BaseModel):
    """A file of a broadcast. Its bytes are in the object store `attachments` under `sha256`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    name: str = Field(min_length=1, max_length=255, description="as recipients see it")
    kind: FileKind
    media_type: str = Field(description="found from the content, for example image/jpeg")
    size: PositiveInt = Field(description="bytes")


class Content(BaseModel):
    """One content per run: frozen when sending starts.

    `text` is the source with its markup; Telegram counts 1–4096 characters after the entities are parsed. It may be
    empty where there are files. The files are shown in this order; `libs/telegram` says in how many messages.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(max_length=65_536)
    parse_mode: ParseMode = ParseMode.NONE
    link_preview: bool = True
    silent: bool = False
    files: tuple[File, ...] = Field((), max_length=MOST_FILES)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.text and not self.files:
            raise ValueError("neither a text nor a file")
        return self
