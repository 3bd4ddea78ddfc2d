"""Two replicas behind nginx with a shared index: either ends what the other signed in, at the word of providers that nobody here wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.flow.conftest import certificates, worlds
from tests.flow.replicas import replicas
from tests.flow.world import Answer, Browser, World
from tests.interop.saml import test_logout as saml
from tests.interop.saml.foreign import Manner
from tests.interop.saml.simplesamlphp import SimpleSamlPhp
from tests.interop.saml.test_logins import KEY, corp
from tests.interop.saml.test_logins import Start as StartSaml
from tests.interop.test_certified_provider import NODES, SECRET, Start, issuer_of, sign_in, signed_in_on_both_nodes, start
from tests.peers.redis import RedisServer

__all__ = ["certificates", "corp", "start", "worlds"]
pytestmark = pytest.mark.needs("nginx", "redis")


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


def replicas_of(browser: Browser, path: str) -> set[str]:
    """Which replicas answered requests of that path."""
    return {answer.headers["X-Served-By"] for answer in browser.seen if path in answer.url and "X-Served-By" in answer.headers}


async def no_hub_knows(world: World, browser: Browser) -> None:
    for node in NODES:
        assert not world.sessions(node=node)
        assert (await world.ask_hub(browser, node=node)).status == 302


async def log_out(world: World, browser: Browser) -> Answer:
    return await browser.get(f"{world.url}/vp/sales/logout", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="navigate")


@pytest.mark.needs("node")
async def test_openid_connect(start: Start, redis: RedisServer) -> None:
    world = await start({"client_secret": SECRET}, store=redis.url)
    async with replicas(world):
        browser = await signed_in_on_both_nodes(world)
        assert len(replicas_of(browser, "/callback") | replicas_of(browser, "/login")) == 2
        began = time.monotonic()
        await browser.submit(await browser.get(f"{await issuer_of(world)}/session/end"), logout="yes")
        await no_hub_knows(world, browser)
        assert time.monotonic() - began < 5

        assert (await sign_in(world, browser)).status == 200
        onward = await log_out(world, browser)
        last = await browser.follow(await browser.submit(await browser.get(onward.location), logout="yes"))
        assert "You are signed out of Qlik Sense" in last.text
        await no_hub_knows(world, browser)


@pytest.mark.needs("simplesamlphp")
async def test_saml(corp: StartSaml, redis: RedisServer) -> None:
    here = await corp("simplesamlphp", Manner(), sp=KEY, store=redis.url)
    assert isinstance(here.provider, SimpleSamlPhp)
    async with replicas(here.world):
        browser = await saml.signed_in_on_both_nodes(here)
        assert len(replicas_of(browser, "/acs") | replicas_of(browser, "/login")) == 2
        began = time.monotonic()
        last = await saml.travel(browser, await here.provider.sign_out(browser), until=here.provider.left_url)
        assert last.location == here.provider.left_url
        await no_hub_knows(here.world, browser)
        assert time.monotonic() - began < 5

        assert (await here.sign_in(browser)).status == 200
        last = await saml.travel(browser, await log_out(here.world, browser), until="nowhere")
        assert "You are signed out of Qlik Sense" in last.text
        await no_hub_knows(here.world, browser)
