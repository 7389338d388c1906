"""The main job by clicks, in both languages, in a real browser on a real system."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, FilePayload, expect

from tests.e2e.console.conftest import PEOPLE
from tests.e2e.console.officials import Official
from tests.support.identity import add_account
from tests.support.system import System

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("console"),
]


ENGLISH = {
    "Рассылок пока нет": "No broadcasts yet",
    "Создать рассылку": "Create broadcast",
    "Наименование рассылки": "Name of the broadcast",
    "Аудитория": "Audience",
    "Текст": "Text",
    "Жирный": "Bold",
    "Создана": "Created",
    "Отправить рассылку": "Send broadcast",
    f"{PEOPLE} получателей": f"{PEOPLE} recipients",
    f"Отправить {PEOPLE} получателям": f"Send to {PEOPLE} recipients",
    "Идёт отправка": "Sending",
    "в секунду": "a second",
    "Остановить отправку": "Stop sending",
    "Остановлена": "Stopped",
    "Продолжить отправку": "Resume sending",
    "Отправлено": "Sent",
    "Можно отозвать ещё 47 ч 5. мин": "Can be recalled for another 47 h 5. min",
    "Отозвать сообщения": "Recall messages",
    "Эти сообщения отозваны": "These messages were recalled",
}


@pytest.mark.parametrize("locale", ["ru-RU", "en-GB"])
async def test_an_official_creates_sends_stops_resumes_and_recalls_while_another_watches(
    slow_system: System, browser: Browser, locale: str
) -> None:
    def say(words: str) -> str:
        return words if locale == "ru-RU" else ENGLISH[words]

    system = slow_system
    anna = await Official.sit_down(browser, system.stack, locale=locale)
    boris = await Official.sit_down(browser, system.stack, locale=locale)
    await boris.open("/broadcasts")
    await boris.sees(say("Рассылок пока нет"))

    await anna.open("/")
    await anna.press(say("Создать рассылку"))
    await anna.page.get_by_label(say("Наименование рассылки")).fill("Учебная тревога")
    await anna.page.get_by_label(say("Аудитория"), exact=True).select_option(label="Все сотрудники и подрядчики")
    await anna.sees(re.compile(f"{PEOPLE}"))
    text = anna.page.get_by_label(say("Текст"), exact=True)
    await text.fill("Завтра в 9:00")
    await text.select_text()
    await anna.press(say("Жирный"))
    await expect(anna.page.locator("#preview .bubble b")).to_have_text("Завтра в 9:00")
    await anna.press(say("Создать рассылку"))
    await anna.sees_status(say("Создана"))

    row = boris.page.get_by_role("row", name="Учебная тревога")
    await expect(row).to_contain_text("Анна Петрова")
    await anna.press(say("Отправить рассылку"))
    await anna.sees(say(f"{PEOPLE} получателей"))
    await anna.press(say(f"Отправить {PEOPLE} получателям"), within="dialog")
    await anna.sees_status(say("Идёт отправка"))

    await expect(row.locator(".status")).to_have_text(say("Идёт отправка"))
    shown = row.locator(".count")
    before = await shown.inner_text()
    await expect(shown).not_to_have_text(before)
    await row.get_by_role("link").click()
    await boris.sees(re.compile(say("в секунду")))
    await anna.press(say("Остановить отправку"))
    await asyncio.sleep(1)
    a_second_later = (await system.totals())["sent"]
    await anna.sees_status(say("Остановлена"))
    await boris.sees_status(say("Остановлена"))
    stopped_at = await boris.count()
    assert 0 < stopped_at == a_second_later < PEOPLE, "nothing left later than a second after the click"
    assert stopped_at == await anna.count() == (await system.totals())["sent"]

    await boris.press(say("Продолжить отправку"))
    await anna.sees_status(say("Отправлено"))
    assert await anna.count() == PEOPLE
    await anna.sees(re.compile(say("Можно отозвать ещё 47 ч 5. мин")))
    await anna.press(say("Отозвать сообщения"))
    await anna.press(say("Отозвать сообщения"), within="dialog")
    await boris.sees_status(say("Создана"))
    await boris.sees(say("Эти сообщения отозваны"))
    totals = await system.totals()
    assert (totals["sent"], totals["present"], totals["duplicates"]) == (PEOPLE, 0, 0)
    assert anna.errors + boris.errors == []


async def test_a_draft_survives_a_reload_and_leaves_once_it_is_saved(system: System, browser: Browser) -> None:
    anna = await Official.sit_down(browser, system.stack)
    await anna.open("/broadcasts/new")
    await anna.page.get_by_label("Наименование рассылки").fill("Долгое письмо")
    await anna.page.get_by_label("Текст", exact=True).fill("Дорогие <коллеги>")
    await anna.sees(re.compile("Строка 1, символ 9"))
    await anna.page.reload()
    await anna.sees("Несохранённый текст восстановлен.")
    await expect(anna.page.get_by_label("Текст", exact=True)).to_have_value("Дорогие <коллеги>")
    await anna.page.get_by_label("Текст", exact=True).fill("Дорогие коллеги")

    await anna.press("Новая аудитория")
    dialog = anna.page.get_by_role("dialog")
    await dialog.get_by_label("Название аудитории").fill("Кадры")
    await dialog.get_by_text("Кадры", exact=True).first.click()  # the second is in the builder
    await expect(dialog.locator("#audience-reach")).to_contain_text("12 получателей")
    await anna.press("Создать аудиторию", within="dialog")
    await expect(anna.page.get_by_label("Аудитория", exact=True)).to_have_value(re.compile(r"[0-9a-f-]{36}"))
    await expect(anna.page.locator("#reach")).to_contain_text("12 получателей")
    await anna.page.route("**/console.js", lambda route: route.abort())  # who leaves at once is quicker than a script
    await anna.press("Создать рассылку")
    await anna.sees_status("Создана")
    await anna.page.unroute("**/console.js")
    anna.errors.clear()
    await anna.open("/broadcasts/new")
    await anna.page.wait_for_function("localStorage.getItem('draft:new') === null")
    await expect(anna.page.get_by_label("Текст", exact=True)).to_have_value("")
    assert anna.errors == []


async def test_a_draft_survives_a_session_that_ended(system: System, browser: Browser) -> None:
    anna = await Official.sit_down(browser, system.stack)
    await asyncio.to_thread(add_account, system.stack.database_url, "anna", "a-long-password")
    await anna.open("/broadcasts/new")
    await anna.page.get_by_label("Наименование рассылки").fill("Долгое письмо")
    await anna.page.get_by_label("Аудитория", exact=True).select_option(label="Все сотрудники и подрядчики")
    await anna.page.get_by_label("Текст", exact=True).fill("Дорогие коллеги")
    await anna.page.context.clear_cookies(name="session")
    await anna.press("Создать рассылку")
    await anna.page.get_by_label("Логин").fill("anna")
    await anna.page.get_by_label("Пароль").fill("a-long-password")
    await anna.press("Вход")
    await anna.sees("Несохранённый текст восстановлен.")
    await expect(anna.page.get_by_label("Текст", exact=True)).to_have_value("Дорогие коллеги")
    await anna.press("Создать рассылку")
    await anna.sees_status("Создана")
    await anna.sees("Дорогие коллеги")


async def test_the_list_is_right_after_a_laptop_slept(system: System, browser: Browser) -> None:
    anna = await Official.sit_down(browser, system.stack)
    id = await system.broadcast(await system.audience())
    await anna.open("/broadcasts")
    await expect(anna.page.locator(f"#b-{id} .status")).to_have_text("Создана")
    await anna.page.context.set_offline(True)
    await system.limits(rate=0)
    await system.press("send", id)
    await system.until_status(id, "sent")
    await asyncio.sleep(1)
    await anna.page.context.set_offline(False)
    row = anna.page.locator(f"#b-{id}")
    await expect(row.locator(".status")).to_have_text("Отправлено", timeout=30_000)
    await expect(row.locator(".count")).to_have_text(f"{PEOPLE} из {PEOPLE}")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_every_page_can_be_used_by_everybody(system: System, browser: Browser, scheme: str, width: int) -> None:
    id = await system.broadcast(await system.audience(), "<b>Завтра</b> <i>в 9:00</i>", parse_mode="HTML")
    sent = await system.broadcast(await system.audience("IT"))
    await system.limits(rate=0)
    await system.press("send", sent)
    await system.until_status(sent, "sent")
    window = {"width": width, "height": 844}
    anna = await Official.sit_down(browser, system.stack, color_scheme=scheme, viewport=window)
    audience = (await system.get(id))["audience"]["id"]
    asks = [f"/broadcasts/{id}/{ask}" for ask in ("send", "test", "delete", "edit")]
    pages = ["/broadcasts", "/broadcasts/new", f"/broadcasts/{id}", f"/broadcasts/{sent}", *asks, "/audiences"]
    found: list[str] = []
    for path in (*pages, "/audiences/new", f"/audiences/{audience}", "/people", "/you"):
        await anna.open(path)
        found += await anna.inaccessible()
        wide = await anna.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, f"{path} is wider than the window"
    await anna.open(f"/broadcasts/{id}")
    await anna.press("Отправить рассылку")
    await anna.sees(re.compile(f"{PEOPLE} получателей"))
    found += await anna.inaccessible()
    assert found == []
    assert anna.errors == []


async def test_nothing_jumps_under_the_eyes_of_who_watches_or_writes(system: System, browser: Browser) -> None:
    audience = await system.audience()
    ids = [await system.broadcast(audience, name=f"Учебная тревога № {n}") for n in range(1, 7)]
    await system.limits(rate=20)
    await system.fault(method="sendMessage", kind="server_error_after", next=3)
    windows = [{"width": 1280, "height": 800}, {"width": 360, "height": 800}]
    officials = [await Official.sit_down(browser, system.stack, viewport=window) for window in windows * 4]
    lists, watchers, writers, waiting = officials[:2], officials[2:4], officials[4:6], officials[6:]
    for official in lists:
        await official.open("/broadcasts")
    for official in waiting:
        await official.open(f"/broadcasts/{ids[3]}")
        await official.sees_status("Создана")
    for official in writers:
        await official.open("/broadcasts/new")
        await official.page.get_by_label("Текст", exact=True).fill("Завтра\nв 9:00")
        await official.page.get_by_label("Аудитория", exact=True).select_option(index=1)
        await official.page.reload()
        await official.sees("Несохранённый текст восстановлен.")
        await expect(official.page.locator("#preview .bubble")).to_contain_text("Завтра")

    await system.press("send", ids[3])
    for official in watchers:
        await official.open(f"/broadcasts/{ids[3]}")
    for official in watchers + waiting:
        await official.sees_status("Отправлено")
        await official.sees("Почему не все получили")
    await system.press("recall", ids[3])
    for official in watchers + waiting:
        await official.sees_status("Создана")
    await expect(lists[0].page.locator(f"#b-{ids[3]} .status")).to_have_text("Создана")
    await system.limits(rate=0)
    assert [unsteady for official in officials if (unsteady := await official.unsteady())] == []


async def test_a_rule_is_built_by_keyboard_and_counts_while_it_grows(system: System, browser: Browser) -> None:
    anna = await Official.sit_down(browser, system.stack)
    await anna.open("/audiences/new")
    await anna.page.get_by_label("Название аудитории").fill("Кадры без подрядчиков")
    await anna.page.get_by_label("По признакам").focus()
    await anna.page.keyboard.press("ArrowRight")
    await anna.page.keyboard.press("ArrowRight")
    lines = anna.page.get_by_role("group", name="Условие", exact=True)
    await lines.first.get_by_label("Кадры").press("Space")
    reach = anna.page.locator("#audience-reach")
    await expect(reach).to_contain_text("12 получателей")
    await anna.control("Исключение").press("Enter")
    field = lines.nth(1).get_by_label("Что проверить")
    await expect(field).to_be_focused()
    await field.select_option(label="Тип")
    await lines.nth(1).get_by_label("Подрядчики").press("Space")
    await expect(reach).not_to_contain_text("12 получателей")
    await lines.nth(1).get_by_label("Убрать условие").press("Enter")
    await expect(reach).to_contain_text("12 получателей")
    await expect(lines).to_have_count(1)
    assert anna.errors == []


async def test_people_come_from_a_file_and_what_was_refused_is_told(system: System, browser: Browser) -> None:
    anna = await Official.sit_down(browser, system.stack)
    await anna.open("/people")
    await anna.press("Импорт из файла")
    rows = "".join(f"N-{n};Имя{n};{'сотрудник' if n % 500 else 'робот'}\n" for n in range(1, 3_001))
    content = f"Табельный номер;Имя;Вид\n{rows}".encode("cp1251")
    file = FilePayload(name="люди.csv", mimeType="text/csv", buffer=content)
    await anna.page.get_by_label("Файл CSV").set_input_files(file)
    await anna.press("Импортировать")
    await anna.sees("Готово", seconds=60)
    await expect(anna.page.locator("#import .counts")).to_contain_text("2 994")
    await anna.sees("недопустимое значение")
    await anna.open("/people?text=n-2999")
    await anna.press("Пригласить", within="#list")
    await expect(anna.page.get_by_label("Ссылка", exact=True)).to_have_value(re.compile(r"\?start=id-N-2999$"))
    assert anna.errors == []
