"""An official in front of a browser."""

import asyncio
import re
from typing import Protocol

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.support.identity import session

SERIOUS = ("serious", "critical")

SHIFTS = """() => new Promise((resolve) => {
    const moved = ({ node }) => (node?.outerHTML ?? node?.parentElement?.outerHTML ?? "gone by now").slice(0, 150);
    const told = (entry) => ({ score: entry.value, at: entry.startTime, moved: entry.sources.map(moved) });
    const untouched = (entries) => entries.filter((entry) => !entry.hadRecentInput).map(told);
    const observer = new PerformanceObserver((list) => resolve(untouched(list.getEntries())));
    observer.observe({ type: "layout-shift", buffered: true });
    setTimeout(() => resolve([]), 500);  // nothing moved
})"""
OPEN = """() => Promise.all(
    document.getAnimations().filter((it) => it.effect.target.matches("dialog")).map((it) => it.finished)
)"""
CALM = 0.1
"""Layout shift that is "good" by Core Web Vitals (web.dev/articles/cls), whose definition `worst_burst` follows."""


class Place(Protocol):
    """A running system."""

    api_url: str

    @property
    def database_url(self) -> str:
        """Where its sessions are."""
        ...


class Official:
    """Speaks Russian, presses what is written on the screen, and hears of every error in the browser."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address, self.errors = page, address, list[str]()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    @classmethod
    async def sit_down(
        cls, browser: Browser, place: Place, name: str = "Анна Петрова", **options: object
    ) -> "Official":
        """In a window of their own, signed in."""
        zone = {"locale": "ru-RU", "timezone_id": "Europe/Moscow"}
        context = await browser.new_context(**{**zone, **options})  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        token = await asyncio.to_thread(session, place.database_url, name)
        await context.add_cookies([{"name": "session", "value": token, "url": place.api_url, "httpOnly": True}])
        return cls(await context.new_page(), place.api_url)

    async def open(self, path: str) -> None:
        await self.page.goto(self.address + path)

    async def press(self, words: str, within: str = "main") -> None:
        """A button or a link; what opens as a dialog stands above the rest."""
        await self.control(words, within).click()

    def control(self, words: str, within: str = "main") -> Locator:
        place = self.page.locator(within)
        name = re.compile(words)
        return place.get_by_role("button", name=name).or_(place.get_by_role("link", name=name)).first

    async def sees(self, words: str | re.Pattern[str], seconds: float = 20) -> None:
        await expect(self.page.get_by_text(words).first).to_be_visible(timeout=seconds * 1000)

    async def sees_status(self, words: str, seconds: float = 20) -> None:
        await expect(self.page.locator("main .status").first).to_have_text(words, timeout=seconds * 1000)

    async def count(self) -> int:
        """How many are delivered, as the page shows it now."""
        return int(re.sub(r"\D", "", await self.page.locator("#progress .big b").inner_text()))

    async def inaccessible(self) -> list[str]:
        """What axe finds serious or worse on the page as it is, once what was opening is open: half transparent
        words have half of their contrast."""
        await self.page.evaluate(OPEN)
        found = await Axe().run(self.page)
        return [
            f"{self.page.url} {violation['id']}: {[node['html'][:200] for node in violation['nodes']][:3]}"
            for violation in found.response["violations"]
            if violation["impact"] in SERIOUS
        ]

    async def unsteady(self) -> list[object]:
        """What moved on the page without having been touched, where that is more than a reader takes for calm."""
        shifts = await self.page.evaluate(SHIFTS)
        score = worst_burst([(shift["at"], shift["score"]) for shift in shifts])
        return [self.page.url, self.page.viewport_size, score, *shifts] if score > CALM else []

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)


def worst_burst(shifts: list[tuple[float, float]]) -> float:
    """The highest sum of those within 5 s that follow each other within 1 s; each is when, in ms, and how much."""
    worst = burst = 0.0
    began = last = float("-inf")
    for at, score in shifts:
        if at - last > 1_000 or at - began > 5_000:
            burst, began = 0.0, at
        burst, last = burst + score, at
        worst = max(worst, burst)
    return worst
