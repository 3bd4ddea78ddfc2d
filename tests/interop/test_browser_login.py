"""A person's login in headless Chromium: from the hub's link to the hub's page, over https on three registrable domains.

Ports of one host are one site to a browser, so only names tell whether SameSite, `__Host-` and the pages' policies
survive the journey. The names resolve to loopback by Chromium's host-resolver rules and, for the gateway's own way to
the provider, by the test's resolver; certificates come from a test CA, whose key alone Chromium is told to accept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp.web
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from playwright.async_api import BrowserContext, Page, async_playwright

from gateway.demo.certificates import WebCertificates, make_web
from gateway.demo.site.tls import load_pair
from gateway.system import SystemClock
from tests.flow.conftest import Worlds, certificates, worlds
from tests.flow.world import World
from tests.interop.node_provider import node_provider
from tests.ports import unused_port
from tests.web.pages.test_pages_in_chromium import violations

__all__ = ["certificates", "worlds"]
pytestmark = pytest.mark.needs("node", "chromium")

GATEWAY, PROVIDER, QLIK, EMBEDDER = "sso.gateway-one.test", "login.provider-two.test", "qlik.site-three.test", "portal.site-four.test"
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
SECRET = "0123456789-0123456789-0123456789-0123456789"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
    "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="session")
def web() -> WebCertificates:
    return make_web([GATEWAY, PROVIDER, QLIK, EMBEDDER])


@pytest.fixture
def names_of_the_test_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's own way to the provider; its addresses are then checked like any other."""
    original = asyncio.base_events.BaseEventLoop.getaddrinfo

    async def resolve(loop: asyncio.base_events.BaseEventLoop, host: Any, port: Any, **more: Any) -> Any:
        return await original(loop, "127.0.0.1" if str(host).endswith(".test") else host, port, **more)

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolve)


def browser_side(web: WebCertificates, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = web.servers[host]
    load_pair(context, certificate + web.ca, key)
    return context


def pin(web: WebCertificates) -> str:
    """The test CA's key, as Chromium wants it: SHA-256 over its SubjectPublicKeyInfo."""
    spki = load_pem_x509_certificate(web.ca).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start(worlds: Worlds, web: WebCertificates, names_of_the_test_resolve: None) -> AsyncIterator[Start]:
    """A world on three domains. `keys` go into the provider's file; `several`: a second provider makes it a choice."""
    del names_of_the_test_resolve
    async with AsyncExitStack() as stack:

        async def make(*, several: bool = False, **keys: Any) -> World:
            port, provider_port = unused_port(), unused_port()
            url, issuer = f"https://{GATEWAY}:{port}", f"https://{PROVIDER}:{provider_port}"
            client: dict[str, Any] = {"client_id": "qlikgw", "client_secret": SECRET, "redirect_uris": [f"{url}/idp/certified/callback"]}
            client["post_logout_redirect_uris"] = [f"{url}/idp/certified/slo"]
            certificate, key = (part.decode() for part in web.servers[PROVIDER])
            tls = {"cert": certificate + web.ca.decode(), "key": key}
            await stack.enter_async_context(node_provider([client], issuer=issuer, port=provider_port, tls=tls, page=True))

            def edit_gateway(settings: dict[str, Any]) -> None:
                tls = {"certificate": "../certs/front.pem", "key": "../certs/front.key"}
                settings["public_url"] = url
                settings["listen"] = {"host": "127.0.0.1", "port": port, "tls": tls}
                settings["outbound"] = {"ca": "../certs/web-ca.pem", "allow_private": ["127.0.0.0/8"]}

            def edit_provider(provider: dict[str, Any]) -> None:
                if provider["client_id"] == "qlikgw-certified":
                    provider.update(issuer=issuer, client_id="qlikgw", allow="'sales' in claims.groups", **keys)

            front, front_key = web.servers[GATEWAY]
            world = await worlds(
                idps=("certified", "partners") if several else ("certified",),
                port=port,
                clock=SystemClock(),
                edit_gateway=edit_gateway,
                edit_provider=edit_provider,
                secrets={"idp.secret": SECRET.encode(), "front.pem": front + web.ca, "front.key": front_key, "web-ca.pem": web.ca},
                browser_host=QLIK,
                browser_tls=browser_side(web, QLIK),
            )
            world.site.link("sales", f"{url}/vp/sales/login")
            return world

        yield make


@pytest.fixture
async def chromium(tmp_path: Path, web: WebCertificates) -> AsyncIterator[BrowserContext]:
    async with chromium_with(tmp_path, web) as context:
        yield context


@asynccontextmanager
async def chromium_with(tmp_path: Path, web: WebCertificates, **options: Any) -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path="/usr/bin/chromium",
            headless=True,
            args=[*FLAGS, f"--ignore-certificate-errors-spki-list={pin(web)}"],
            viewport={"width": 1000, "height": 640},
            **options,
        )
        context.set_default_timeout(15_000)
        yield context
        await context.close()


