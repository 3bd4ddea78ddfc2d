"""A SAML login in headless Chromium: over https on three registrable domains, so that the answer is a cross-site POST."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp.web
import pytest
from playwright.async_api import BrowserContext, Page

from gateway.demo.certificates import WebCertificates
from gateway.system import SystemClock
from tests.flow.conftest import Worlds, certificates, worlds
from tests.flow.world import World
from tests.interop.saml.conversation import US
from tests.interop.saml.foreign import Manner, Signs
from tests.interop.saml.saml_idp import SamlIdp, saml_idp
from tests.interop.saml.test_logins import corp_yaml
from tests.interop.test_browser_login import (
    EMBEDDER,
    GATEWAY,
    PROVIDER,
    QLIK,
    browser_side,
    chromium,
    names_of_the_test_resolve,
    photograph,
    web,
)
from tests.ports import unused_port

__all__ = ["certificates", "chromium", "names_of_the_test_resolve", "web", "worlds"]
pytestmark = pytest.mark.needs("node", "chromium")
POST_ONLY = """\
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
      <ds:X509Certificate>{certificate}</ds:X509Certificate>
    </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{location}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
"""
Start = Callable[..., Awaitable[World]]


@asynccontextmanager
async def front(web: WebCertificates, provider: SamlIdp) -> AsyncIterator[str]:
    """A provider's public address that passes every request on to another host, as load balancers and home-realm pages do."""

    async def pass_on(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=307, headers={"Location": f"{provider.base}/saml/sso"})

    app = aiohttp.web.Application()
    app.router.add_post("/sso", pass_on)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0, ssl_context=browser_side(web, EMBEDDER)).start()
    yield f"https://{EMBEDDER}:{runner.addresses[0][1]}/sso"
    await runner.cleanup()


@pytest.fixture
async def start(worlds: Worlds, web: WebCertificates, names_of_the_test_resolve: None, tmp_path: Path) -> AsyncIterator[Start]:
    """A world on three domains; on four where the provider takes requests by POST alone, at a front that passes them on."""
    del names_of_the_test_resolve
    async with AsyncExitStack() as stack:

        async def make(*, by_post: bool = False) -> World:
            port = unused_port()
            url = f"https://{GATEWAY}:{port}"
            us = replace(US, entity_id=f"{url}/idp/corp/metadata", acs_url=f"{url}/idp/corp/acs")
            certificate, key = web.servers[PROVIDER]
            tls = (certificate + web.ca, key)
            provider = await stack.enter_async_context(saml_idp(tmp_path, us, Manner(signs=Signs.BOTH), host=PROVIDER, tls=tls))
            gateway_certificate, gateway_key = web.servers[GATEWAY]
            files = {"front.pem": gateway_certificate + web.ca, "front.key": gateway_key, "web-ca.pem": web.ca}
            settings = corp_yaml(provider)
            if by_post:
                location = await stack.enter_async_context(front(web, provider))
                document = POST_ONLY.format(entity_id=provider.entity_id, certificate=provider.key.trusted.base64, location=location)
                files["idp.xml"] = document.encode()
                settings["metadata"] = {"file": "../certs/idp.xml"}

            def edit_gateway(given: dict[str, Any]) -> None:
                given["public_url"] = url
                given["listen"] = {
                    "host": "127.0.0.1",
                    "port": port,
                    "tls": {"certificate": "../certs/front.pem", "key": "../certs/front.key"},
                }
                given["outbound"] = {"ca": "../certs/web-ca.pem", "allow_private": ["127.0.0.0/8"]}

            world = await worlds(
                idps=(),
                foreign={"corp": settings},
                port=port,
                clock=SystemClock(),
                edit_gateway=edit_gateway,
                secrets=files,
                browser_host=QLIK,
                browser_tls=browser_side(web, QLIK),
            )
            world.site.link("sales", f"{url}/vp/sales/login")
            return world

        yield make


async def sign_in(page: Page, world: World) -> None:
    await page.goto(world.site.hub("sales"))
    await page.get_by_role("button", name="Sign in").click()


async def test_from_the_hub_s_link_to_the_hub_s_page_by_a_cross_site_post(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    page = await chromium.new_page()
    hops: list[str] = []
    page.on("request", lambda request: hops.append(f"{request.method} {request.url.partition('?')[0]}"))
    await sign_in(page, world)
    await page.wait_for_url(f"https://{QLIK}:*/sales/hub/**")
    await page.get_by_text("alice@example.com").first.wait_for()
    await photograph(page, "hub-saml")
    (session,) = world.sessions()
    assert (session.user.directory, session.user.user_id) == ("PARTNERS", "alice@example.com")
    assert f"POST https://{GATEWAY}:{world.url.rpartition(':')[2]}/idp/corp/acs" in hops
    ours = [cookie for cookie in await chromium.cookies() if cookie["domain"] == GATEWAY]
    assert ours
    for cookie in ours:
        assert cookie["name"].startswith("__Host-")
        assert cookie["secure"]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == ("Lax" if cookie["name"] == "__Host-qgw-browser" else "None"), (
            "the handle stays behind, the login comes along"
        )


async def test_a_request_by_post_survives_a_provider_that_passes_it_on_to_another_host(start: Start, chromium: BrowserContext) -> None:
    """`form-action` is applied along the redirects that follow a form (CSP 3 §6.4.2)."""
    world = await start(by_post=True)
    page = await chromium.new_page()
    hops: list[str] = []
    page.on("request", lambda request: hops.append(f"{request.method} https://{request.url.split('/')[2].partition(':')[0]}"))
    await sign_in(page, world)
    await page.get_by_text("alice@example.com").first.wait_for()
    assert len(world.sessions()) == 1
    assert [f"POST https://{host}" for host in (EMBEDDER, PROVIDER, GATEWAY)] == [
        hop for hop in dict.fromkeys(hops) if hop.startswith("POST")
    ]


async def test_two_tabs_sign_in_side_by_side(start: Start, chromium: BrowserContext) -> None:
    world = await start()
    first, second = await chromium.new_page(), await chromium.new_page()
    for page in (first, second):
        await page.goto(world.site.hub("sales"))
    for page in (second, first):
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("alice@example.com").first.wait_for()
    assert len(world.sessions()) == 2
