"""Rows of docs/failure-table.md from end to end: what breaks, what the user sees, what log and metric say, and that it passes."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.app import Gateway
from gateway.demo.certificates import make_site
from gateway.demo.site import Fault
from gateway.lines import start_logging
from gateway.stores.counting import MemoryCounter
from gateway.stores.memory_index import MemorySessionIndex
from gateway.stores.opening import Stores
from tests.flow.conftest import Worlds
from tests.flow.world import Answer, World, start_gateway
from tests.peers.redis import RedisServer


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    start_logging(stream=stream)
    return stream


def lines(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == event]


async def told(world: World, log: io.StringIO, answer: Answer, status: int, code: str) -> None:
    """The page has the code, the log its line with a reference to the page, the metric its count, and there is no session."""
    assert (answer.status, answer.code) == (status, code)
    (line,) = lines(log, "login_rejected")
    assert line["code"] == code
    assert line["correlation_id"] in answer.text
    assert any("qlikgw_logins_total" in row and f'code="{code}"' in row for row in (await world.metrics()).splitlines())
    assert not world.sessions()


async def test_a_provider_that_goes_away_while_the_user_signs_in(world: World, log: io.StringIO) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    await world.providers["entra"].close()
    await told(world, log, await browser.get(callback), 504, "QGW-201")


async def test_a_provider_that_does_not_take_our_secret(world: World, log: io.StringIO) -> None:
    (world.folder.parent / "certs" / "idp.secret").write_text("another\n")
    await world.gateway.stop()
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    await told(world, log, await world.sign_in(world.browser()), 502, "QGW-206")


async def test_a_node_that_answers_nonsense(world: World, log: io.StringIO) -> None:
    world.site.node().faults.always = Fault.NOT_JSON
    await told(world, log, await world.sign_in(world.browser()), 502, "QGW-404")
    world.site.node().faults.always = None
    assert (await world.sign_in(world.browser())).status == 200


async def test_a_node_that_is_down(world: World, log: io.StringIO) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    await world.site.close()
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (504, "QGW-401")
    assert lines(log, "login_rejected")[0]["code"] == "QGW-401"


async def test_a_cookie_key_that_was_taken_away_too_early(world: World, log: io.StringIO) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    (world.folder.parent / "certs" / "cookie.key").write_text("ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ\n")
    await world.gateway.stop()
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    await told(world, log, await browser.get(callback), 400, "QGW-112")
    assert (await world.sign_in(world.browser())).status == 200


@pytest.fixture
async def shared(worlds: Worlds) -> AsyncIterator[tuple[World, RedisServer]]:
    server = RedisServer()
    try:
        server.start()
        yield await worlds(edit_gateway=lambda settings: settings.update(store={"url": server.url})), server
    finally:
        server.stop()


STORE_FAULTS: dict[str, tuple[Callable[[RedisServer], object], str, Callable[[RedisServer], object]]] = {
    "frozen": (RedisServer.freeze, "QGW-601", RedisServer.thaw),
    "gone": (RedisServer.kill, "QGW-601", RedisServer.start),
    "full": (
        lambda redis: redis.ask("config", "set", "maxmemory", "1"),
        "QGW-602",
        lambda redis: redis.ask("config", "set", "maxmemory", "0"),
    ),
    "read-only": (lambda redis: redis.ask("replicaof", "127.0.0.1", "1"), "QGW-603", lambda redis: redis.ask("replicaof", "no", "one")),
}


@pytest.mark.needs("redis")
@pytest.mark.parametrize("fault", STORE_FAULTS)
async def test_a_shared_store_that_fails_under_a_login(shared: tuple[World, RedisServer], log: io.StringIO, fault: str) -> None:
    (world, redis), (damage, code, mend) = shared, STORE_FAULTS[fault]
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    damage(redis)
    await told(world, log, await browser.get(callback), 503, code)
    assert [line["code"] for line in lines(log, "store_lost")] == [code]
    assert "qlikgw_store_up 0.0" in await world.metrics()
    assert (await browser.get(f"{world.management}/readyz")).status == 200
    assert (await world.to_sign_in(world.browser())).status == 200, "logins begin as ever"
    mend(redis)
    assert (await world.sign_in(world.browser())).status == 200, "and end again, without a restart"
    assert world.site.count("tickets_issued") == 1
    again = await browser.get(callback)
    used = fault == "frozen"  # it has taken the mark after all when it moved again; nobody knew
    assert (again.status, again.code) == ((400, "QGW-110") if used else (302, None))


@pytest.mark.needs("redis")
async def test_a_shared_store_that_is_down_at_the_start(worlds: Worlds, log: io.StringIO) -> None:
    server = RedisServer()
    try:
        world = await worlds(edit_gateway=lambda settings: settings.update(store={"url": server.url}))
        await told(world, log, await world.sign_in(world.browser()), 503, "QGW-601")
        server.start()
        assert (await world.sign_in(world.browser())).status == 200
    finally:
        server.stop()


async def test_a_client_certificate_that_the_site_does_not_know(worlds: Worlds, log: io.StringIO) -> None:
    world = await worlds()
    certs: Path = world.folder.parent / "certs"
    foreign = make_site(["qlik1.corp.example"], host_of_root="qlik1")
    (certs / "client.pem").write_bytes(foreign.client)
    (certs / "client_key.pem").write_bytes(foreign.client_key)
    await world.gateway.stop()
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    answer = await world.sign_in(world.browser())
    assert answer.code in {"QGW-401", "QGW-403"}  # cut off, or told why
    assert lines(log, "login_rejected")[0]["code"] == answer.code
    assert world.site.count("tickets_issued") == 0


class Faulty:
    """A replay store with a fault of ours."""

    async def claim(self, key: str, until: datetime) -> bool:
        raise RuntimeError(f"{key} {until}")


async def test_a_fault_of_ours(world: World, log: io.StringIO) -> None:
    loaded = config.load(world.folder, environ={})
    assert loaded.configuration
    await world.gateway.stop()
    stores = Stores(replay=Faulty(), counter=MemoryCounter(world.clock), index_under=lambda _: MemorySessionIndex(world.clock))
    world.gateway = Gateway(loaded.configuration, clock=world.clock, stores=stores)
    await world.gateway.start()
    answer = await world.sign_in(world.browser())
    assert (answer.status, answer.code) == (500, "QGW-500")
    (line,) = lines(log, "crash")
    assert line["exception"] == "RuntimeError"
    assert line["correlation_id"] in answer.text
    assert not world.sessions()
