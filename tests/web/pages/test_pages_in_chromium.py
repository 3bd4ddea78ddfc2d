"""The pages in headless Chromium, under the headers that they are sent with, held against WCAG 2.2 AA by axe-core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, async_playwright
from playwright.async_api import Page as Tab

from gateway.web.pages import Page, security_headers
from tests.web.pages.gallery import NAMES, gallery

pytestmark = pytest.mark.needs("chromium", "node")

TESTS = Path(__file__).parents[2]
AXE = TESTS / "interop" / "node_modules" / "axe-core" / "axe.min.js"
ARTIFACTS = TESTS / "artifacts" / "pages"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
STANDARD = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
DESKTOP, PHONE = (1280, 900), (320, 640)


@dataclass
class Host:
    """A server that shows the gallery at `/page/{name}`, in a frame at `/embed/{name}`, and remembers every other request.

    Its answer to those is 204: a page that goes on by itself stays where it can be looked at.
    """

    server: TestServer
    asked: list[tuple[str, str, Mapping[str, str], Mapping[str, str]]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def of(self, path: str) -> list[tuple[str, str, Mapping[str, str], Mapping[str, str]]]:
        return [request for request in self.asked if request[1] == path]


@asynccontextmanager
async def serving(shown: Mapping[str, Page] | None = None) -> AsyncIterator[Host]:
    async def show(request: web.Request) -> web.Response:
        page = (shown or gallery(host.origin))[request.match_info["name"]]
        return web.Response(text=page.html, content_type="text/html", headers=security_headers(page))

    async def embed(request: web.Request) -> web.Response:
        html = f'<iframe src="/page/{request.match_info["name"]}" title="sheet" width="600" height="400"></iframe>'
        return web.Response(text=html, content_type="text/html")

    async def remember(request: web.Request) -> web.Response:
        host.asked.append((request.method, request.path, dict(await request.post()), request.headers))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/page/{name}", show)
    app.router.add_get("/embed/{name}", embed)
    app.router.add_route("*", "/{path:.*}", remember)
    async with TestServer(app, host="127.0.0.1") as server:
        host = Host(server)
        yield host


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with serving() as host:
        yield host


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def tab(browser: Browser, size: tuple[int, int] = DESKTOP, **options: Any) -> AsyncIterator[Tab]:
    """A tab of its own; a word on its console, such as a broken policy, is a failure."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page, console = await context.new_page(), []
    page.on("console", lambda message: console.append(message.text))
    yield page
    await context.close()
    assert console == []


async def look(page: Tab, url: str) -> None:
    """Open a page and wait until it stands: one that goes on at once never comes to its load event."""
    await page.goto(url, wait_until="commit")
    await page.locator("body").wait_for()
    await page.evaluate("new Promise(requestAnimationFrame)")


