"""A person's logout in headless Chromium, over https on three registrable domains: what a browser itself says of where a link stands."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page

from tests.flow.world import World
from tests.interop.test_browser_login import (
    PROVIDER,
    QLIK,
    Start,
    certificates,
    chromium,
    names_of_the_test_resolve,
    photograph,
    sign_in,
    start,
    web,
    world_url,
    worlds,
)
from tests.web.pages.test_pages_in_chromium import violations

__all__ = ["certificates", "chromium", "names_of_the_test_resolve", "start", "web", "worlds"]
pytestmark = pytest.mark.needs("node", "chromium")


async def hub_of(page: Page, world: World) -> None:
    await sign_in(page, world)
    await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")


async def confirm_at_the_provider(page: Page) -> None:
    """The certified provider asks its own question, whatever came along."""
    await page.wait_for_url(f"https://{PROVIDER}:*/session/end**")
    await page.evaluate(
        """() => { const form = document.forms[0], yes = document.createElement('input');
        yes.name = 'logout'; yes.value = 'yes'; form.append(yes); form.submit(); }"""
    )


async def test_from_a_link_in_qlik_sense_to_the_last_page_and_no_silent_way_back(start: Start, chromium: BrowserContext) -> None:
    """The hub stands on another site than the gateway, and is a listed target: no question is asked."""
    world = await start()
    page = await chromium.new_page()
    await hub_of(page, world)
    await page.get_by_role("link", name="Sign out everywhere").click()
    await confirm_at_the_provider(page)
    await page.get_by_role("heading", name="You are signed out of Qlik Sense").wait_for()
    assert world.sessions() == []
    assert await violations(page) == []
    await photograph(page, "signed-out")
    await page.get_by_role("link", name="Sign in again").click()
    await page.get_by_label("User name").wait_for()
    await page.get_by_label("User name").fill("alice")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")
    assert len(world.sessions()) == 1


async def test_a_provider_that_keeps_its_session_is_asked_for_a_fresh_sign_in(start: Start, chromium: BrowserContext) -> None:
    """The user never confirms at the provider, which would then let anybody in."""
    world = await start()
    page = await chromium.new_page()
    await hub_of(page, world)
    await page.get_by_role("link", name="Sign out everywhere").click()
    await page.wait_for_url(f"https://{PROVIDER}:*/session/end**")
    await page.goto(world.site.hub("sales"))
    await page.get_by_label("User name").wait_for()


async def test_an_address_that_was_typed_asks_first(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    page = await chromium.new_page()
    await hub_of(page, world)
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text) if "Content Security Policy" in message.text else None)
    await page.goto(f"{world_url(world)}/vp/sales/logout")
    await page.get_by_role("heading", name="Sign out of Qlik Sense?").wait_for()
    assert len(world.sessions()) == 1
    assert await violations(page) == []
    await photograph(page, "sign-out-question")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await confirm_at_the_provider(page)
    await page.get_by_role("heading", name="You are signed out of Qlik Sense").wait_for()
    assert world.sessions() == []
    assert broken == []


async def test_a_form_of_another_site_leads_to_a_question_that_can_be_answered(start: Start, chromium: BrowserContext) -> None:
    """The handle stays behind with the POST, and comes along with what its answer leads to."""
    world = await start()
    page = await chromium.new_page()
    await hub_of(page, world)
    await page.goto("about:blank")
    await page.set_content(f'<form method="post" action="{world_url(world)}/vp/sales/logout"><button>Leave</button></form>')
    await page.get_by_role("button", name="Leave").click()
    await page.get_by_role("heading", name="Sign out of Qlik Sense?").wait_for()
    assert len(world.sessions()) == 1
    await page.get_by_role("button", name="Sign out").click()
    await confirm_at_the_provider(page)
    await page.get_by_role("heading", name="You are signed out of Qlik Sense").wait_for()
    assert world.sessions() == []
