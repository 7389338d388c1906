"""The SQL tables of identity: accounts, sessions, API keys. Nothing that opens anything here stands in them,
only what it is checked by."""

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table, Text

from broadcast_api.adapters.schema import Id, Time
from broadcast_api.adapters.schema import metadata as metadata

accounts = Table(
    "accounts",
    metadata,
    Column("login", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("password", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
)
"""People who sign in by a password; `password` is an argon2id hash with its parameters. Without an OIDC provider."""

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("subject", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("sign_in_failures_by_subject", "subject", "at"),
)
"""Attempts that did not succeed (yet), twice each: by account and by address. `at` is unix seconds."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("principal", String(200), nullable=False),
    Column("name", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("id_token", Text),
    Index("sessions_of_principal", "principal"),
    Index("sessions_by_expiry", "expires_at"),
)
"""Who is signed in to the console. `token_hash` is the SHA-256 of what the cookie holds.

`id_token` is what the OIDC provider said about them, to be shown to it again at signing out: it opens nothing here.
Null for a local account.
"""

pending_sign_ins = Table(
    "pending_sign_ins",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("next", Text, nullable=False),
    Column("expires_at", Time, nullable=False),
)
"""Who was sent to the OIDC provider and has not come back yet."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("revoked_at", Time),
    Column("last_used_at", Time),
)
"""Keys of services. `key_hash` is a SHA-256: a key has 256 random bits, which no amount of guessing gets through.

`last_used_at` is up to an hour old; null where nobody came with the key, or not since this is written down.
"""
