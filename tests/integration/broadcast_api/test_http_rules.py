"""Audiences as rules: what they mean, what is refused and where, who uses them."""

from typing import Any
from uuid import uuid4

from tests.support.broadcast_api import Api, Json

IT: Json = {"field": "department", "in": ["IT"]}
EVERYONE: Json = {"kind": "everyone"}


def by(rule: Json) -> Json:
    return {"kind": "rule", "rule": rule}


async def preview(api: Api, rule: Json) -> Json:
    answer = await api.http.post("/v1/audiences/preview", json={"bot": "main", "definition": by(rule)})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def chats(api: Api, rule: Json) -> list[int]:
    return [person["chat_id"] for person in (await preview(api, rule))["sample"]]


async def people(api: Api) -> None:
    await api.people(1, department="IT", position="lead", joined_at="2025-06-01T00:00:00Z", tags=["a"])
    await api.people(2, department="IT", language="en", joined_at="2026-01-01T00:00:00Z", tags=["A", "b"])
    await api.people(3, department="HR", kind="contractor", joined_at="2026-02-01T00:00:00Z")
    await api.people(4, joined_at="2026-02-01T12:00:00Z", status="blocked")
    await api.people(5, bot="other", department="IT")


async def test_each_part_of_a_rule_means_what_it_says(api: Api) -> None:
    await people(api)
    cases: list[tuple[Json, list[int]]] = [
        (IT, [1, 2]),
        ({"not": IT}, [3, 4]),
        ({"not": {"not": IT}}, [1, 2]),
        ({"field": "kind", "in": ["contractor"]}, [3]),
        ({"field": "tags", "in": ["A"]}, [1, 2]),
        ({"not": {"field": "tags", "in": ["a", "b"]}}, [3, 4]),
        ({"field": "tags", "in": ["%", "_", "a\nb"]}, []),
        ({"field": "tags", "in": [*"cdefghijk", "B"]}, [2]),
        ({"not": {"field": "tags", "in": [*"cdefghijk", "B"]}}, [1, 3, 4]),
        ({"field": "joined", "before": "2026-01-01"}, [1]),
        ({"field": "joined", "after": "2026-01-01"}, [2, 3, 4]),
        ({"field": "joined", "after": "2026-01-01", "before": "2026-02-01"}, [2]),
        ({"not": {"field": "joined", "after": "2026-01-01", "before": "2026-02-01"}}, [1, 3, 4]),
        ({"all": [IT, {"field": "position", "in": ["lead"]}]}, [1]),
        ({"not": {"all": [IT, {"field": "position", "in": ["lead"]}]}}, [2, 3, 4]),
        ({"any": [{"field": "language", "in": ["en"]}, {"field": "department", "in": ["HR"]}]}, [2, 3]),
        ({"not": {"any": [{"field": "language", "in": ["en"]}, {"field": "department", "in": ["HR"]}]}}, [1, 4]),
        ({"field": "department", "in": ["'; DROP TABLE recipients; --"]}, []),
    ]
    for rule, expected in cases:
        assert await chats(api, rule) == expected, rule


async def test_a_preview_says_how_many_are_left_out_and_why(api: Api) -> None:
    await api.people(*range(1, 16), department="IT")
    for chat, status in ((20, "blocked"), (21, "blocked"), (22, "deactivated"), (23, "not_started")):
        await api.people(chat, department="IT", status=status)
    found = await preview(api, IT)
    assert {name: found[name] for name in found if name != "sample"} == {
        "total": 19,
        "reachable": 15,
        "blocked": 2,
        "deactivated": 1,
        "not_started": 1,
    }
    assert len(found["sample"]) == 10


async def test_an_audience_may_be_part_of_another_and_be_left_out_of_it(api: Api) -> None:
    await people(api)
    everybody = (await api.http.get("/v1/recipients", params={"bot": "main"})).json()["items"]
    ids = [person["id"] for person in everybody if person["chat_id"] in (1, 3)]
    listed = await api.audience({"kind": "list", "recipient_ids": ids}, name="list")
    inner = await api.audience(by({"any": [IT, {"audience": listed["id"]}]}), name="inner")
    attributes = await api.audience({"kind": "attributes", "where": {"department": ["HR"]}}, name="hr")
    everyone = await api.audience(name="everyone")
    assert await chats(api, {"audience": inner["id"]}) == [1, 2, 3]
    assert await chats(api, {"all": [{"audience": inner["id"]}, {"not": {"audience": listed["id"]}}]}) == [2]
    assert await chats(api, {"not": {"audience": attributes["id"]}}) == [1, 2, 4]
    assert await chats(api, {"not": {"audience": everyone["id"]}}) == []
    outer = await api.audience(by({"audience": inner["id"]}), name="outer")
    assert (await api.http.get(f"/v1/audiences/{outer['id']}/preview")).json()["total"] == 3


