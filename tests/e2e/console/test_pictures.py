"""Every page of the console, photographed and checked: light and dark, wide and as narrow as a phone, ru and en.

The pictures are in `var/pictures` (`CONSOLE_PICTURES` names another folder).
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.console.gallery import Gallery, gallery
from tests.e2e.console.officials import Official

FOLDER = Path(os.environ.get("CONSOLE_PICTURES", "var/pictures"))

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("console"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gallery]:
    """Shared: whoever looks at a page changes nothing."""
    async with gallery(tmp_path_factory.mktemp("gallery")) as shown:
        yield shown


@pytest.mark.parametrize(
    ("name", "width", "scheme", "locale"),
    [
        ("light", 1280, "light", "ru-RU"),
        pytest.param("dark", 1280, "dark", "en-GB", marks=pytest.mark.pictures),
        pytest.param("phone", 360, "light", "ru-RU", marks=pytest.mark.pictures),
        ("phone-dark", 360, "dark", "ru-RU"),
    ],
)
async def test_every_page_is_seen_by_everybody(
    shown: Gallery, browser: Browser, name: str, width: int, scheme: str, locale: str
) -> None:
    await asyncio.to_thread(FOLDER.mkdir, parents=True, exist_ok=True)
    found: list[str] = []
    window = {"width": width, "height": 800}
    anna = await Official.sit_down(
        browser, shown, color_scheme=scheme, viewport=window, locale=locale, reduced_motion="reduce"
    )
    for page, address in shown.paths.items():
        await anna.page.goto(address)
        await anna.page.screenshot(path=FOLDER / f"{page}-{name}.png", full_page=True)
        found += await anna.inaccessible()
        if await anna.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{page} is wider than the window")
    assert found == []
    assert anna.errors == []
