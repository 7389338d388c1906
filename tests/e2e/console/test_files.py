"""Files in the console, in a real browser on a real system: chosen, dropped, moved, sent, and seen in the chat.

And the main job in a browser without JavaScript.
"""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from broadcast_api.adapters.accounts import Accounts
from broadcast_api.adapters.database import Database
from broadcast_api.domain.identity import parse_roles
from tests.e2e.console.conftest import PEOPLE
from tests.e2e.console.officials import Official
from tests.support.formats import EXE, PDF, png
from tests.support.identity import EVERY_ROLE
from tests.support.system import System

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("console"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the official has on their desk."""
    (tmp_path / "схема.png").write_bytes(png(400, 300))
    (tmp_path / "фасад.png").write_bytes(png(300, 300, b"\xc0\x60\x20"))
    (tmp_path / "приказ.pdf").write_bytes(PDF)
    (tmp_path / "игра.jpg").write_bytes(EXE)
    (tmp_path / "большой.pdf").write_bytes(PDF + b"\0" * 6_000_000)
    return tmp_path


async def new_form(official: Official, name: str) -> None:
    await official.open("/broadcasts/new")
    page = official.page
    await page.get_by_label("Наименование рассылки").fill(name)
    await page.get_by_label("Аудитория", exact=True).select_option(label="Все сотрудники и подрядчики")
    if await page.get_by_label("Ваше имя").count():
        await page.get_by_label("Ваше имя").fill("Анна Петрова")


async def test_a_broadcast_of_files_alone_is_drawn_up_put_in_order_and_sent(
    system: System, browser: Browser, folder: Path
) -> None:
    anna = await Official.sit_down(browser, system.stack)
    page = anna.page
    await new_form(anna, "Схема проезда")
    chosen = [folder / name for name in ("схема.png", "приказ.pdf", "игра.jpg", "большой.pdf")]
    await page.locator("#file").set_input_files(chosen)
    await expect(page.locator(".arriving .bad")).to_contain_text("Не более 5 МБ")
    await anna.press("Создать рассылку")

    await page.wait_for_url("**/edit")
    await anna.sees("Это программа или сценарий")
    attached = page.locator("#attached li")
    await expect(attached).to_have_count(2)
    await expect(page.locator("#preview img")).to_have_count(1)
    await expect(page.locator("#preview")).to_contain_text("2 сообщения каждому получателю")
    await page.get_by_role("button", name="Поднять приказ.pdf выше").press("Enter")
    await expect(attached.first).to_contain_text("приказ.pdf")
    await attached.first.get_by_text("Переименовать").first.click()
    await page.get_by_label("Новое имя файла приказ.pdf").fill("Приказ № 5")
    await page.get_by_label("Новое имя файла приказ.pdf").press("Tab")
    await attached.first.get_by_role("button", name="Переименовать").click()
    await expect(attached.first).to_contain_text("Приказ № 5.pdf")
    assert await anna.inaccessible() == []
    await anna.press("Сохранить изменения")

    await expect(page.locator(".facts")).to_contain_text("2 сообщения каждому получателю")
    await anna.press("Отправить рассылку")
    await page.get_by_role("dialog").get_by_role("button").last.click()
    await anna.sees_status("Отправлено", 60)
    assert [error for error in anna.errors if "422" not in error] == []


async def test_files_are_dropped_dragged_and_taken_away_and_pictures_go_as_files(
    system: System, browser: Browser, folder: Path
) -> None:
    boris = await Official.sit_down(browser, system.stack, viewport={"width": 390, "height": 844})
    page = boris.page
    await new_form(boris, "Фасад")
    await page.get_by_label("Текст", exact=True).fill("Смотрите")
    await boris.press("Создать рассылку")
    await boris.sees_status("Создана")
    await boris.press("Изменить")
    await expect(page.locator("#file[multiple]")).to_be_attached()
    content = (folder / "фасад.png").read_bytes().hex()
    await page.evaluate(
        """([hex, name]) => {
            const bytes = new Uint8Array(hex.match(/../g).map((two) => parseInt(two, 16)));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true });
            document.querySelector("#files").dispatchEvent(drop);
        }""",
        [content, "фасад.png"],
    )
    attached = page.locator("#attached li")
    await expect(attached).to_have_count(1)
    await page.locator("#file").set_input_files(folder / "схема.png")
    await expect(attached).to_have_count(2)
    await attached.nth(1).drag_to(attached.nth(0), target_position={"x": 20, "y": 5})
    await expect(attached.first).to_contain_text("схема.png")
    await page.locator("#file").set_input_files(folder / "схема.png")
    await boris.sees("Точно такой же файл уже прикреплён")
    await page.get_by_role("button", name="Убрать фасад.png").click()
    await expect(attached).to_have_count(1)
    await page.get_by_label("Отправлять картинки файлами").check()
    await expect(page.locator("#preview .attached")).to_contain_text("схема.png")
    assert await boris.inaccessible() == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await boris.press("Сохранить изменения")
    await expect(page.locator(".chat .attached")).to_contain_text("схема.png")
    assert [error for error in boris.errors if "409" not in error] == []


async def test_without_scripts_an_official_signs_in_attaches_a_file_sends_stops_and_recalls(
    system: System, browser: Browser, folder: Path
) -> None:
    await asyncio.to_thread(account, system.stack.database_url, "vera", "a long enough password")
    page = await browser.new_page(locale="ru-RU", java_script_enabled=False)
    vera = Official(page, system.api_url)
    await vera.open("/broadcasts/new")
    await page.get_by_label("Логин").fill("vera")
    await page.get_by_label("Пароль").fill("a long enough password")
    await vera.press("Вход")

    await new_form(vera, "Без сценариев")
    await page.get_by_label("Текст", exact=True).fill("<b>Завтра</b>")
    await vera.sees("Файлы можно прикрепить после создания рассылки")
    await vera.press("Показать")
    await expect(page.locator("#preview b")).to_have_text("Завтра")
    await vera.press("Создать рассылку")
    await vera.press("Изменить")
    await page.locator("#file").set_input_files(folder / "приказ.pdf")
    await vera.press("Прикрепить")
    await expect(page.locator("#attached")).to_contain_text("приказ.pdf")
    await vera.press("Сохранить изменения")
    await vera.sees_status("Создана")
    await vera.sees("JavaScript отключён, поэтому страница не обновляется сама")

    await system.limits(rate=10)
    await vera.press("Отправить рассылку")
    await vera.press("Отправить 60 получателям")
    await vera.sees_status("Идёт отправка")
    async with asyncio.timeout(30):
        while not await vera.count():
            await vera.press("Посмотреть, что сейчас")
    await vera.press("Остановить отправку")
    await until_status(vera, "Остановлена")
    stopped_at = await vera.count()
    assert 0 < stopped_at < PEOPLE
    await vera.press("Отозвать сообщения")
    await vera.press("Отозвать сообщения")
    await until_status(vera, "Создана")
    await expect(page.locator("#progress .counts")).to_contain_text(re.compile(rf"Отозвано\s*{stopped_at}\b"))
    await system.limits(rate=0)
    assert vera.errors == []


async def until_status(official: Official, words: str) -> None:
    """Looks again and again, as one does without scripts."""
    async with asyncio.timeout(30):
        while await official.page.locator("main .status").first.inner_text() != words:
            await official.press("Посмотреть, что сейчас")


def account(database_url: str, login: str, password: str) -> None:
    """An official who signs in by a password."""
    database = Database(database_url)
    try:
        Accounts(database).create(login, "Вера Ильина", "Кадры", parse_roles(EVERY_ROLE), password)
    finally:
        database.close()