async def test_what_cannot_be_resolved_is_refused_with_its_place(api: Api) -> None:
    foreign = await api.audience(bot="other")
    deep: Json = IT
    for _ in range(8):
        deep = {"not": deep}
    bad: dict[str, tuple[Any, str]] = {
        "unknown field": ({"all": [IT, {"field": "salary", "in": ["1"]}]}, "rule/all/1"),
        "no value": ({"not": {"field": "department", "in": []}}, "rule/not/in"),
        "a number": ({"field": "department", "in": [1]}, "rule/in/0"),
        "NUL": ({"field": "department", "in": ["a\0"]}, "rule/in/0"),
        "no rule": ({"any": []}, "rule"),
        "two forms at once": ({"any": [IT], "all": [IT]}, "rule"),
        "a null beside": ({**IT, "x": None}, "rule"),
        "no bound": ({"field": "joined"}, "rule"),
        "no day": ({"field": "joined", "before": "yesterday"}, "rule/before"),
        "no id": ({"audience": "everyone"}, "rule"),
        "unknown audience": ({"any": [IT, {"audience": str(uuid4())}]}, "rule/any/1"),
        "another bot's audience": ({"audience": foreign["id"]}, "rule"),
        "too deep": (deep, "rule" + "/not" * 8),
        "1,000 branches": ({"any": [IT] * 1_000}, "rule"),
        "our own form": ({"ids": [1]}, "rule"),
        "nothing": ({}, "rule"),
    }
    for case, (rule, path) in bad.items():
        for address in ("/v1/audiences", "/v1/audiences/preview"):
            body = {"bot": "main", "definition": by(rule), **({"name": "x"} if address == "/v1/audiences" else {})}
            answer = await api.http.post(address, json=body)
            assert (answer.status_code, answer.json()["type"]) == (422, "urn:broadcasts:problem:bad_definition"), case
            assert answer.json()["path"] == path, case
            assert path in answer.json()["detail"], case


async def test_the_reason_is_told_in_the_language_of_the_request(api: Api) -> None:
    body = {"bot": "main", "definition": by({"field": "salary", "in": ["1"]})}
    for language, reason in (
        ("ru", "поля «salary» нет; есть: kind, department, position, language, tags, joined"),
        ("en", "there is no field “salary”; known: kind, department, position, language, tags, joined"),
    ):
        answer = await api.http.post("/v1/audiences/preview", json=body, headers={"Accept-Language": language})
        assert (answer.json()["reason"], answer.json()["fault"]) == (reason, "unknown_field")
        assert reason in answer.json()["detail"]


async def test_a_body_nested_without_end_is_refused(api: Api) -> None:
    rule = '{"not":' * 50_000 + "{}" + "}" * 50_000
    body = f'{{"bot": "main", "definition": {{"kind": "rule", "rule": {rule}}}}}'
    headers = {"Content-Type": "application/json"}
    answer = await api.http.post("/v1/audiences/preview", content=body, headers=headers)
    assert answer.status_code in (400, 422)


async def test_audiences_cannot_go_in_circles(api: Api) -> None:
    first = await api.audience(name="first")
    second = await api.audience(by({"audience": first["id"]}), name="second")
    for definition in (by({"audience": first["id"]}), by({"any": [IT, {"not": {"audience": second["id"]}}]})):
        answer = await api.http.patch(
            f"/v1/audiences/{first['id']}", json={"definition": definition}, headers={"If-Match": '"1"'}
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:broadcasts:problem:bad_definition")
        assert "itself" in answer.json()["reason"]


async def test_audiences_that_grew_too_large_together_are_refused_and_the_largest_allowed_is_answered(api: Api) -> None:
    wide = await api.audience(by({"not": {"any": [IT] * 190}}), name="wide")
    assert (await preview(api, {"any": [{"audience": wide["id"]}, {"audience": wide["id"]}]}))["total"] == 0
    answer = await api.http.post(
        "/v1/audiences/preview",
        json={"bot": "main", "definition": by({"any": [{"audience": wide["id"]}] * 3})},
    )
    assert (answer.status_code, "more than 400 parts" in answer.json()["reason"]) == (422, True)


async def test_an_audience_says_who_uses_it_and_stays_usable_for_them_when_archived(api: Api) -> None:
    await people(api)
    inner = await api.audience(by(IT), name="inner")
    outer = await api.audience(by({"not": {"audience": inner["id"]}}), name="outer")
    broadcast = await api.broadcast(audience_id=inner["id"])
    used = (await api.http.get(f"/v1/audiences/{inner['id']}/usage")).json()
    assert [(by["id"], by["status"]) for by in used["broadcasts"]] == [(broadcast["id"], "created")]
    assert [by["name"] for by in used["audiences"]] == ["outer"]
    assert (await api.http.get(f"/v1/audiences/{uuid4()}/usage")).status_code == 404

    assert (await api.http.delete(f"/v1/audiences/{inner['id']}")).status_code == 204
    assert (await api.http.get(f"/v1/audiences/{outer['id']}/preview")).json()["total"] == 2
    new = await api.http.post(
        "/v1/audiences", json={"bot": "main", "name": "x", "definition": by({"audience": inner["id"]})}
    )
    assert "archived" in new.json()["reason"]


async def test_send_refuses_an_audience_that_can_no_longer_be_resolved(api: Api) -> None:
    await people(api)
    inner = await api.audience(by(IT), name="inner")
    outer = await api.audience(by({"any": [{"audience": inner["id"]}] * 100}), name="outer")
    broadcast = await api.broadcast(audience_id=outer["id"])
    await api.http.patch(
        f"/v1/audiences/{inner['id']}",
        json={"definition": by({"any": [IT] * 10})},
        headers={"If-Match": '"1"'},
    )
    answer = await api.press("send", broadcast["id"])
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:broadcasts:problem:bad_definition")
    assert (await api.get(broadcast["id"]))["status"] == "created"
