"""Random tokens with 256 bits, of which only the SHA-256 is kept: nothing that is stored lets anybody in."""

import hashlib
import secrets


def new_token(prefix: str = "") -> str:
    """URL-safe text."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """64 hex digits. Fast on purpose: a slow hash protects what people choose, and nobody chose this."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
