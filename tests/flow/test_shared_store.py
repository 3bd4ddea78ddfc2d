"""Whole logins with a shared store, and what users see while it is down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from gateway import config
from gateway.app import Gateway
from gateway.errors import StoreUnavailable
from gateway.stores.counting import MemoryCounter
from gateway.stores.memory import MemoryReplayStore
from gateway.stores.memory_index import MemorySessionIndex
from gateway.stores.opening import Stores
from tests.flow.conftest import Worlds
from tests.flow.living import living
from tests.flow.world import World, start_gateway
from tests.peers.redis import RedisServer

Adopt = Callable[[World], Awaitable[None]]


@pytest.fixture
def redis() -> Any:
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
async def world(worlds: Worlds, redis: RedisServer) -> World:
    """One virtual proxy, one provider, and marks in a Redis."""
    return await worlds(edit_gateway=lambda settings: settings.update(store={"url": redis.url}))


@pytest.mark.needs("redis")
async def test_a_login_with_its_marks_in_the_store(world: World, redis: RedisServer) -> None:
    browser = world.browser()
    callback = await world.to_callback(browser)
    cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
    assert (await browser.follow(callback)).status == 200
    assert len(redis.ask("keys", "qlikgw:mark:*").splitlines()) == 2
    browser.cookies = cookies
    again = await browser.get(callback.location)
    assert (again.status, again.code) == (400, "QGW-110")
    assert world.site.count("tickets_issued") == 1


@pytest.mark.needs("redis")
async def test_while_the_store_is_down_no_login_ends_and_afterwards_it_does_without_a_restart(world: World, redis: RedisServer) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    redis.kill()
    answer = await browser.get(callback, Accept="application/json")
    assert (answer.status, answer.code) == (503, "QGW-601")
    assert (await browser.get(f"{world.management}/readyz")).status == 200
    assert "qlikgw_store_up 0.0" in await world.metrics()
    assert world.site.count("tickets_issued") == 0
    redis.start()
    assert (await browser.follow(await browser.get(callback))).status == 200
    assert world.site.count("tickets_issued") == 1


@pytest.mark.needs("redis")
async def test_a_new_password_of_the_store_is_used_without_a_restart(worlds: Worlds, redis: RedisServer) -> None:
    redis.ask("config", "set", "requirepass", "old")

    def behind_a_file(settings: dict[str, Any]) -> None:
        settings["store"] = {"url": {"file": "../certs/store.url"}}

    url = redis.url.replace("://", "://:{}@")
    world = await worlds(edit_gateway=behind_a_file, secrets={"store.url": url.format("old").encode()})
    async with living(world) as life:
        redis.ask("--no-auth-warning", "-a", "old", "config", "set", "requirepass", "new")
        (world.folder.parent / "certs" / "store.url").write_text(url.format("new"))
        event = await life.reloaded()
        assert event.needs_restart == ()
        redis.ask("--no-auth-warning", "-a", "new", "client", "kill", "type", "normal", "skipme", "yes")
        assert (await world.sign_in(world.browser())).status == 200
        (world.folder.parent / "certs" / "store.url").write_text("redis://127.0.0.1:1")
        assert (await life.reloaded()).needs_restart == ("store",)
        assert (await world.sign_in(world.browser())).status == 200


SAME_SITE = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}


@pytest.mark.needs("redis")
async def test_a_logout_ends_what_another_replica_signed_in(world: World) -> None:
    browser = world.browser()
    assert (await world.sign_in(browser)).status == 200
    await world.gateway.stop()
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    assert len(world.sessions()) == 1
    answer = await browser.get(f"{world.url}/vp/sales/logout", **SAME_SITE)
    assert answer.status == 200
    assert "You are signed out of Qlik Sense" in answer.text
    assert not world.sessions()


@pytest.mark.needs("redis")
async def test_a_logout_while_the_store_is_down_says_so_and_works_afterwards(world: World, redis: RedisServer) -> None:
    browser = world.browser()
    assert (await world.sign_in(browser)).status == 200
    redis.freeze()
    answer = await browser.get(f"{world.url}/vp/sales/logout", **SAME_SITE)
    assert (answer.status, answer.code) == (503, "QGW-601")
    assert len(world.sessions()) == 1
    redis.thaw()
    assert (await browser.get(f"{world.url}/vp/sales/logout", **SAME_SITE)).status == 200
    assert not world.sessions()


class FailsAtTheProof:
    """A store that dies while the provider is asked."""

    def __init__(self, store: MemoryReplayStore) -> None:
        self._store = store

    async def claim(self, key: str, until: datetime) -> bool:
        if key.startswith("proof:"):
            raise StoreUnavailable("gone meanwhile")
        return await self._store.claim(key, until)


async def test_a_store_that_dies_after_the_provider_confirmed_leaves_nothing_to_reload(worlds: Worlds) -> None:
    world = await worlds()
    loaded = config.load(world.folder, environ={})
    assert loaded.configuration
    await world.gateway.stop()
    stores = Stores(
        replay=FailsAtTheProof(MemoryReplayStore(world.clock)),
        counter=MemoryCounter(world.clock),
        index_under=lambda _: MemorySessionIndex(world.clock),
    )
    world.gateway = Gateway(loaded.configuration, clock=world.clock, stores=stores)
    await world.gateway.start()
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (503, "QGW-604")
    assert any("qgw-login" in line for line in answer.set_cookies), "a stub takes the place of the used login"
    assert (await browser.get(callback)).code == "QGW-110"
    assert world.site.count("tickets_issued") == 0
