"""Which links Telegram accepts, and how it spells them: an unacceptable link is no error, its text stays plain."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from broadcast_telegram.formatting.entities import Span, unparsable

LONGEST_LINK_TEXT = 4096
"""Code points of a text that is tried as a link of its own (`<a>text</a>`): no message is longer."""

SPACE = " \t\r\n\v\0"
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_PROTOCOL = re.compile(r"([^:/?#@\[\]]*)://")
_AUTHORITY = re.compile(r"[^/?#]*")
_HOST = re.compile(r"(?:[a-z0-9.\-_!$,~*'();&+=]|[^\x00-\x7f]|%[0-9a-f]{2})+")
_UNSPEAKABLE = re.compile(r"[\x00-\x20]")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_MAX_USER_ID = (1 << 40) - 1


def lower(text: str) -> str:
    """ASCII letters in lower case, the rest untouched."""
    return text.translate(_LOWER)


def integer(text: str) -> int | None:
    """A 64-bit integer in its shortest spelling, else None."""
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


def link_span(link: str, start: int, end: int) -> Span | None:
    """The entity of a link: a mention of a user, a link, or nothing."""
    if (user := _user_id(link)) is not None:
        return Span("text_mention", start, end, str(user))
    url = _checked(link)
    return Span("text_link", start, end, url) if url else None


def custom_emoji_id(url: str) -> str:
    """The emoji of `tg://emoji?id=5368324170671202286`; raises FormattingError."""
    url = lower(url)
    if not url.startswith("tg:"):
        raise unparsable("Custom emoji URL must have scheme tg")
    rest = url[3:].removeprefix("//")
    if not re.match(r"emoji(?:[/?#]|$)", rest):
        raise unparsable('Custom emoji URL must have host "emoji"')
    value = _id_of(rest.removeprefix("emoji"))
    if value is None:
        raise unparsable("Custom emoji URL must have an emoji identifier")
    return emoji_number(value)


def emoji_number(text: str) -> str:
    """A custom emoji id as it is; raises FormattingError."""
    if not integer(text):
        raise unparsable("Invalid custom emoji identifier specified")
    return text


def _user_id(link: str) -> int | None:
    link = lower(link)
    if not link.startswith("tg:"):
        return None
    rest = link[3:].removeprefix("//")
    value = _id_of(rest.removeprefix("user")) if rest.startswith("user") else None
    user = integer(value) if value is not None else None
    return user if user is not None and 0 < user <= _MAX_USER_ID else None


def _id_of(rest: str) -> str | None:
    rest = rest.removeprefix("/")
    if not rest.startswith("?"):
        return None
    for parameter in rest[1:].partition("#")[0].split("&"):
        key, _, value = parameter.partition("=")
        if key == "id":
            return value
    return None


@dataclass(frozen=True, slots=True)
class _Url:
    secure: bool
    userinfo: str
    host: str
    port: int
    ipv6: bool
    query: str


def _checked(link: str) -> str:
    """The link as Telegram stores it; empty when it takes it for no link."""
    scheme = next((name for name in ("tg", "ton", "tonsite") if lower(link[: len(name) + 1]) == f"{name}:"), "")
    if scheme:
        link = link[len(scheme) + 1 :].removeprefix("//")
    url = _parsed(link)
    if url is None:
        return ""
    if not scheme:
        if "." not in url.host and not url.ipv6:
            return ""
        userinfo = f"{url.userinfo}@" if url.userinfo else ""
        port = f":{url.port}" if url.port else ""
        return f"{'https' if url.secure else 'http'}://{userinfo}{url.host}{port}{url.query}"
    if lower(link[:7]) == "http://" or url.secure or url.userinfo or url.port or url.ipv6:
        return ""
    if not re.fullmatch(r"[a-z0-9\-_.]+" if scheme == "tonsite" else r"[a-z0-9\-_]+", url.host):
        return ""
    return f"{scheme}://{url.host}{url.query[1:] if url.query.startswith('/?') else url.query}"


def _parsed(url: str) -> _Url | None:
    """Split `[https?://][userinfo@]host[:port][/path][?query][#fragment]`."""
    secure = False
    if match := _PROTOCOL.match(url):
        if lower(match[1]) not in ("http", "https"):
            return None
        secure = lower(match[1]) == "https"
        url = url[match.end() :]
    match = _AUTHORITY.match(url)
    authority = match[0] if match else ""
    port = 0
    last = max(authority.rfind(mark) for mark in ":]@")
    host = authority
    if last > 0 and authority[last] == ":":
        digits = authority[last + 1 :]
        number = integer(digits.lstrip("0") or digits[-1:])
        if number is None or not 0 < number <= 65_535:
            return None
        port, host = number, authority[:last]
    userinfo, _, host = host.rpartition("@")
    host = lower(host)
    ipv6 = host.startswith("[") and host.endswith("]")
    if ipv6:
        if not _is_ipv6(host[1:-1]):
            return None
    elif host == "." or not _HOST.fullmatch(host):
        return None
    query = url[len(authority) :].rstrip(SPACE) or "/"
    query = query if query.startswith("/") else f"/{query}"
    query = _UNSPEAKABLE.sub(lambda found: f"%{ord(found[0]):02X}", query)
    return _Url(secure, userinfo, host, port, ipv6, query)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text
