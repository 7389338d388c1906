"""Signing in and out at a provider, by clicks: whether a browser lets a page lead it there and back."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from deploy.local.stack import Plan, Stack, free_port
from tests.e2e.console.officials import Official
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, oidc_provider

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("console"),
]


async def test_an_official_who_signs_out_is_asked_for_the_password_again(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with oidc_provider(f"{address}/sign-in/back") as provider:
        settings = {
            "BROADCAST_PUBLIC_URL": address,
            "BROADCAST_OIDC_ISSUER": provider.issuer,
            "BROADCAST_OIDC_CLIENT_ID": CLIENT_ID,
            "BROADCAST_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "BROADCAST_OIDC_CLAIMS": '{"roles": "groups"}',
            "BROADCAST_OIDC_ROLES": '{"senders": "main=author+sender"}',
        }
        plan = Plan(tmp_path, people=0, dispatchers=0, revokers=0, api_port=port, settings=settings)
        async with Stack(plan).running() as stack:
            context = await browser.new_context(locale="ru-RU")
            anna = Official(await context.new_page(), stack.api_url)
            await anna.open("/people")
            await anna.press("Перейти ко входу")
            await anna.press("Анна Петрова", within="header")
            await anna.press("Выйти", within="dialog")
            await anna.page.wait_for_url(f"{address}/sign-in")
            await anna.sees("Вы вышли")
            assert provider.signed_out
            await anna.press("Перейти ко входу")
            await anna.sees("Who are you?")
            assert anna.page.url.startswith(provider.issuer)
            assert anna.errors == []