async def violations(page: Tab) -> list[str]:
    """What axe-core finds wrong, one line per rule and spot."""
    await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate("options => axe.run(document, options)", STANDARD)
    return [f"{rule['id']}: {node['html'][:120]} {node['failureSummary']}" for rule in found["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "320px"])
async def test_every_page_is_accessible(host: Host, browser: Browser, scheme: str, size: tuple[int, int]) -> None:
    """WCAG 2.2 AA as far as a machine sees; 320 px is also 1280 px at 400 % (SC 1.4.10)."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    async with tab(browser, size, color_scheme=scheme) as page:
        for name in NAMES:
            await look(page, f"{host.origin}/page/{name}")
            await page.screenshot(path=ARTIFACTS / f"{name}-{scheme}-{size[0]}.png", full_page=True)
            assert await violations(page) == [], name
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "320px"])
async def test_everything_to_press_is_44_pixels_high_and_shows_its_focus(host: Host, browser: Browser, size: tuple[int, int]) -> None:
    async with tab(browser, size) as page:
        for name in NAMES:
            await look(page, f"{host.origin}/page/{name}")
            targets = await page.locator("a, button:not([hidden]), input:not([type=hidden]), pre[tabindex]").all()
            for target in targets:
                box = await target.bounding_box()
                assert box is not None
                assert min(box["height"], box["width"]) >= 44, name
                await page.keyboard.press("Tab")
                assert await target.evaluate("element => element === document.activeElement"), (
                    f"{name}: the order of focus is the order of reading"
                )
                assert await target.evaluate("element => parseFloat(getComputedStyle(element).outlineWidth)") >= 2


async def test_the_pages_survive_wide_spacing_of_text(host: Host, browser: Browser) -> None:
    """WCAG 2.2 SC 1.4.12."""
    spacing = "html * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"
    async with tab(browser, PHONE) as page:
        for name in NAMES:
            await look(page, f"{host.origin}/page/{name}")
            await page.evaluate("css => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s] }", spacing)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


async def test_the_pages_keep_their_shape_in_forced_colours(host: Host, browser: Browser) -> None:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    async with tab(browser, forced_colors="active") as page:
        for name in NAMES:
            await look(page, f"{host.origin}/page/{name}")
            await page.screenshot(path=ARTIFACTS / f"{name}-forced.png", full_page=True)
            for target in await page.locator("a, button:not([hidden])").all():
                assert await target.evaluate("e => getComputedStyle(e).borderTopStyle + getComputedStyle(e).borderTopWidth") == "solid1px"


async def test_the_form_submits_itself_once_with_our_origin_and_no_path(host: Host, browser: Browser) -> None:
    async with tab(browser) as page, page.expect_request(f"{host.origin}/sso"):
        await page.goto(f"{host.origin}/page/form", wait_until="commit")
    [(method, _, fields, headers)] = host.of("/sso")
    assert (method, fields) == ("POST", {"SAMLRequest": "PHNhbWw+", "RelayState": "s-1"})
    assert headers["Origin"] == host.origin
    assert headers["Referer"] == f"{host.origin}/"


async def test_without_javascript_the_form_goes_by_its_button(host: Host, browser: Browser) -> None:
    async with tab(browser, java_script_enabled=False) as page:
        await page.goto(f"{host.origin}/page/form", wait_until="commit")
        assert host.of("/sso") == []
        async with page.expect_request(f"{host.origin}/sso"):
            await page.get_by_role("button", name="Continue").press("Enter")
    [(_, _, fields, _)] = host.of("/sso")
    assert fields == {"SAMLRequest": "PHNhbWw+", "RelayState": "s-1"}


async def test_a_provider_may_redirect_the_form_to_a_host_that_nobody_named(host: Host, browser: Browser) -> None:
    """The reason for the one policy without form-action: Chromium holds it against the redirects, too."""

    async def pass_on(_: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": f"{host.origin}/signin"})

    app = web.Application()
    app.router.add_post("/sso", pass_on)
    async with (
        TestServer(app, host="localhost") as provider,
        serving(gallery(f"http://localhost:{provider.port}")) as gateway,
        tab(browser) as page,
        page.expect_response(f"{host.origin}/signin"),
    ):
        await page.goto(f"{gateway.origin}/page/form", wait_until="commit")
    assert [request[0] for request in host.of("/signin")] == ["GET"]


async def test_the_redeem_page_spends_the_ticket_first_and_leaves_no_trace_behind(host: Host, browser: Browser) -> None:
    async with tab(browser) as page, page.expect_request(f"{host.origin}/mashup/"):
        await page.goto(f"{host.origin}/page/redeem", wait_until="commit")
    assert [path for _, path, _, _ in host.asked] == ["/sales/qps/user", "/mashup/"]
    assert not any("Referer" in headers for *_, headers in host.asked)


async def test_without_javascript_the_redeem_page_goes_on_all_the_same(host: Host, browser: Browser) -> None:
    async with tab(browser, java_script_enabled=False) as page, page.expect_request(f"{host.origin}/mashup/"):
        await page.goto(f"{host.origin}/page/redeem", wait_until="commit")
    assert [path for _, path, _, _ in host.asked] == ["/sales/qps/user", "/mashup/"]


@pytest.mark.parametrize("javascript", [True, False])
async def test_the_onward_page_goes_on_by_itself(host: Host, browser: Browser, *, javascript: bool) -> None:
    async with tab(browser, java_script_enabled=javascript) as page, page.expect_request(f"{host.origin}/vp/sales/login**") as asked:
        await page.goto(f"{host.origin}/page/onward", wait_until="commit")
    assert (await asked.value).url.endswith("?targetId=8e2b&idp=entra")
    assert not any("Referer" in headers for *_, headers in host.asked)


async def test_a_mail_address_is_sent_as_a_form_by_keyboard_alone(host: Host, browser: Browser) -> None:
    async with tab(browser, java_script_enabled=False) as page:
        await page.goto(f"{host.origin}/page/chooser-mail")
        await page.keyboard.press("Tab")
        await page.keyboard.type("alice@example.com")
        async with page.expect_request(f"{host.origin}/vp/sales/login**"):
            await page.keyboard.press("Enter")
    [(method, _, fields, _)] = host.of("/vp/sales/login")
    assert (method, fields) == ("POST", {"email": "alice@example.com"})


async def test_a_screen_reader_is_told_what_the_mail_field_is_for_and_that_nothing_was_found(host: Host, browser: Browser) -> None:
    async with tab(browser) as page:
        await page.goto(f"{host.origin}/page/chooser-failed")
        field = page.get_by_role("textbox", name="Your e-mail address")
        assert await field.get_attribute("aria-invalid") == "true"
        described = [await page.locator(f"#{name}").inner_text() for name in str(await field.get_attribute("aria-describedby")).split()]
        assert described[0] == await page.get_by_role("alert").inner_text()
        assert await page.get_by_role("link", name="Contoso Last used").count() == 1


async def test_the_test_case_is_copied_as_it_stands(host: Host, browser: Browser) -> None:
    async with tab(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        await page.goto(f"{host.origin}/page/trial")
        await page.get_by_role("button", name="Copy as test case").press("Enter")
        await page.get_by_role("status").filter(has_text="Copied.").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == await page.locator("#case").inner_text()


async def test_without_javascript_the_test_case_is_selected_and_no_button_promises_more(host: Host, browser: Browser) -> None:
    async with tab(browser, java_script_enabled=False) as page:
        await page.goto(f"{host.origin}/page/trial")
        assert await page.get_by_role("button").count() == 0
        await page.locator("#case").click()


async def test_the_frame_page_is_seen_in_a_frame_and_leads_out_of_it(host: Host, browser: Browser) -> None:
    async with tab(browser) as page:
        await page.goto(f"{host.origin}/embed/frame")
        async with page.expect_request(lambda request: "/vp/sales/login?targetId=8e2b" in request.url) as asked:
            await page.frame_locator("iframe").get_by_role("link").click()
        assert (await asked.value).frame == page.main_frame


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"frame", "frame-out", "heard"}])
async def test_no_other_page_is_seen_in_a_frame(host: Host, browser: Browser, name: str) -> None:
    page = await browser.new_page()
    await page.goto(f"{host.origin}/embed/{name}")
    assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]


async def test_a_page_asks_the_gateway_for_nothing_else(host: Host, browser: Browser) -> None:
    async with tab(browser) as page:
        for name in NAMES:
            await look(page, f"{host.origin}/page/{name}")
    assert {path for _, path, _, _ in host.asked} <= {"/sso", "/sales/qps/user", "/mashup/", "/vp/sales/login"}
