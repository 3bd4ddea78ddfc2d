"""One browser gets at most three tickets for a virtual proxy within a minute, whichever replicas it meets, and whatever the store does.

Only logins that began after the ticket before count. What is counted travels with the browser: the replicas share a key, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.conftest import Worlds
from tests.flow.replicas import replicas
from tests.flow.test_loop import come_round, got_ticket
from tests.flow.world import Answer, Browser, World, sharing
from tests.peers.redis import RedisServer

pytestmark = pytest.mark.needs("nginx")


@pytest.fixture
async def world(worlds: Worlds, real_clock: object) -> World:
    """Replicas that share no store."""
    return await worlds(clock=real_clock)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


async def pass_one(browser: Browser, world: World) -> None:
    """The replicas are asked in turn: let the other one have the next."""
    assert (await browser.get(f"{world.url}/nothing")).status == 404


def served_by(answers: list[Answer]) -> set[str]:
    return {answer.headers["X-Served-By"] for answer in answers}


async def test_three_tickets_from_two_replicas_without_a_store_and_no_fourth_from_either(world: World) -> None:
    async with replicas(world):
        browser, answers = world.browser(), []
        for _ in range(3):
            answers.append(await come_round(world, browser))
            await pass_one(browser, world)
        assert all(map(got_ticket, answers))
        assert len(served_by(answers)) == 2, "no replica gave all three"
        refused = [await come_round(world, browser) for _ in range(2)]
        assert [(answer.status, answer.code) for answer in refused] == [(429, "QGW-127")] * 2
        assert len(served_by(refused)) == 2, "both see it"
        assert world.site.count("tickets_issued") == 3
        assert got_ticket(await come_round(world, world.browser())), "another browser is another count"


async def test_tabs_that_go_round_side_by_side_over_two_replicas_are_one(world: World) -> None:
    async with replicas(world):
        browser = world.browser()
        early = await world.to_sign_in(browser)
        for _ in range(3):
            pages = []
            for _ in range(4):
                pages.append(await world.to_sign_in(browser))
                await pass_one(browser, world)
            assert len(served_by([answer for answer in browser.seen[-12:] if "X-Served-By" in answer.headers])) == 2
            answers = [await browser.get((await browser.submit(page, user="alice")).location) for page in pages]
            assert all(map(got_ticket, answers))
            assert len(served_by(answers)) == 2
        assert [(await come_round(world, browser)).code for _ in range(2)] == ["QGW-127"] * 2
        late = await browser.get((await browser.submit(early, user="alice")).location)
        assert got_ticket(late), "it began before all of them"
        assert world.site.count("tickets_issued") == 13


@pytest.mark.needs("redis")
async def test_a_store_that_goes_down_neither_hides_a_loop_nor_counts_as_one(
    worlds: Worlds, real_clock: object, redis: RedisServer
) -> None:
    world = await worlds(clock=real_clock, edit_gateway=sharing(redis.url))
    async with replicas(world):
        browser = world.browser()
        for _ in range(2):
            assert got_ticket(await come_round(world, browser))
            await pass_one(browser, world)
        redis.kill()
        assert (await come_round(world, browser)).code == "QGW-601", "no ticket, so no round"
        redis.start()
        assert got_ticket(await come_round(world, browser))
        redis.kill()
        refused = [await come_round(world, browser) for _ in range(2)]
        assert [(answer.status, answer.code) for answer in refused] == [(429, "QGW-127")] * 2
        assert len(served_by(refused)) == 2
        assert world.site.count("tickets_issued") == 3