async def sign_in(page: Page, world: World, user: str = "alice") -> None:
    await page.goto(world.site.hub("sales"))
    await page.get_by_label("User name").fill(user)
    await page.get_by_role("button", name="Sign in").click()


async def photograph(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
async def test_from_the_hub_s_link_to_the_hub_s_page(start: Start, chromium: BrowserContext, response_mode: str) -> None:
    world = await start(response_mode=response_mode)
    page = await chromium.new_page()
    hops: list[str] = []
    page.on("request", lambda request: hops.append(f"{request.method} {request.url.partition('?')[0]}"))
    await sign_in(page, world)
    await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")
    await page.get_by_text("alice").first.wait_for()
    await photograph(page, f"hub-{response_mode}")
    (session,) = world.sessions()
    assert (session.user.directory, session.user.user_id) == ("CONTOSO", "alice")
    method = "GET" if response_mode == "query" else "POST"
    assert f"{method} {world_url(world)}/idp/certified/callback" in hops
    ours = [cookie for cookie in await chromium.cookies() if cookie["domain"] == GATEWAY]
    assert ours
    for cookie in ours:
        assert cookie["name"].startswith("__Host-")
        assert cookie["secure"]
        assert cookie["httpOnly"]
        of_the_login = "login" in cookie["name"]  # the browser's handle never comes along from another site's form
        assert cookie["sameSite"] == ("None" if response_mode == "form_post" and of_the_login else "Lax")


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_mail_address_leads_across_domains_whatever_form_action_says(
    start: Start, tmp_path: Path, web: WebCertificates, *, javascript: bool
) -> None:
    """The chooser's policy has `form-action 'self'`: a redirect from its form to the provider would be blocked, the page is not."""
    world = await start(several=True, domains=["example.com"])
    async with chromium_with(tmp_path, web, java_script_enabled=javascript) as context:
        page = await context.new_page()
        broken: list[str] = []
        page.on("console", lambda message: broken.append(message.text) if "Content Security Policy" in message.text else None)
        await page.goto(world.site.hub("sales"))
        await page.keyboard.press("Tab")
        await page.keyboard.type("alice@example.com")
        await photograph(page, f"chooser-{javascript}")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"https://{PROVIDER}:*/**")
        await page.get_by_label("User name").fill("alice")
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")
        assert broken == []
        (choice,) = [cookie for cookie in await context.cookies() if cookie["name"] == "__Host-qgw-choice"]
        assert choice["value"] == "sales:certified"
        assert (choice["sameSite"], choice["secure"], choice["httpOnly"]) == ("Lax", True, True)
        await forget_the_qlik_session(context)
        await page.goto(world.site.hub("sales"))
        await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")  # remembered, and the provider's own session: no question asked


