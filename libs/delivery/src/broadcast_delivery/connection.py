"""How a service presents itself to NATS: the settings, and what they mean for nats-py and FastStream."""

import ssl
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, model_validator


class NatsSettings(BaseModel):
    """A part of every service's settings. Without `nats_user` the server must let anybody in: a developer's.

    `nats_ca_file` is the certificate authority that signed the server's certificate. With it nothing is said or read
    before the TLS handshake, so that nobody in between can talk a service out of it: the server must say
    `tls { handshake_first: auto }` (NATS 2.10).
    """

    nats_url: str = "nats://127.0.0.1:4222"
    nats_user: str = ""
    nats_password: SecretStr = SecretStr("")
    nats_ca_file: Path | None = None

    @model_validator(mode="after")
    def _has_password(self) -> "NatsSettings":
        if self.nats_user and not self.nats_password.get_secret_value():
            raise ValueError("BROADCAST_NATS_USER needs BROADCAST_NATS_PASSWORD")
        return self

    def nats_options(self) -> dict[str, Any]:
        """Arguments of `nats.connect`."""
        return options(self.nats_url, self.nats_user, self.nats_password, self.nats_ca_file)


def options(url: str, user: str, password: SecretStr, ca: Path | None) -> dict[str, Any]:
    """Arguments of `nats.connect`; everybody with a name has an inbox of his own, which nobody else may read."""
    found: dict[str, Any] = {"servers": url}
    if user:
        found |= {"user": user, "password": password.get_secret_value(), "inbox_prefix": inbox_of(user)}
    if ca:
        found |= {"tls": ssl.create_default_context(cafile=str(ca)), "tls_handshake_first": True}
    return found


def inbox_of(user: str) -> str:
    """Where the answers to this identity arrive."""
    return f"_INBOX_{user}" if user else "_INBOX"
