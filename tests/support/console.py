"""A browser without scripts: it follows links, fills in forms and sees text."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

Attributes = dict[str, str]


@dataclass
class Seen(HTMLParser):
    """A page: its `text` as it is read, every tag with its attributes, and the fields of its forms."""

    status: int
    raw: str
    path: str
    headers: httpx.Headers
    tags: list[tuple[str, Attributes]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """What is read, in one line."""
        return re.sub(r"\s+", " ", " ".join(self.words).replace("\xa0", " "))

    def value(self, name: str) -> str:
        """Of the first field of that name; raises StopIteration when there is none."""
        return next(attributes["value"] for tag, attributes in self.tags if attributes.get("name") == name)

    def links(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a" and "href" in attributes]

    def buttons(self) -> list[str]:
        """Where its forms and links lead, that is: what can be done here."""
        forms = [attributes["action"] for tag, attributes in self.tags if tag == "form" and "action" in attributes]
        return [address.rpartition("/")[2] for address in (*forms, *self.links())]


class Reader:
    """Keeps cookies as a browser does, and sends back the token and version of the page it is on."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def open(self, path: str, **headers: str) -> Seen:
        return seen(await self.http.get(path, headers=headers, follow_redirects=True))

    async def submit(
        self, path: str, fields: dict[str, str | list[str]], headers: dict[str, str] | None = None
    ) -> Seen:
        """Post a form of ours and follow where it leads."""
        if "csrf" not in self.http.cookies:
            await self.open("/broadcasts")
        data = {"csrf": self.http.cookies["csrf"], **fields}
        return seen(await self.http.post(path, data=data, headers=headers or {}, follow_redirects=True))


def seen(answer: httpx.Response) -> Seen:
    """The page of an answer."""
    return Seen(answer.status_code, answer.text, answer.url.path, answer.headers)
