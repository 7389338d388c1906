"""What a hostile name, page or request can do to the console: nothing."""

import pytest

from broadcast_api.entrypoints.console.page import local_path
from tests.support.broadcast_api import Api
from tests.support.console import Reader, Seen
from tests.support.identity import sign_in

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)' autofocus='",
    "</title></textarea></option><svg onload=alert(1)>",
    "<!--<iframe srcdoc='<script>alert(1)</script>'>",
    "{{ 1337 * 3 }}{% raw %}",
    "javascript:alert(1)//%0aalert(1)",
    "\u202e\u2066<b>тсс</b>",
]
PAGES = ["/broadcasts", "/broadcasts/new", "/audiences", "/audiences/new", "/people", "/you", "/nowhere"]


LEADING = ("href", "src", "action", "formaction", "data-stream", "data-load", "data-canonical")


def assert_harmless(page: Seen) -> None:
    """No script but our own files, no handler, no style, and no link that runs."""
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "style", "base"), tag
        assert tag != "script" or attributes["src"].startswith("/assets/")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "srcdoc"), (tag, name)
            assert name not in LEADING or not value.strip().lower().startswith(("javascript:", "data:"))
    assert "4011" not in page.text


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_words_are_shown_and_never_run(api: Api, reader: Reader, hostile: str) -> None:
    sign_in(reader.http, api.app, name=hostile, position=hostile)
    await api.people(1, first_name=hostile, last_name=hostile, department=hostile, username=hostile[:60])
    audience = await api.audience({"kind": "attributes", "where": {"department": [hostile]}}, name=hostile)
    fields: dict[str, str | list[str]] = {"name": hostile, "text": hostile, "parse_mode": "none"}
    page = await reader.submit("/broadcasts/new", {**fields, "audience_id": audience["id"]})
    assert page.text.count(hostile.split()[0]) > 2
    paths = [page.path, *(f"{page.path}/{ask}" for ask in ("send", "edit", "delete", "test")), *PAGES]
    for path in (*paths, f"/audiences/{audience['id']}", "/broadcasts?text=" + hostile.replace("%", "%25")):
        assert_harmless(await reader.open(path))
    await reader.submit(f"{page.path}/send", {"version": "1"})
    assert_harmless(await reader.open(page.path))


@pytest.mark.parametrize("parse_mode", ["HTML", "MarkdownV2", "none"])
async def test_a_preview_of_hostile_text_is_harmless(reader: Reader, parse_mode: str) -> None:
    for hostile in HOSTILE:
        for text in (
            hostile,
            f'<a href="{hostile}">x</a>',
            f"[x]({hostile})",
            f"<pre><code>{hostile}",
            f"||{hostile}||",
        ):
            assert_harmless(await reader.submit("/broadcasts/preview", {"text": text, "parse_mode": parse_mode}))


async def test_links_of_a_message_lead_to_web_pages_only(reader: Reader) -> None:
    text = '<a href="javascript:alert(1)">a</a> <a href="data:text/html,x">b</a> <a href="https://c.example">c</a>'
    page = await reader.submit("/broadcasts/preview", {"text": text, "parse_mode": "HTML"})
    assert page.links() == ["https://c.example/"]


async def test_every_page_forbids_what_is_not_its_own(reader: Reader) -> None:
    for path in PAGES:
        assert_guarded(await reader.open(path))


def assert_guarded(page: Seen) -> None:
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy
    for rule in ("object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


FORMS = [
    "/broadcasts/new",
    "/broadcasts/{id}/send",
    "/broadcasts/{id}/stop",
    "/broadcasts/{id}/delete",
    "/audiences/new",
]


FORGED: list[tuple[dict[str, str | list[str]], dict[str, str]]] = [
    ({"csrf": ""}, {}),
    ({"csrf": "guessed"}, {}),
    ({}, {"Origin": "http://evil.example"}),
    ({}, {"Origin": "null"}),
    ({}, {"Sec-Fetch-Site": "cross-site"}),
    ({}, {"Sec-Fetch-Site": "same-site"}),
]


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_of_another_site_does_nothing(api: Api, reader: Reader, path: str) -> None:
    id = await api.in_state("sending" if path.endswith("stop") else "created")
    before = await api.get(id)
    for token, headers in FORGED:
        page = await reader.submit(path.format(id=id), {"name": "Чужая", **token}, headers)
        assert page.status == 403
        assert "Ничего не сделано" in page.text
    assert await api.get(id) == before


async def test_a_form_of_ours_says_where_it_comes_from_and_is_taken(api: Api, reader: Reader) -> None:
    id = await api.in_state("sending")
    ours = {"Origin": "http://api", "Sec-Fetch-Site": "same-origin"}
    assert (await reader.submit(f"/broadcasts/{id}/stop", {}, ours)).status == 200


async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(reader: Reader) -> None:
    answer = await reader.http.get("/broadcasts")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]
    secure = await reader.http.get(
        "https://api/broadcasts", headers={"Cookie": f"session={reader.http.cookies['session']}"}
    )
    assert "Secure" in secure.headers["set-cookie"]


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\r\nX: y", "javascript:alert(1)", ""],
)
def test_no_form_leads_to_another_site(path: str) -> None:
    assert local_path(path, "/here") == "/here"


async def test_the_first_page_with_everything_it_needs_is_below_100_kb(api: Api, reader: Reader) -> None:
    for number in range(25):
        await api.broadcast(name=f"Рассылка с длинным наименованием № {number}")
    page = await reader.open("/broadcasts")
    style = next(attributes["href"] for tag, attributes in page.tags if attributes.get("rel") == "stylesheet")
    folder = style.rpartition("/")[0]
    modules = ("console", "audience", "compose", "dialogs", "filters", "marks", "parts", "stream", "times")
    names = ["console.css", "icon.svg", *(f"{name}.js" for name in modules)]
    assets = [await reader.http.get(f"{folder}/{name}") for name in names]
    assert all(asset.status_code == 200 and "immutable" in asset.headers["cache-control"] for asset in assets)
    assert sum(len(asset.content) for asset in assets) + len(page.raw.encode()) < 100_000
