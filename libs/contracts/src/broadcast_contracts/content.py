"""What a recipient is sent."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class ParseMode(StrEnum):
    """How Telegram reads the text; `none` sends it as it stands."""

    HTML = "HTML"
    MARKDOWN_V2 = "MarkdownV2"
    NONE = "none"


class Content(BaseModel):
    """One content per run: frozen when sending starts.

    `text` is the source with its markup; Telegram counts 1–4096 characters after the entities are parsed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(min_length=1, max_length=65_536)
    parse_mode: ParseMode = ParseMode.NONE
    link_preview: bool = True
    silent: bool = False
