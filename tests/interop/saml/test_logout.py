"""Single logout with SimpleSAMLphp, by redirect and by POST, from the browser and from the provider: a stack that nobody here wrote."""

from __future__ import annotations

import time

import pytest

from gateway.demo.browser import PageReader
from tests.flow.conftest import certificates, worlds
from tests.flow.world import Answer, Browser, World
from tests.interop.saml.foreign import Manner
from tests.interop.saml.simplesamlphp import SimpleSamlPhp
from tests.interop.saml.test_logins import KEY, Corp, Start, corp
from tests.peers.saml_metadata import REDIRECT

__all__ = ["certificates", "corp", "worlds"]
pytestmark = pytest.mark.needs("simplesamlphp")
NODES = ("qlik1.corp.example", "qlik2.corp.example")
BINDINGS = pytest.mark.parametrize("by_post", [False, True], ids=["redirect", "post"])


async def start(corp: Start, *, by_post: bool) -> tuple[Corp, SimpleSamlPhp]:
    """`by_post`: neither side takes logout messages by redirect."""
    here = await corp("simplesamlphp", Manner(logs_out_by_post=by_post), sp=KEY)
    assert isinstance(here.provider, SimpleSamlPhp)
    if by_post:
        metadata = (await here.world.browser().get(f"{here.world.url}/idp/corp/metadata")).text
        offered = f'<md:SingleLogoutService Binding="{REDIRECT}" Location="{here.world.url}/idp/corp/slo"/>'
        assert offered in metadata
        await here.provider.know(metadata.replace(offered, ""))
    return here, here.provider


async def signed_in_on_both_nodes(here: Corp) -> Browser:
    browser = here.world.browser()
    assert (await here.sign_in(browser)).status == 200
    silent = await browser.follow(await here.world.ask_hub(browser, node=NODES[1]))
    assert (await browser.follow(await browser.submit(silent))).status == 200
    assert [len(here.world.sessions(node=node)) for node in NODES] == [1, 1]
    return browser


async def travel(browser: Browser, answer: Answer, until: str) -> Answer:
    """Follow redirects, and forms that submit themselves with a SAML message, as a browser does; stop before `until`."""
    for _ in range(8):
        answer = await browser.follow(answer, until=until)
        form = PageReader(answer.text).form if answer.status == 200 else None
        if form is None or not {"SAMLRequest", "SAMLResponse"} & form.fields.keys():
            return answer
        answer = await browser.post(form.action, form.fields)
    raise AssertionError("it goes round in circles")


async def hubs_ask_for_a_login(world: World, browser: Browser) -> None:
    for node in NODES:
        assert not world.sessions(node=node)
        assert (await world.ask_hub(browser, node=node)).status == 302


@BINDINGS
async def test_a_logout_in_qlik_sense_ends_the_providers_session_too(corp: Start, *, by_post: bool) -> None:
    here, provider = await start(corp, by_post=by_post)
    browser = await signed_in_on_both_nodes(here)
    first = await browser.get(f"{here.world.url}/vp/sales/logout", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="navigate")
    last = await travel(browser, first, until="nowhere")
    assert last.url.startswith(f"{here.world.url}/idp/corp/slo"), last.text
    assert "You are signed out of Qlik Sense" in last.text
    await hubs_ask_for_a_login(here.world, browser)
    unasked = await browser.get(f"{provider.base}/saml2/idp/SSOService.php?spentityid={here.world.url}/idp/corp/metadata")
    assert 'name="password"' in (await browser.follow(unasked)).text, "the provider asks who it is"


@BINDINGS
async def test_a_logout_at_the_provider_reaches_every_hub_within_seconds(corp: Start, *, by_post: bool) -> None:
    here, provider = await start(corp, by_post=by_post)
    browser = await signed_in_on_both_nodes(here)
    began = time.monotonic()
    last = await travel(browser, await provider.sign_out(browser), until=provider.left_url)
    assert last.status in {302, 303}, last.text
    assert last.location == provider.left_url, "the provider is content with our answer"
    assert time.monotonic() - began < 5
    await hubs_ask_for_a_login(here.world, browser)
