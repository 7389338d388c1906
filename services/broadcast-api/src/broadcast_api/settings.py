"""Everything that can be configured, from the environment: `BROADCAST_NATS_URL` and so on."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from broadcast_api.adapters.event_store import environment
from broadcast_contracts.topology import BOT_NAME

PREFIX = "BROADCAST_"


class BadSettings(ValueError):
    """One line that names the variable and what is wrong with it."""


class Settings(BaseSettings):
    """Times in seconds. The workers read variables with the same prefix: what is none of ours is ignored."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    database_url: str = Field("sqlite:///var/broadcasts.db", pattern=r"^(sqlite:///|postgresql\+psycopg://).+")
    event_store: str = "sqlite:///var/events.db"
    bots: Annotated[tuple[str, ...], NoDecode] = Field(("main",), min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    batch_size: int = Field(250, ge=1, le=500, description="recipients of a batch")
    window_batches: PositiveInt = Field(4, description="outstanding batches of a run")
    sweep_seconds: PositiveFloat = 30
    lease_seconds: PositiveFloat = Field(20, description="an owner silent for so long is given up at stop")
    lease_grace_seconds: PositiveFloat = 5
    test_wait_seconds: PositiveFloat = Field(15, description="how long a test message is waited for")
    live_poll_seconds: PositiveFloat = 0.5
    heartbeat_seconds: PositiveFloat = 15
    groups: bool = Field(False, description="groups and channels may be recipients, too")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @field_validator("bots", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

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


def read_settings() -> Settings:
    """Raises `BadSettings`."""
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadSettings(f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}") from error
