"""Several replicas: any of them finishes any login, and one that stops or dies takes nothing with it but what it has in hand."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.flow.conftest import Worlds
from tests.flow.replicas import Replica, replicas
from tests.flow.world import Answer, Browser, World
from tests.peers.redis import RedisServer

pytestmark = pytest.mark.needs("redis", "nginx")
USERS = 4


class Crowd:
    """Users who sign in one after the other, each in a new browser, until they are told to stop."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ended: list[Answer | Exception] = []
        self._stop = asyncio.Event()
        self._more = asyncio.Event()

    @property
    def failures(self) -> list[Answer | Exception]:
        return [end for end in self.ended if isinstance(end, Exception) or end.status != 200]

    async def user(self) -> None:
        while not self._stop.is_set():
            self.ended.append(await self.one())
            self._more.set()

    async def one(self) -> Answer | Exception:
        """One login."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            try:
                return await self.world.sign_in(Browser(session))
            except aiohttp.ClientError as error:
                return error
            except AssertionError as error:
                return AssertionError(re.findall(r"QGW-\d+|<title>.*</title>", str(error)))

    async def grows(self, by: int = 3 * USERS) -> None:
        """Until so many more have ended."""
        enough = len(self.ended) + by
        async with asyncio.timeout(60):
            while len(self.ended) < enough:
                self._more.clear()
                await self._more.wait()

    @asynccontextmanager
    async def signing_in(self) -> Any:
        users = [asyncio.create_task(self.user()) for _ in range(USERS)]
        try:
            await self.grows()
            yield
            await self.grows()
        finally:
            self._stop.set()
            await asyncio.gather(*users)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
async def world(worlds: Worlds, real_clock: object, redis: RedisServer) -> World:
    """A gateway whose answers come as POSTs, which nginx does not send again once they were sent."""
    return await worlds(
        clock=real_clock,
        edit_gateway=lambda gateway: gateway.update(store={"url": redis.url}, limits={"starts_per_client": 2_000}),
        edit_provider=lambda provider: provider.update(response_mode="form_post"),
    )


async def test_a_login_begun_at_one_replica_is_finished_at_the_other(world: World) -> None:
    async with replicas(world):
        browser = world.browser()
        assert (await world.sign_in(browser)).status == 200
        served_by = [answer.headers["X-Served-By"] for answer in browser.seen if "X-Served-By" in answer.headers]
        assert len(served_by) == 2
        assert len(set(served_by)) == 2, "nginx asks them in turn"


async def test_a_rolling_restart_under_load_loses_no_login(world: World) -> None:
    crowd = Crowd(world)
    async with replicas(world) as both, crowd.signing_in():
        for replica in both:
            assert await replica.stop() == 0
            await crowd.grows()
            await replica.start()
            await crowd.grows()
    assert not crowd.failures
    assert len(crowd.ended) > 6 * USERS


async def test_one_that_is_killed_takes_only_what_it_has_in_hand_and_that_can_be_tried_again(world: World) -> None:
    crowd = Crowd(world)
    async with replicas(world) as (victim, _), crowd.signing_in():
        assert await victim.stop(signal.SIGKILL) == -signal.SIGKILL
        lost_at = len(crowd.ended)
        await crowd.grows()
        assert len(crowd.failures) <= USERS
        await crowd.grows()
        late = Counter(type(end).__name__ if isinstance(end, Exception) else end.status for end in crowd.ended[lost_at + USERS :])
        assert set(late) == {200}
        assert isinstance(answer := await crowd.one(), Answer)
        assert answer.status == 200


async def test_what_was_begun_at_a_replica_that_died_is_finished_by_the_others(world: World) -> None:
    async with replicas(world) as both:
        browser = world.browser()
        page = await world.to_callback(browser)
        beginner = next(replica for replica in both if began_at(browser, replica))
        await beginner.stop(signal.SIGKILL)
        assert (await browser.follow(await browser.submit(page))).status == 200


async def test_a_login_that_one_replica_has_finished_no_other_finishes_again(world: World) -> None:
    async with replicas(world):
        browser = world.browser()
        page = await world.to_callback(browser)
        cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
        assert (await browser.submit(page)).status == 303
        for _ in range(2):
            browser.cookies = {host: dict(jar) for host, jar in cookies.items()}
            answer = await browser.submit(page)
            assert (answer.status, answer.code) == (400, "QGW-110")
        assert len({answer.headers["X-Served-By"] for answer in browser.seen[-3:]}) == 2


async def test_limits_are_counted_by_all_replicas_together(world: World) -> None:
    async with replicas(world) as both:
        for replica in both:
            replica.edit(lambda gateway: gateway.update(limits={"starts_per_client": 3}))
            await replica.stop()
            await replica.start()
        answers = [await world.browser().get(f"{world.url}/vp/sales/login", X_Forwarded_For="203.0.113.7") for _ in range(8)]
        assert [answer.code for answer in answers] == [None] * 3 + ["QGW-125"] * 5
        assert len({answer.headers["X-Served-By"] for answer in answers}) == 2


def began_at(browser: Browser, replica: Replica) -> bool:
    return any(answer.headers.get("X-Served-By") == f"127.0.0.1:{replica.port}" for answer in browser.seen)
