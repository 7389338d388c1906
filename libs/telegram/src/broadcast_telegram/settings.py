"""Settings that dispatcher and revoker share: typed, frozen, read once at start."""

import json
import math
import sys
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from broadcast_contracts.topology import BOT_NAME
from broadcast_delivery import Lease
from broadcast_delivery.connection import NatsSettings
from broadcast_delivery.settings_folder import settings_folder

FREE_RATE = 30.0
"""Messages a second that a bot may send without paying (Bots FAQ)."""

BotName = Annotated[str, Field(pattern=f"^{BOT_NAME.pattern}$")]


class BotSettings(BaseModel):
    """One bot. `rate` is in messages per second: 30 free, up to 1000 with paid broadcasts (Bots FAQ); 0 lifts it.

    Without an `upload_chat` a file is uploaded with the message to the first recipient.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr
    rate: float = Field(FREE_RATE, ge=0, le=1000)
    upload_chat: int | None = Field(None, description="a chat that files are uploaded to before they are sent")

    @property
    def paid(self) -> bool:
        """Whether messages must be marked as a paid broadcast (`allow_paid_broadcast`) to go at this rate."""
        return self.rate > FREE_RATE


class WorkerSettings(BaseSettings, NatsSettings):
    """Environment variables `BROADCAST_<NAME>`, or files of that name in `BROADCAST_SETTINGS_DIR`. Times in seconds.

    `accounts` is JSON: `{"main": {"token": "123:abc", "rate": 30}}`; `accounts_file` names a file that holds the same,
    for a mounted secret. `window` bounds the open attempts of a batch, and so what a crash leaves unconfirmed.
    """

    model_config = SettingsConfigDict(env_prefix="BROADCAST_", frozen=True, extra="ignore")

    accounts: dict[BotName, BotSettings] = Field(default={})
    accounts_file: Path | None = None
    telegram_url: str = "https://api.telegram.org"
    concurrency: PositiveInt = Field(16, description="batches of one bot worked on at once")
    window: PositiveInt = Field(20, description="at most so many; a paid bot's window grows with its rate")
    lease_seconds: PositiveFloat = 20.0
    lease_grace_seconds: PositiveFloat = 5.0
    attempt_timeout_seconds: PositiveFloat = Field(10.0, description="of one request, without what it uploads")
    files_timeout_seconds: PositiveFloat = Field(120.0, description="of all requests to one recipient, with uploads")
    album_weight: float = Field(1.0, ge=0, le=1, description="what each message of an album costs of the bot's rate")
    shutdown_seconds: PositiveFloat = 25.0
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65_535)
    log_level: str = "INFO"

    def window_of(self, bot: BotSettings) -> int:
        """Enough that the batches of one run (4 by default) keep half a second of the bot's rate in the air."""
        return max(self.window, math.ceil(bot.rate / 8))

    @property
    def lease(self) -> Lease:
        """The lease of an attempt."""
        return Lease(self.lease_seconds, self.lease_grace_seconds, self.attempt_timeout_seconds)


S = TypeVar("S", bound=WorkerSettings)


def load(kind: type[S]) -> S:
    """Read the settings; a bad value ends the process with one line that says which and why."""
    try:
        folder = settings_folder()
    except ValueError as error:
        sys.exit(str(error))
    try:
        settings = kind(_secrets_dir=folder)
        if settings.accounts_file:
            settings = kind(_secrets_dir=folder, accounts=json.loads(settings.accounts_file.read_text()))
    except ValidationError as error:
        fault = error.errors()[0]
        if not fault["loc"]:
            sys.exit(fault["msg"])
        name = "_".join(str(part) for part in fault["loc"][:1]).upper()
        place = ".".join(str(part) for part in fault["loc"][1:])
        sys.exit(f"BROADCAST_{name}: {f'{place}: ' if place else ''}{fault['msg']}")
    except (OSError, ValueError) as error:
        sys.exit(f"BROADCAST_ACCOUNTS_FILE: {error}")
    except Exception as error:  # pydantic-settings wraps JSON errors in its own
        sys.exit(f"settings: {error}")
    if not settings.accounts:
        sys.exit('BROADCAST_ACCOUNTS: no bot is configured; give {"main": {"token": "…"}} or BROADCAST_ACCOUNTS_FILE')
    if settings.attempt_timeout_seconds >= settings.lease_seconds:
        sys.exit("BROADCAST_LEASE_SECONDS: must be longer than BROADCAST_ATTEMPT_TIMEOUT_SECONDS")
    return settings
