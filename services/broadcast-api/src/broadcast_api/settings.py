"""Everything that can be configured: `BROADCAST_NATS_URL` and so on, from the environment or a folder of files."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from broadcast_api.adapters.event_store import environment
from broadcast_api.application.filetypes import TYPES, USUAL
from broadcast_api.domain.identity import parse_roles
from broadcast_contracts import MOST_FILES
from broadcast_contracts.topology import BOT_NAME
from broadcast_delivery.connection import NatsSettings, options
from broadcast_delivery.settings_folder import settings_folder

PREFIX = "BROADCAST_"
SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")  # setWebhook takes 1 to 256 of them; fewer than 16 could be guessed

USERNAME = re.compile(r"[A-Za-z0-9_]{4,32}")


class BadSettings(ValueError):
    """One line that names the variable and what is wrong with it."""


class DoorTokens(BaseModel):
    """What the door of one bot needs: the token for polling and `set-webhook`, the secret for the webhook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")


class Settings(BaseSettings, NatsSettings):
    """Times in seconds. The workers read variables with the same prefix: what is none of ours is ignored.

    `door` says how people reach the bots: off, webhook or polling for all, or `main=polling,hr=webhook`. `door_tokens`
    is JSON, `{"main": {"token": "123:abc", "secret": "…"}}`; `door_tokens_file` names a file that holds the same.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    nats_replicas: int = Field(1, ge=1, le=5, description="servers that keep each stream; 3 in a cluster")
    nats_steward_user: str = Field("", description="makes and repairs streams, consumers and buckets")
    nats_steward_password: SecretStr = SecretStr("")
    database_url: str = Field("sqlite:///var/broadcasts.db", pattern=r"^(sqlite:///|postgresql\+psycopg://).+")
    event_store: str = "sqlite:///var/events.db"
    bots: Annotated[tuple[str, ...], NoDecode] = Field(("main",), min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    metrics_port: int = Field(0, ge=0, le=65_535, description="of /metrics, which no Ingress may lead to; 0: nowhere")
    batch_size: int = Field(250, ge=1, le=500, description="recipients of a batch")
    window_batches: PositiveInt = Field(4, description="outstanding batches of a run")
    sweep_seconds: PositiveFloat = 30
    lease_seconds: PositiveFloat = Field(20, description="an owner silent for so long is given up at stop")
    lease_grace_seconds: PositiveFloat = 5
    test_wait_seconds: PositiveFloat = Field(15, description="how long a test message is waited for")
    live_poll_seconds: PositiveFloat = 0.5
    heartbeat_seconds: PositiveFloat = Field(
        5, description="of live streams; how soon one whose token was revoked ends"
    )
    attachment_max_bytes: int = Field(5 * 1024**2, ge=1, le=50 * 1024**2, description="bots may send 50 MB (Bot API)")
    attachments_max: int = Field(MOST_FILES, ge=1, le=MOST_FILES, description="files of a broadcast")
    attachment_types: Annotated[tuple[str, ...], NoDecode] = Field(USUAL, description="media types")
    attachment_grace_seconds: PositiveFloat = Field(3600, description="a file that nothing uses is kept for so long")
    groups: bool = Field(False, description="groups and channels may be recipients, too")
    approval_above: int | None = Field(
        None, ge=0, description="reachable people that a broadcast may have without approval; unset: any number"
    )
    public_url: str = Field("", pattern=r"^(https?://[^/\s]+)?$", description="the console as browsers see it")
    proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="addresses or networks of the proxies in front: theirs is the word on where a request comes from",
    )
    session_seconds: PositiveFloat = Field(28_800, description="how long somebody stays signed in to the console")
    oidc_issuer: str = Field("", pattern=r"^(https?://\S+)?$", description="without it: local accounts")
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_audience: str = Field("", description="of the JWTs that services send; without it none are taken")
    oidc_claims: dict[str, str] = Field(
        {}, description='{"name": …, "position": …, "roles": …}: which claims hold them'
    )
    oidc_roles: dict[str, str] = Field({}, description='{"hr-senders": "hr=author+sender"}: what a claimed role grants')
    telegram_url: str = "https://api.telegram.org"
    door: Annotated[dict[str, Literal["off", "webhook", "polling"]], NoDecode] = Field({"": "off"})
    door_tokens_file: Path | None = None
    door_tokens: dict[str, DoorTokens] = Field({}, validate_default=True)
    usernames: Annotated[dict[str, str], NoDecode] = Field({}, description="main=company_bot: for invitations")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @field_validator("database_url", mode="before")
    @classmethod
    def _driver(cls, url: object) -> object:
        """A plain `postgresql://` address, as database operators hand it out, is the same for both stores."""
        return url.replace("postgresql://", "postgresql+psycopg://", 1) if isinstance(url, str) else url

    @field_validator("attachment_types")
    @classmethod
    def _recognisable(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for name in types:
            if name not in TYPES:
                raise ValueError(f"{name!r} is not recognised; these are: {', '.join(sorted(TYPES))}")
        return types

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for address in proxies:
            ip_network(address)
        return proxies

    @field_validator("bots", "attachment_types", "proxies", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _provider(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id and self.public_url):
            raise ValueError("BROADCAST_OIDC_ISSUER needs BROADCAST_OIDC_CLIENT_ID and BROADCAST_PUBLIC_URL")
        if self.oidc_issuer and self.oidc_audience == self.oidc_client_id:
            raise ValueError("BROADCAST_OIDC_AUDIENCE must differ from the client id: a sign-in is no API token")
        for granted in self.oidc_roles.values():
            parse_roles(granted)
        return self

    def steward_options(self) -> dict[str, Any] | None:
        """Arguments of `nats.connect` for whoever may make streams; None where nobody here may."""
        if self.nats_steward_user:
            return options(self.nats_url, self.nats_steward_user, self.nats_steward_password, self.nats_ca_file)
        return None if self.nats_user else self.nats_options()

    def doors(self, kind: str) -> dict[str, DoorTokens]:
        """The bots whose door is of this kind, with what it needs."""
        bots = [bot for bot in self.bots if _door_of(self.door, bot) == kind]
        return {bot: self.door_tokens[bot] for bot in bots}

    @field_validator("usernames", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.partition("=") for part in value.split(",") if part.strip()]
        return {bot.strip(): username.strip().removeprefix("@") for bot, _, username in parts}

    @field_validator("usernames")
    @classmethod
    def _usernames_of_bots(cls, usernames: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for bot, username in usernames.items():
            if bot not in info.data.get("bots", ()):
                raise ValueError(f"there is no bot {bot!r}")
            if not USERNAME.fullmatch(username):
                raise ValueError(f"{username!r} is no username of a bot")
        return usernames

    @field_validator("door", mode="before")
    @classmethod
    def _kinds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.rpartition("=") for part in value.split(",")]
        return {bot.strip(): kind.strip() for bot, _, kind in parts}

    @field_validator("door")
    @classmethod
    def _of_bots(cls, door: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for bot in door.keys() - {""}:
            if bot not in info.data.get("bots", ()):
                raise ValueError(f"there is no bot {bot!r}")
        return door

    @field_validator("door_tokens")
    @classmethod
    def _complete(cls, given: dict[str, DoorTokens], info: ValidationInfo) -> dict[str, DoorTokens]:
        if file := info.data.get("door_tokens_file"):
            given = _tokens_in(file)
        for bot in info.data.get("bots", ()):
            tokens = given.get(bot, DoorTokens())
            kind = _door_of(info.data.get("door", {}), bot)
            if kind == "polling" and not tokens.token.get_secret_value():
                raise ValueError(f"polling needs the token of {bot}")
            if kind == "webhook" and not SECRET.fullmatch(tokens.secret.get_secret_value()):
                raise ValueError(
                    f"the webhook of {bot} needs a secret of 16 to 256 characters of A-Z, a-z, 0-9, _ and -"
                )
        return given

    @field_validator("event_store")
    @classmethod
    def _usable(cls, url: str) -> str:
        environment(url)
        return url

    @field_validator("bots")
    @classmethod
    def _valid(cls, bots: tuple[str, ...]) -> tuple[str, ...]:
        for bot in bots:
            if not BOT_NAME.fullmatch(bot):
                raise ValueError(f"{bot!r} is no bot name: up to 32 of a-z, 0-9 and -")
        if len(set(bots)) != len(bots):
            raise ValueError("a bot is named twice")
        return bots


def _door_of(door: Mapping[str, str], bot: str) -> str:
    return door.get(bot, door.get("", "off"))


def _tokens_in(file: Path) -> dict[str, DoorTokens]:
    """Without a word of what stands in the file."""
    try:
        return TypeAdapter(dict[str, DoorTokens]).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ValueError(f"{file} cannot be read: {type(error).__name__}") from None


def read_settings() -> Settings:
    """Raises `BadSettings`."""
    try:
        folder = settings_folder()
    except ValueError as error:
        raise BadSettings(str(error)) from error
    try:
        return Settings(_secrets_dir=folder)
    except SettingsError as error:
        name = found[1] if (found := re.search(r'field "(\w+)"', str(error))) else "DOOR_TOKENS"
        raise BadSettings(f"{PREFIX}{name.upper()}: not valid JSON") from error
    except ValidationError as error:
        fault = error.errors()[0]
        name = f"{PREFIX}{str(fault['loc'][0]).upper()}: " if fault["loc"] else ""
        raise BadSettings(f"{name}{fault['msg']}") from error
