"""Authentication strength by SAML over HTTP: what the browser takes out of a request is missed on return, once and then for good."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from gateway.demo.saml_messages import Signer
from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World

MFA = "https://refeds.org/profile/mfa"
UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
Alter = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Liberal(Signer):
    """Signs what the provider says after it was said otherwise."""

    alter: Alter

    def signed(self, document: str, identifier: str) -> str:
        return Signer(key=self.key, certificate=self.certificate).signed(self.alter(document), identifier)


def saying(world: World, alter: Alter) -> None:
    provider = world.saml["adfs"]
    first = provider._signers[0]
    provider._signers[0] = Liberal(key=first.key, certificate=first.certificate, alter=alter)


async def demanding(worlds: Worlds, **authentication: Any) -> World:
    return await worlds(
        idps=(), saml=("adfs",), edit_gateway=lambda settings: settings["virtual_proxies"]["sales"].update(authentication=authentication)
    )


def asked_of(url: str) -> str:
    return zlib.decompress(base64.b64decode(parse_qs(urlsplit(url).query)["SAMLRequest"][0]), -zlib.MAX_WBITS).decode()


def without_demands(url: str) -> str:
    """The request is not signed, and passes through the browser."""
    plain = re.sub(r' ForceAuthn="true"|<samlp:RequestedAuthnContext.*</samlp:RequestedAuthnContext>', "", asked_of(url))
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    message = base64.b64encode(compressor.compress(plain.encode()) + compressor.flush()).decode()
    return re.sub(r"SAMLRequest=[^&]*", f"SAMLRequest={quote(message, safe='')}", url)


async def answered(browser: Browser, request: str) -> Answer:
    """Sign in there; the page with the response, not yet sent."""
    return await browser.submit(await browser.get(request), user="alice")


async def to_request(world: World, browser: Browser) -> str:
    return (await browser.get((await world.ask_hub(browser)).location)).location


async def test_a_context_that_the_browser_did_not_ask_for_is_missed_twice_and_then_refused(worlds: Worlds) -> None:
    world = await demanding(worlds, authn_context=[MFA])
    browser = world.browser()
    request = await to_request(world, browser)
    assert MFA in asked_of(request)
    again = await browser.submit(await answered(browser, without_demands(request)))
    assert again.status == 303
    assert MFA in asked_of(again.location)
    assert 'ForceAuthn="true"' in asked_of(again.location)
    page = await browser.submit(await answered(browser, without_demands(again.location)))
    assert (page.status, page.code) == (403, "QGW-223")
    assert world.site.count("tickets_issued") == 0


async def test_the_second_sign_in_is_enough_where_it_is_strong(worlds: Worlds) -> None:
    world = await demanding(worlds, authn_context=[MFA])
    browser = world.browser()
    again = await browser.submit(await answered(browser, without_demands(await to_request(world, browser))))
    saying(world, lambda document: document.replace(UNSPECIFIED, MFA))
    hub = await browser.follow(await browser.submit(await answered(browser, without_demands(again.location))))
    assert hub.status == 200
    assert world.site.count("tickets_issued") == 1


@pytest.mark.parametrize(("second", "code"), [("fresh", None), ("old", "QGW-224")])
async def test_a_sign_in_that_is_too_old_is_made_anew_or_refused(worlds: Worlds, second: str, code: str | None) -> None:
    world = await demanding(worlds, max_age="1h")
    before = (world.clock.now() - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = list(world.saml["adfs"]._signers)
    saying(world, lambda document: re.sub(r'AuthnInstant="[^"]*"', f'AuthnInstant="{before}"', document))
    browser = world.browser()
    again = await browser.submit(await answered(browser, await to_request(world, browser)))
    assert 'ForceAuthn="true"' in asked_of(again.location)
    if second == "fresh":
        world.saml["adfs"]._signers = fresh
    page = await browser.follow(await browser.submit(await answered(browser, again.location)))
    assert page.code == code
    assert world.site.count("tickets_issued") == (0 if code else 1)


async def test_the_weak_answer_does_not_fit_the_step_up(worlds: Worlds) -> None:
    world = await demanding(worlds, authn_context=[MFA])
    browser = world.browser()
    weak = await answered(browser, without_demands(await to_request(world, browser)))
    again = await browser.submit(weak)
    state = parse_qs(urlsplit(again.location).query)["RelayState"][0]
    page = await browser.submit(weak, RelayState=state)
    assert (page.status, page.code) == (400, "QGW-244")
    assert (await browser.submit(weak)).code == "QGW-110"
    assert world.site.count("tickets_issued") == 0


async def test_a_weak_answer_for_one_virtual_proxy_ends_no_login_at_another(worlds: Worlds) -> None:
    """The strict one's response may be had without its demands; it is the sealed login that says for whom it is."""

    def edit(settings: dict[str, Any]) -> None:
        settings["virtual_proxies"]["qmc"]["authentication"] = {"authn_context": [MFA]}

    world = await worlds(idps=(), saml=("adfs",), prefixes=("sales", "qmc"), edit_gateway=edit)
    browser = world.browser()
    easy = await answered(browser, await to_request(world, browser))
    strict = (await browser.get((await world.ask_hub(browser, "qmc")).location)).location
    state = parse_qs(urlsplit(strict).query)["RelayState"][0]
    assert (await browser.submit(easy, RelayState=state)).code == "QGW-244"
    assert (await browser.follow(await browser.submit(easy))).status == 200
    assert not world.sessions("qmc")
