"""Whatever is wrong with a request, the answer is a problem document and never a 500."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from broadcast_api.application.broadcasts import Broadcasts
from tests.support.broadcast_api import Api

BAD_BROADCASTS: list[tuple[str, dict[str, Any], str]] = [
    ("no name", {"name": ""}, "bad_name"),
    ("only spaces", {"name": "   "}, "bad_name"),
    ("name too long", {"name": "x" * 201}, "bad_name"),
    ("line break in the name", {"name": "a\nb"}, "bad_name"),
    ("bell in the name", {"name": "a\x07b"}, "bad_name"),
    ("NUL in the name", {"name": "a\x00b"}, "invalid"),
    ("NUL in the text", {"text": "a\x00b"}, "invalid"),
    ("empty text", {"text": ""}, "bad_text"),
    ("nothing but markup", {"text": "<b></b>", "parse_mode": "HTML"}, "bad_text"),
    ("text too long", {"text": "я" * 4097}, "bad_text"),
    ("markup not closed", {"text": "привет <b>мир", "parse_mode": "HTML"}, "bad_text"),
    ("unknown parse mode", {"parse_mode": "Markdown"}, "invalid"),
    ("number for a text", {"text": 5}, "invalid"),
    ("null", {"text": None}, "invalid"),
    ("unknown field", {"colour": "red"}, "invalid"),
    ("unknown bot", {"bot": "nobody"}, "unknown_bot"),
    ("unknown audience", {"audience_id": "00000000-0000-0000-0000-000000000000"}, "unknown_audience"),
    ("no UUID", {"audience_id": "7"}, "invalid"),
]


async def test_a_bad_broadcast_is_refused_at_create_and_at_edit(api: Api) -> None:
    draft = await api.draft()
    id = (await api.broadcast(**draft))["id"]
    for case, change, code in BAD_BROADCASTS:
        expected = (422, f"urn:broadcasts:problem:{code}")
        created = await api.http.post("/v1/broadcasts", json={**draft, **change})
        assert (created.status_code, created.json()["type"]) == expected, case
        if "bot" not in change:
            edited = await api.http.patch(f"/v1/broadcasts/{id}", json=change, headers={"If-Match": '"1"'})
            assert (edited.status_code, edited.json()["type"]) == expected, case
    assert (await api.get(id))["version"] == 1


async def test_a_text_telegram_would_refuse_is_refused_with_the_byte_where_it_goes_wrong(api: Api) -> None:
    draft = await api.draft(text="привет </i>", parse_mode="HTML")
    problem = (await api.http.post("/v1/broadcasts", json=draft)).json()
    assert problem["byte_offset"] == len("привет ".encode())
    assert "unexpected end tag" in problem["detail"].lower()


async def test_4096_characters_after_the_markup_are_accepted(api: Api) -> None:
    await api.broadcast(text="<b>" + "я" * 4096 + "</b>", parse_mode="HTML")


async def test_an_audience_of_another_bot_is_refused(api: Api) -> None:
    other = (await api.audience(bot="other"))["id"]
    problem = (await api.http.post("/v1/broadcasts", json=await api.draft(audience_id=other))).json()
    assert (problem["type"], problem["audience_bot"]) == ("urn:broadcasts:problem:other_bot", "other")


BAD_BODIES = [
    (b"{", 400, "malformed"),
    (b"\xff\xfe", 400, "malformed"),
    (b"[" * 100_000, 400, "malformed"),
    (b"", 422, "invalid"),
    (b"[]", 422, "invalid"),
    (b"null", 422, "invalid"),
    (b'{"name": "\\ud800"}', 422, "invalid"),
    (b'{"bot": 1e999}', 422, "invalid"),
    (b'"' + b"x" * 1024**2 + b'"', 413, "too_large"),
]


async def test_a_body_that_is_no_broadcast_is_refused(api: Api) -> None:
    for body, status, code in BAD_BODIES:
        answer = await api.http.post("/v1/broadcasts", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:broadcasts:problem:{code}"), body[:40]


async def test_a_body_that_grows_too_large_while_it_is_read_is_refused(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    answer = await api.http.post("/v1/broadcasts", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["limit"]) == (413, 1024**2)


REFUSED = [
    ("GET", "/v1/nothing", 404),
    ("DELETE", "/v1/broadcasts", 405),
    ("GET", "/v1/broadcasts/7", 422),
    ("GET", "/v1/broadcasts/00000000-0000-0000-0000-000000000000", 404),
    ("GET", "/v1/broadcasts/00000000-0000-0000-0000-000000000000/deliveries", 404),
    ("GET", "/v1/broadcasts/00000000-0000-0000-0000-000000000000/live", 404),
    ("GET", "/v1/broadcasts/00000000-0000-0000-0000-000000000000/test/1", 404),
    ("POST", "/v1/broadcasts/00000000-0000-0000-0000-000000000000/send", 404),
    ("GET", "/v1/broadcasts?limit=0", 422),
    ("GET", "/v1/broadcasts?limit=501", 422),
    ("GET", "/v1/broadcasts?limit=x", 422),
    ("GET", "/v1/broadcasts?status=gone", 422),
    ("GET", "/v1/broadcasts?cursor=nonsense", 422),
    ("GET", "/v1/broadcasts?cursor=WzFd", 422),
    ("GET", "/v1/broadcasts?cursor=WyIyMDI2LTAxLTAxIiwieCJd", 422),
    ("GET", "/v1/broadcasts?text=%00", 422),
    ("GET", "/v1/recipients?cursor=WyJ4Il0", 422),
    ("GET", "/v1/recipients?cursor=WzFlOTld", 422),
    ("GET", "/v1/recipients?bot=%00", 422),
    ("GET", "/v1/recipients/0", 422),
    ("GET", "/v1/recipients/9223372036854775808", 422),
    ("GET", "/v1/recipients/9223372036854775807", 404),
    ("GET", "/v1/audiences/x", 422),
]

NOBODY = "0" * 32
CURSORS = [
    f"[{2**63}]",
    f"[{-(2**63)}]",
    f"[{10**600}]",
    "[1.5]",
    "[true]",
    "[null]",
    "[NaN]",
    "[]",
    "7",
    '{"7": 7}',
    "[" * 700,
    f'["0001-01-01T00:00:00+14:00", "{NOBODY}"]',
    f'["-delivered", {2**31}, "{NOBODY}", false]',
    f'["-delivered", true, "{NOBODY}", false]',
    f'["-created", {2**63}, "{NOBODY}", false]',
    f'["name", "\\ud800", "{NOBODY}", false]',
    f'["name", "\\u0000", "{NOBODY}", false]',
]


async def test_a_cursor_that_no_list_wrote_is_refused(api: Api) -> None:
    id = await api.in_state("sending")
    lists = ("audiences", "recipients", "audit", f"broadcasts/{id}/deliveries")
    sorted_lists = (f"broadcasts?sort={sort}" for sort in ("-created", "name", "-sent", "-delivered"))
    for path in (*lists, *sorted_lists):
        for cursor in CURSORS:
            given = {"cursor": base64.urlsafe_b64encode(cursor.encode()).decode().rstrip("=")}
            answer = await api.http.get(httpx.URL(f"/v1/{path}").copy_merge_params(given))
            found = (answer.status_code, answer.json()["type"])
            assert found == (422, "urn:broadcasts:problem:bad_cursor"), (path, cursor[:60])


async def test_a_parameter_that_the_route_does_not_know_is_refused_by_its_name(api: Api) -> None:
    """A misspelt one would quietly mean something else: everybody listed, nobody erased."""
    (person,) = await api.people(7)
    for method, path, name in (
        ("GET", "/v1/recipients?limit=5&departmant=IT", "departmant"),
        ("DELETE", f"/v1/recipients/{person}?eraze=true", "eraze"),
        ("GET", "/v1/bots?_=1", "_"),
        ("POST", "/v1/broadcasts?dry_run=1", "dry_run"),
        ("GET", "/v1/audit?Limit=5", "Limit"),
    ):
        answer = await api.http.request(method, path)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:broadcasts:problem:invalid"), path
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
            (f"query:{name}", "extra_forbidden")
        ]
    assert (await api.http.get(f"/v1/recipients/{person}")).status_code == 200
    assert (await api.http.get("/v1/bots?_=1", headers={"Authorization": ""})).status_code == 401


async def test_every_refusal_has_the_same_shape(api: Api) -> None:
    for method, path, status in REFUSED:
        answer = await api.http.request(method, path, headers={"X-Request-Id": "my-id"})
        problem = answer.json()
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json", path
        assert answer.headers["x-request-id"] == problem["request_id"] == "my-id", path
        assert (problem["status"], problem["instance"]) == (status, path.partition("?")[0])
        assert problem["type"].startswith("urn:broadcasts:problem:"), path
        assert problem["title"], path
        assert problem["detail"], path


async def test_a_wrong_method_says_which_are_right(api: Api) -> None:
    assert set((await api.http.put("/v1/bots")).headers["allow"].split(", ")) >= {"GET"}


async def test_a_problem_is_told_in_the_language_of_the_reader(api: Api) -> None:
    russian, english = "Не найдено", "Not found"
    wishes = {"ru": russian, "en;q=0.5, ru-RU;q=0.9": russian, "de": english, "": english, "q=;,": english}
    for accept, title in wishes.items():
        answer = await api.http.get("/v1/recipients/5", headers={"Accept-Language": accept})
        assert answer.json()["title"] == title, accept
        assert "accept-language" in answer.headers["vary"].lower()


async def test_a_validation_problem_points_at_the_field(api: Api) -> None:
    answer = await api.http.post("/v1/broadcasts", json={"bot": "main", "name": "x", "text": 5, "audience_id": "7"})
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/text", "/audience_id"}


async def test_a_failure_of_ours_tells_nothing_about_our_insides(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Broadcasts, "standing", explode)
    answer = await api.http.get("/v1/broadcasts/00000000-0000-0000-0000-000000000000")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:broadcasts:problem:internal")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_a_key_that_cannot_be_kept_is_refused(api: Api) -> None:
    draft = await api.draft()
    for key in ("", "x" * 201, "a\tb"):
        answer = await api.http.post("/v1/broadcasts", json=draft, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:broadcasts:problem:bad_key"), key


async def test_the_openapi_document_names_the_problems_of_every_route(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "ProblemDocument" in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            if path.startswith("/v1/broadcasts/{id}"):
                problem = operation["responses"]["404"]["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/ProblemDocument"}, (method, path)


@pytest.mark.parametrize("field", ["status", "approval", "created_by", "version"])
async def test_a_field_that_no_caller_may_set_is_refused(api: Api, field: str) -> None:
    answer = await api.http.post("/v1/broadcasts", json=await api.draft() | {field: "x"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{field}")


async def test_no_page_runs_scripts_of_another_site(api: Api) -> None:
    for path in ("/docs", "/redoc"):
        assert (await api.http.get(path)).status_code == 404
