"""The page of one broadcast and its buttons."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from broadcast_api.adapters.schema import batches, broadcasts, deliveries, runs
from tests.support.broadcast_api import Api
from tests.support.console import Reader
from tests.support.identity import sign_in

BUTTONS = {"send", "test", "edit", "delete", "stop", "resume", "recall"}
FITTING = {
    "created": {"send", "test", "edit", "delete"},
    "sending": {"stop"},
    "stopping": set(),
    "stopped": {"resume", "recall"},
    "recalling": set(),
    "sent": {"recall"},
}


@pytest.mark.parametrize(("state", "buttons"), FITTING.items())
async def test_a_broadcast_offers_what_fits_its_state(api: Api, reader: Reader, state: str, buttons: set[str]) -> None:
    page = await reader.open(f"/broadcasts/{await api.in_state(state)}")
    assert set(page.buttons()) & BUTTONS == buttons


async def test_the_message_is_shown_as_the_chat_will_show_it(api: Api, reader: Reader) -> None:
    text = '<b>Завтра</b> <a href="https://a.example/">в 9:00</a> <tg-spoiler>тсс</tg-spoiler>'
    broadcast = await api.broadcast(text=text, parse_mode="HTML")
    page = await reader.open(f"/broadcasts/{broadcast['id']}")
    assert '<b>Завтра</b> <a href="https://a.example/"' in page.raw
    assert '<span class="spoiler" tabindex="0">тсс</span>' in page.raw


async def test_sending_is_confirmed_by_audience_number_and_time(api: Api, reader: Reader) -> None:
    await api.people(*range(1, 92))
    broadcast = await api.broadcast()
    page = await reader.open(f"/broadcasts/{broadcast['id']}/send")
    assert "Аудитория Все Получат 91 получатель Займёт около 4 с" in page.text
    sent = await reader.submit(f"/broadcasts/{broadcast['id']}/send", {"version": page.value("version")})
    assert "Идёт отправка" in sent.text
    assert "Отправка началась" in sent.text


async def test_a_double_click_on_send_is_one_run(api: Api, reader: Reader) -> None:
    await api.people(1)
    id = (await api.broadcast())["id"]
    page = await reader.open(f"/broadcasts/{id}/send")
    click: dict[str, str | list[str]] = {"version": page.value("version"), "key": page.value("key")}
    first, second = [await reader.submit(f"/broadcasts/{id}/send", click) for _ in range(2)]
    assert (first.status, second.status) == (200, 200)
    assert (await api.get(id))["run"] == 1


async def test_sending_what_somebody_changed_meanwhile_is_refused_in_plain_words(api: Api, reader: Reader) -> None:
    await api.people(1)
    broadcast = await api.broadcast()
    changes = {"If-Match": '"1"'}
    await api.http.patch(f"/v1/broadcasts/{broadcast['id']}", json={"text": "Другой текст"}, headers=changes)
    page = await reader.submit(f"/broadcasts/{broadcast['id']}/send", {"version": "1"})
    assert page.status == 412
    assert "Кто-то изменил" in page.text
    assert "Другой текст" in page.text, "the page shows what it is now"
    assert (await api.get(broadcast["id"]))["status"] == "created"


@pytest.mark.parametrize(
    ("state", "button", "words"),
    [
        ("sent", "stop", "остановить можно только идущую отправку"),
        ("stopping", "stop", "уже останавливается"),
        ("sending", "resume", "продолжить можно только остановленную"),
        ("created", "recall", "отозвать можно остановленную или отправленную"),
        ("sending", "send", "это возможно только в состоянии «создана»"),
        ("sending", "delete", "это возможно только в состоянии «создана»"),
    ],
)
async def test_a_button_that_no_longer_fits_says_why_and_shows_the_present_state(
    api: Api, reader: Reader, state: str, button: str, words: str
) -> None:
    id = await api.in_state(state)
    page = await reader.submit(f"/broadcasts/{id}/{button}", {})
    assert page.status == 409
    assert words in page.text
    assert f'<span class="status {state}">' in page.raw


async def test_a_stop_in_the_list_leads_back_to_the_list(api: Api, reader: Reader) -> None:
    id = await api.in_state("sending")
    page = await reader.submit(f"/broadcasts/{id}/stop", {"next": "/broadcasts"})
    assert page.path == "/broadcasts"
    assert "Останавливается" in page.text


async def test_what_is_deleted_is_gone_from_the_list(api: Api, reader: Reader) -> None:
    id = (await api.broadcast(name="Лишняя"))["id"]
    page = await reader.submit(f"/broadcasts/{id}/delete", {"version": "1"})
    assert page.path == "/broadcasts"
    assert "Рассылка удалена" in page.text
    assert "Лишняя" not in page.text


async def test_a_test_goes_to_the_person_who_was_found(api: Api, reader: Reader) -> None:
    anna, _ = [*await api.people(1, first_name="Анна"), *await api.people(2, first_name="Пётр")]
    id = (await api.broadcast())["id"]
    page = await reader.open(f"/broadcasts/{id}/test?text=анн")
    assert page.value("recipient_id") == str(anna)
    assert "Пётр" not in page.text
    sent = await reader.submit(f"/broadcasts/{id}/test", {"recipient_id": str(anna)})
    assert "Тестовое сообщение в пути" in sent.text
    assert "Отправлено тестовое сообщение" in sent.text, "the history says so"


async def test_who_did_what_is_told_newest_first(api: Api, reader: Reader) -> None:
    sign_in(reader.http, api.app, name="Анна Петрова", position="Кадры")
    id = await api.in_state("sending")
    page = await reader.submit(f"/broadcasts/{id}/stop", {})
    history = page.text[page.text.index("История") :]
    assert history.index("Запрошена остановка") < history.index("Отправка начата") < history.index("Создана")
    assert "Анна Петрова, Кадры" in history


@pytest.mark.parametrize(("hours", "words"), [(17, "Можно отозвать ещё 30 ч 59 мин, до "), (49, "Прошло 48 часов")])
async def test_how_long_messages_can_be_recalled_counts_from_the_first_send(
    api: Api, reader: Reader, hours: int, words: str
) -> None:
    id = await api.in_state("sent")
    _put(api, id, sent_at=datetime.now(UTC) - timedelta(hours=hours), delivered=1)
    assert words in (await reader.open(f"/broadcasts/{id}")).text


async def test_what_stands_open_after_a_run_is_offered_for_a_decision(api: Api, reader: Reader) -> None:
    id = await api.in_state("sent")
    _put(api, id, failed=1, unconfirmed=2)
    page = await reader.open(f"/broadcasts/{id}")
    assert {"unconfirmed", "resend"} <= set(page.buttons())
    assert "2 получателя могли получить сообщение" in (await reader.open(f"/broadcasts/{id}/unconfirmed")).text
    nobody = await reader.submit(f"/broadcasts/{id}/resend", {})
    assert nobody.status == 409
    assert (await reader.submit(f"/broadcasts/{id}/unconfirmed", {"answer": "leave"})).status == 409


async def test_a_stop_by_the_system_says_why(api: Api, reader: Reader) -> None:
    id = await api.in_state("stopped")
    _put(api, id, stop_cause="content_refused", stop_detail="Bad Request: can't parse entities")
    page = await reader.open(f"/broadcasts/{id}")
    assert "Telegram не принимает этот текст" in page.text
    assert "can't parse entities" in page.text


async def test_a_run_is_drawn_over_time_outcome_upon_outcome(api: Api, reader: Reader) -> None:
    id = await api.in_state("sent")
    _put(api, id, total=10, delivered=6, failed=3, unconfirmed=1)
    with api.database.write() as connection:
        run_id = connection.scalar(select(runs.c.id).where(runs.c.broadcast_id == UUID(id), runs.c.run == 1))
        for batch, timeline in enumerate(({"358000000": [2, 1, 0]}, {"358000002": [4, 1, 1]})):
            row = {"run_id": run_id, "batch": batch, "size": 5, "version": 1, "timeline": timeline}
            connection.execute(insert(batches).values(row))
    page = await reader.open(f"/broadcasts/{id}")
    assert "доставлено 6, не доставлено 3, не подтверждено 1, всего 10" in page.raw
    assert [attributes["class"] for tag, attributes in page.tags if tag == "path" and attributes.get("class")] == [
        *("grid", "delivered", "failed", "unconfirmed")
    ]
    assert "1 получатель был недоступен ещё до начала отправки" in page.text


async def test_the_place_of_the_drawing_is_kept_until_there_is_something_to_see(api: Api, reader: Reader) -> None:
    begun = await reader.open(f"/broadcasts/{await api.in_state('sending')}")
    assert "Ход отправки Первые сообщения уже уходят" in begun.text
    assert "То же в числах" not in begun.text
    assert "Ход отправки" not in (await reader.open(f"/broadcasts/{await api.in_state('created')}")).text


async def test_telegrams_reasons_are_said_in_plain_words_and_its_own_stand_beside_them(
    api: Api, reader: Reader
) -> None:
    id = await api.in_state("sent")
    reason = {"outcome": "refused", "reason": "Bad Request: chat not found"}
    with api.database.write() as connection:
        run_id = connection.scalar(select(runs.c.id).where(runs.c.broadcast_id == UUID(id), runs.c.run == 1))
        row = {"run_id": run_id, "position": 0, "recipient_id": 1, "chat_id": 1001, **reason}
        connection.execute(insert(deliveries).values(row))
    page = await reader.open(f"/broadcasts/{id}")
    assert "Telegram не знает такого чата" in page.text
    assert "chat not found" in page.text


async def test_recipients_come_with_their_outcome_and_as_a_file(api: Api, reader: Reader) -> None:
    id = await api.in_state("sent")
    page = await reader.open(f"/broadcasts/{id}?outcome=blocked")
    assert "С таким итогом никого нет" in page.text
    file = await reader.open(f"/broadcasts/{id}/recipients.csv")
    assert file.headers["content-type"].startswith("text/csv")
    assert "attachment" in file.headers["content-disposition"]


async def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(api: Api, reader: Reader) -> None:
    for path in (f"/broadcasts/{uuid4()}", "/broadcasts/nonsense", "/nowhere"):
        page = await reader.open(path)
        assert page.status == 404
        assert "Не найдено" in page.text
    for path in ("/nowhere", "/v1/nowhere"):
        answer = await api.http.get(path)
        assert answer.headers["content-type"] == "application/problem+json"


def _put(api: Api, id: str, **values: object) -> None:
    """As the duties would have found it."""
    with api.database.write() as connection:
        of_run = {name: values.pop(name) for name in ("total", "delivered", "failed", "unconfirmed") if name in values}
        if values:
            connection.execute(update(broadcasts).where(broadcasts.c.id == UUID(id)).values(**values))
        if of_run:
            connection.execute(update(runs).where(runs.c.broadcast_id == UUID(id)).values(**of_run))
