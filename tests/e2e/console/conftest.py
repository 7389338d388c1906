"""Debian's Chromium on a running system."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support.system import System, running

CHROMIUM = Path("/usr/bin/chromium")
PEOPLE = 60
BOT = {"token": "1000000001:EMULATED"}
INSTALLED = CHROMIUM.exists()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    """Shared: a test finds what another one left."""
    async with running(people=PEOPLE) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module")
async def slow_system() -> AsyncIterator[System]:
    """One's own, and slow enough to watch: fifteen seconds for everybody."""
    async with running(people=PEOPLE, bots={"main": {**BOT, "rate": PEOPLE / 15}}) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    if not INSTALLED and not os.environ.get("CI"):
        pytest.skip("Debian's chromium is not installed")
    assert INSTALLED, "install Debian's chromium"
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """Without a window that is open: whoever sat there before has gone."""
    yield chromium
    for context in chromium.contexts:
        await context.close()
