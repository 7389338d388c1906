"""The two languages of the console."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_api.entrypoints.console import wording
from broadcast_api.entrypoints.console import words as module
from broadcast_api.entrypoints.console.words import Words
from broadcast_contracts import Cause
from broadcast_contracts.outcomes import RECALL_OUTCOMES, SEND_OUTCOMES
from tests.support.broadcast_api import Api
from tests.support.console import Reader

CONSOLE = Path(module.__file__).parent
RUSSIAN, ENGLISH = Words("ru", ZoneInfo("Europe/Moscow")), Words("en", ZoneInfo("UTC"))


def test_every_message_of_the_console_is_translated_and_nothing_else() -> None:
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    options = {"templates/**.html": {"silent": "false", "newstyle_gettext": "true"}}
    found = extract_from_dir(str(CONSOLE), methods, options)
    used = {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}
    with (CONSOLE / "locale/ru/LC_MESSAGES/console.po").open("rb") as source:
        catalogue = read_po(source, locale="ru")
    translated = {m.id[0] if isinstance(m.id, tuple) else m.id for m in catalogue if m.id}
    assert used == translated
    for message in catalogue:
        assert all(message.string) if isinstance(message.string, tuple) else message.string or not message.id, (
            message.id
        )
        assert not list(message.check(catalogue)), message.id


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, "1 получатель"), (2, "2 получателя"), (5, "5 получателей"), (11, "11 получателей"), (21, "21 получатель")],
)
async def test_numbers_of_people_are_said_as_russian_says_them(api: Api, reader: Reader, n: int, words: str) -> None:
    await api.people(*range(1, n + 1))
    page = await reader.open(f"/broadcasts/{(await api.broadcast())['id']}/send")
    assert f"Получат {words} " in page.text


@pytest.mark.parametrize(("n", "words"), [(1, "1 recipient"), (2, "2 recipients"), (21, "21 recipients")])
async def test_and_as_english_says_them(api: Api, reader: Reader, n: int, words: str) -> None:
    await api.people(*range(1, n + 1))
    english = {"Accept-Language": "en"}
    page = await reader.open(f"/broadcasts/{(await api.broadcast())['id']}/send", **english)
    assert f"Will get it {words} " in page.text


def test_whatever_can_happen_has_a_word() -> None:
    happened = [event.TOPIC.removeprefix("broadcast.") for event in vars(Broadcast).values() if hasattr(event, "TOPIC")]
    assert set(happened) <= set(wording.WHAT_HAPPENED)
    assert set(SEND_OUTCOMES | RECALL_OUTCOMES) <= set(wording.OUTCOMES)
    assert set(Cause) - {Cause.OPERATOR} == set(wording.CAUSES)
    assert set(Status) | {"stopping"} == set(wording.STATUSES)


def test_large_numbers_are_grouped() -> None:
    assert RUSSIAN.number(1_234_567) == "1\xa0234\xa0567"
    assert ENGLISH.number(1_234_567) == "1,234,567"


def test_times_are_those_of_the_reader() -> None:
    at = datetime(2024, 11, 24, 21, 30, tzinfo=UTC)
    assert RUSSIAN.time(at) == "25 нояб. 2024, 00:30"
    assert ENGLISH.time(at) == "24 Nov 2024, 21:30 UTC"


@pytest.mark.parametrize(
    ("seconds", "russian", "english"),
    [
        (1, "1 с", "1 second"),
        (89, "89 с", "89 seconds"),
        (600, "10 мин", "10 minutes"),
        (111_600, "31 ч", "31 hours"),
        (500_000, "6 дн.", "6 days"),
    ],
)
def test_durations_are_told_roughly(seconds: int, russian: str, english: str) -> None:
    assert RUSSIAN.duration(timedelta(seconds=seconds)) == russian
    assert ENGLISH.duration(timedelta(seconds=seconds)) == english


async def test_the_language_follows_the_browser_until_one_chooses(reader: Reader) -> None:
    assert 'lang="ru"' in (await reader.open("/broadcasts")).raw
    page = await reader.submit("/preferences", {"language": "en", "next": "/people"})
    assert page.path == "/people"
    assert 'lang="en"' in page.raw
    assert "Nobody is connected yet" in page.text


async def test_a_theme_is_kept(reader: Reader) -> None:
    assert 'data-theme="dark"' in (await reader.submit("/preferences", {"theme": "dark", "next": "/people"})).raw
    assert "data-theme" not in (await reader.submit("/preferences", {"theme": "auto", "next": "/people"})).raw


@pytest.mark.parametrize("zone", ["Europe/Moscow", "Nowhere/Nothing", "../../etc/passwd", "\x00", "a" * 500])
async def test_any_time_zone_that_a_browser_names_is_survived(api: Api, reader: Reader, zone: str) -> None:
    await api.in_state("sending")
    reader.http.cookies.set("zone", zone.replace("\x00", "%00"))
    assert (await reader.open("/broadcasts")).status == 200


@pytest.mark.parametrize(
    ("given", "said"), [("2026-01-31", ("31 янв. 2026", "31 Jan 2026")), ("завтра", ("завтра", "завтра"))]
)
def test_a_day_of_a_rule_is_said_as_people_say_it_and_what_is_none_is_shown(given: str, said: tuple[str, str]) -> None:
    assert (RUSSIAN.day(given), ENGLISH.day(given)) == said
