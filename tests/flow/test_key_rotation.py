"""Cookie keys rotate without a failed login, also while replicas differ: add the new one as second everywhere, then promote it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gateway import config
from gateway.app import Gateway
from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World, start_gateway, write
from tests.ports import unused_port

OLD, NEW = "old.key", "new.key"
KEYS = {name: base64.urlsafe_b64encode(name[:1].encode() * 32).rstrip(b"=") for name in (OLD, NEW)}


def ring(*names: str) -> list[dict[str, str]]:
    return [{"file": f"../certs/{name}"} for name in names]


@dataclass
class Other:
    """A second replica, with a ring of its own."""

    world: World
    folder: Path
    gateway: Gateway
    port: int

    def url(self, at_first: str) -> str:
        """An address of the first replica, here: what a load balancer does."""
        return at_first.replace(self.world.url, f"http://127.0.0.1:{self.port}")


def rotate(gateway: Gateway, folder: Path, *names: str) -> None:
    """Another ring in its folder, and a reload."""
    content = yaml.safe_load((folder / "gateway.yaml").read_text())
    write(folder, "gateway.yaml", content | {"cookie_keys": ring(*names)})
    loaded = config.load(folder, environ={})
    assert loaded.configuration
    gateway.adopt(loaded.configuration)


@pytest.fixture
async def first(worlds: Worlds) -> World:
    return await worlds(secrets=KEYS, edit_gateway=lambda gateway: gateway.update(cookie_keys=ring(OLD)))


@pytest.fixture
async def other(first: World) -> AsyncIterator[Other]:
    folder = first.folder.parent / "other"
    shutil.copytree(first.folder, folder)
    port = unused_port()
    content = yaml.safe_load((folder / "gateway.yaml").read_text())
    elsewhere = {"listen": {"host": "127.0.0.1", "port": port}, "management": {"host": "127.0.0.1", "port": unused_port()}}
    write(folder, "gateway.yaml", content | elsewhere)
    gateway, _ = await start_gateway(folder, first.clock)
    yield Other(first, folder, gateway, port)
    await gateway.stop()


async def begun_at_other(other: Other, browser: Browser) -> Answer:
    """As far as the provider's answer, which leads to the first replica."""
    start = (await other.world.ask_hub(browser)).location
    page = await browser.follow(await browser.get(other.url(start)))
    return await browser.submit(page, user="alice")


async def both_ways(first: World, other: Other) -> list[int]:
    """A login begun here and finished there, and the other way round: how they ended."""
    browser = first.browser()
    here_there = await browser.follow(await browser.get(other.url((await first.to_callback(browser)).location)))
    browser = first.browser()
    there_here = await browser.follow(await begun_at_other(other, browser))
    return [here_there.status, there_here.status]


async def test_any_replica_finishes_any_login_at_every_step_of_a_rotation(first: World, other: Other) -> None:
    assert await both_ways(first, other) == [200, 200]
    for names in ((OLD, NEW), (NEW, OLD), (NEW,)):
        rotate(first.gateway, first.folder, *names)
        assert await both_ways(first, other) == [200, 200], f"one replica has {names}, the other the ring before"
        rotate(other.gateway, other.folder, *names)
        assert await both_ways(first, other) == [200, 200], f"both have {names}"


async def test_a_login_in_flight_outlives_adding_and_promoting_a_key(first: World) -> None:
    browser = first.browser()
    callback = await first.to_callback(browser)
    rotate(first.gateway, first.folder, OLD, NEW)
    rotate(first.gateway, first.folder, NEW, OLD)
    assert (await browser.follow(callback)).status == 200


async def test_a_login_of_a_key_that_is_gone_has_a_code_of_its_own(first: World) -> None:
    browser = first.browser()
    callback = await first.to_callback(browser)
    rotate(first.gateway, first.folder, NEW)
    answer = await browser.follow(callback)
    assert (answer.status, answer.code) == (400, "QGW-112")
    assert (await first.sign_in(browser)).status == 200, "the next one works: what cannot be read is cleared up"


async def test_promoting_a_key_that_the_others_do_not_have_is_what_breaks(first: World, other: Other) -> None:
    """Why it is added as second first."""
    rotate(first.gateway, first.folder, NEW, OLD)
    browser = first.browser()
    answer = await browser.get(other.url((await first.to_callback(browser)).location))
    assert (answer.status, answer.code) == (400, "QGW-112")
    assert (await browser.get((await first.to_callback(browser)).location)).status == 302