async def test_a_choice_is_made_and_changed_by_keyboard(start: Start, chromium: BrowserContext) -> None:
    world = await start(several=True)
    page = await chromium.new_page()
    await page.goto(world.site.hub("sales"))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_label("User name").fill("alice")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")
    await forget_the_qlik_session(chromium)
    await page.goto(f"{world_url(world)}/vp/sales/login?choose=1")
    await page.get_by_role("link", name="Provider certified Last used").wait_for()
    await photograph(page, "chooser-last-used")
    assert await violations(page) == []


async def test_a_test_sign_in_goes_to_the_real_provider_and_ends_on_its_trace(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    async with world.session.post(f"{world.management}/test-logins", json={"idp": "certified", "vp": "sales"}) as answer:
        link = (await answer.json())["url"]
    page = await chromium.new_page()
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text) if "Content Security Policy" in message.text else None)
    await page.goto(link)
    await photograph(page, "test-login")
    assert await violations(page) == []
    await page.get_by_role("button", name="Start the test").press("Enter")
    await page.get_by_label("User name").fill("alice")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Test sign-in: let in").wait_for()
    await photograph(page, "trace")
    assert await violations(page) == []
    assert broken == []
    assert world.site.count("tickets_issued") == 0
    assert world.sessions() == []


async def forget_the_qlik_session(context: BrowserContext) -> None:
    await context.clear_cookies(domain=QLIK)


async def test_two_tabs_sign_in_side_by_side(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    first, second = await chromium.new_page(), await chromium.new_page()
    for page in (first, second):
        await page.goto(world.site.hub("sales"))
    for page in (second, first):
        await page.get_by_label("User name").fill("alice")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("alice").first.wait_for()
    assert len(world.sessions()) == 2


async def test_a_refused_sign_in_ends_on_a_page_that_offers_to_start_again(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    page = await chromium.new_page()
    await sign_in(page, world, "deny")
    await page.get_by_text("QGW-204").wait_for()
    await photograph(page, "denied")
    await page.get_by_role("link", name="Start again").click()
    await page.get_by_label("User name").fill("alice")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("alice").first.wait_for()


async def test_back_after_a_login_ends_on_a_page_that_leads_on_to_the_hub(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    page = await chromium.new_page()
    async with page.expect_request("**/idp/certified/callback**") as caught:
        await sign_in(page, world)
    await page.get_by_text("alice").first.wait_for()
    await page.goto((await caught.value).url)
    await page.get_by_text("QGW-110").wait_for()
    await photograph(page, "used-login")
    await page.locator(f"a[href='{world.site.hub('sales')}']").click()
    await page.get_by_text("alice").first.wait_for()
    assert len(world.sessions()) == 1


async def test_a_frame_is_led_out_to_the_top_window(start: Start, chromium: BrowserContext, web: WebCertificates) -> None:
    world = await start()
    page = await chromium.new_page()
    async with embedder(web, world.site.hub("sales")) as portal:
        await page.goto(portal)
        link = page.frame_locator("iframe").get_by_role("link")
        await link.wait_for()
        await photograph(page, "frame")
        assert not [cookie for cookie in await chromium.cookies() if cookie["domain"] == GATEWAY]
        await link.click()
    await page.get_by_label("User name").fill("alice")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("alice").first.wait_for()


@asynccontextmanager
async def embedder(web: WebCertificates, framed: str) -> AsyncIterator[str]:
    """A portal on a fourth domain that shows the hub in a frame."""

    async def portal(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(
            text=f"<!doctype html><h1>Portal</h1><iframe width=700 height=400 src='{framed}'></iframe>", content_type="text/html"
        )

    app = aiohttp.web.Application()
    app.router.add_get("/", portal)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0, ssl_context=browser_side(web, EMBEDDER)).start()
    yield f"https://{EMBEDDER}:{runner.addresses[0][1]}/"
    await runner.cleanup()


def world_url(world: World) -> str:
    return f"https://{GATEWAY}:{world.url.rpartition(':')[2]}"
