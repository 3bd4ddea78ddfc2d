"""Replicas that share a store: one-time use and logout hold across them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.flow.conftest import Worlds
from tests.flow.replicas import replicas
from tests.flow.test_shared_store import SAME_SITE
from tests.flow.world import Browser, World
from tests.peers.redis import RedisServer

pytestmark = [pytest.mark.needs("nginx"), pytest.mark.needs("redis")]


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
async def world(worlds: Worlds, real_clock: object, redis: RedisServer) -> World:
    return await worlds(clock=real_clock, edit_gateway=lambda settings: settings.update(store={"url": redis.url}))


async def test_of_one_callback_sent_to_both_replicas_many_times_at_once_one_gets_the_ticket(world: World) -> None:
    async with replicas(world):
        browser = world.browser()
        callback = (await world.to_callback(browser)).location

        async def again() -> int:
            thief = Browser(world.session)
            thief.cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
            return (await thief.get(callback)).status

        statuses = await asyncio.gather(*(again() for _ in range(30)))
        assert sorted(statuses) == [302, *[400] * 29]
        assert world.site.count("tickets_issued") == 1


async def test_a_logout_at_any_replica_ends_what_all_have_signed_in(world: World) -> None:
    async with replicas(world):
        browser = world.browser()
        for node in world.site.nodes:
            assert (await world.sign_in(browser, node=node)).status == 200
        assert [len(world.sessions(node=node)) for node in world.site.nodes] == [1, 1]
        assert (await browser.get(f"{world.url}/vp/sales/logout", **SAME_SITE)).status == 200
        assert [len(world.sessions(node=node)) for node in world.site.nodes] == [0, 0]


async def test_a_store_that_was_frozen_under_both_serves_both_again(world: World, redis: RedisServer) -> None:
    async with replicas(world):
        callbacks = []
        for _ in range(4):
            browser = world.browser()
            callbacks.append((browser, (await world.to_callback(browser)).location))
        redis.freeze()
        answers = await asyncio.gather(*(browser.get(callback) for browser, callback in callbacks))
        assert {(answer.status, answer.code) for answer in answers} == {(503, "QGW-601")}
        redis.thaw()
        for _ in range(4):
            assert (await world.sign_in(world.browser())).status == 200
