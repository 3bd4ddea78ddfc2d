"""Real servers, broken for real: noticed within a second and a half, closed for marks, and back without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import StoreError, StoreFull, StoreRefused, StoreUnavailable
from gateway.events import StoreFound, StoreLost
from tests.fakes import NOON, FixedClock
from tests.peers.between import Between
from tests.peers.redis import PATIENCE, RIGHTS, RIGHTS_IN_A_CLUSTER, RedisCluster, RedisServer, Watched, until
from tests.stopwatch import Stopwatch
from tests.stores.opened import Opened, opened

pytestmark = pytest.mark.needs("redis")
MANUAL = Path(__file__).parents[2] / "docs" / "operations.md"
SOON = NOON + timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
NOTICED = 1.5
"""Seconds within which a claim must have failed."""


async def refused(replica: Opened, key: str, error: type[StoreError]) -> None:
    """A claim fails, in time."""
    watch = Stopwatch()
    with pytest.raises(error):
        await replica.stores.replay.claim(key, SOON)
    assert watch.seconds() < NOTICED


async def recovered(replica: Opened) -> None:
    """Wait until a look finds the store well: servers take their time to come back."""
    end = time.monotonic() + PATIENCE
    while StoreFound() not in await replica.look():
        assert time.monotonic() < end, replica.journal.events
        await asyncio.sleep(0.05)


@asynccontextmanager
async def used(url: str) -> AsyncIterator[Opened]:
    """Stores that have found their server, with one mark in it."""
    async with opened(url) as replica:
        assert await replica.look() == [StoreFound()]
        assert await replica.stores.replay.claim("first", SOON)
        yield replica


async def test_a_frozen_server_is_noticed_and_used_again_once_it_moves(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.freeze()
        await refused(replica, "a", StoreUnavailable)
        assert replica.journal.of(StoreLost) == [StoreLost(code="QGW-601", detail="TimeoutError")]
        redis.thaw()
        assert await replica.stores.replay.claim("b", SOON)
        assert not await replica.stores.replay.claim("first", SOON)
        assert await replica.look() == [StoreFound()]


async def test_many_claims_at_a_frozen_server_all_fail_in_time(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.freeze()
        await asyncio.gather(*(refused(replica, str(number), StoreUnavailable) for number in range(200)))
        assert len(replica.journal.of(StoreLost)) == 1


async def test_a_server_that_is_frozen_before_the_first_use_is_noticed_as_soon(redis: RedisServer) -> None:
    redis.freeze()
    async with opened(redis.url) as replica:
        await refused(replica, "a", StoreUnavailable)


async def test_counts_go_on_locally_at_a_frozen_server_and_only_the_first_waits(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.freeze()
        counter, watch = replica.stores.counter, Stopwatch()
        assert (await counter.take("a", 40, MINUTE)).taken
        assert watch.seconds() < NOTICED
        watch = Stopwatch()
        assert [(await counter.take("a", 40, MINUTE)).taken for _ in range(50)] == [True] * 39 + [False] * 11
        assert watch.seconds() < 0.2
        redis.thaw()
        await recovered(replica)
        assert int(redis.ask("dbsize")) >= 2
        assert (await counter.take("b", 40, MINUTE)).current == 1
        assert "qlikgw:count" in redis.ask("keys", "qlikgw:count:*")


async def test_a_server_that_was_killed_is_used_again_after_its_restart(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.kill()
        await refused(replica, "a", StoreUnavailable)
        redis.start()
        assert await replica.stores.replay.claim("a", SOON)
        await recovered(replica)


async def test_a_restart_between_two_claims_is_not_noticed_at_all(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.kill()
        redis.start()
        assert await replica.stores.replay.claim("a", SOON)
        assert not replica.journal.of(StoreLost)


@pytest.mark.parametrize("kept", [True, False])
async def test_a_restart_forgets_marks_unless_the_server_writes_them_down(kept: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    server = RedisServer("--appendonly", "yes" if kept else "no", "--appendfsync", "always")
    try:
        async with used(server.start().url) as replica:
            server.kill()
            server.start()
            assert await replica.stores.replay.claim("first", SOON) is not kept
    finally:
        server.stop()


async def test_a_server_that_became_a_read_only_replica_takes_no_marks(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.ask("replicaof", "127.0.0.1", "1")
        await refused(replica, "a", StoreRefused)
        assert await replica.look() == []
        assert (await replica.stores.counter.take("a", 1, MINUTE)).taken
        redis.ask("replicaof", "no", "one")
        assert await replica.stores.replay.claim("a", SOON)
        await recovered(replica)


async def test_a_full_server_takes_no_marks_and_forgets_none(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.ask("config", "set", "maxmemory", "1")
        await refused(replica, "a", StoreFull)
        assert await replica.look() == []
        redis.ask("config", "set", "maxmemory", "0")
        assert not await replica.stores.replay.claim("first", SOON)
        assert await replica.stores.replay.claim("a", SOON)
        await recovered(replica)


async def test_a_server_without_enough_replicas_in_step_takes_no_marks(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        redis.ask("config", "set", "min-replicas-to-write", "1")
        await refused(replica, "a", StoreRefused)
        redis.ask("config", "set", "min-replicas-to-write", "0")
        assert await replica.stores.replay.claim("a", SOON)


async def test_a_slow_network_is_borne_as_long_as_an_answer_comes_in_time(redis: RedisServer) -> None:
    async with Between(redis.port) as wire, used(f"redis://127.0.0.1:{wire.port}") as replica:
        wire.delay = 0.2
        assert all(await asyncio.gather(*(replica.stores.replay.claim(str(number), SOON) for number in range(50))))
        assert not replica.journal.of(StoreLost)
        wire.delay = 2.0
        await refused(replica, "a", StoreUnavailable)
        wire.delay = 0.0
        assert await replica.stores.replay.claim("b", SOON)
        await recovered(replica)


async def test_our_clock_may_jump_and_a_mark_holds(redis: RedisServer) -> None:
    async with used(redis.url) as replica:
        assert isinstance(replica.clock, FixedClock)
        replica.clock.advance(timedelta(hours=1))
        assert not await replica.stores.replay.claim("first", SOON + timedelta(hours=1))
        replica.clock.advance(timedelta(hours=-2))
        assert not await replica.stores.replay.claim("first", SOON)


@pytest.mark.needs("faketime")
async def test_a_servers_clock_may_be_off_and_corrected_by_a_minute_but_an_hour_ends_its_marks() -> None:
    server = RedisServer(faked_clock=True)
    try:
        async with opened(server.start().url) as replica:
            assert await replica.stores.replay.claim("a", NOON + timedelta(seconds=1))
            server.set_clock("+55")
            assert not await replica.stores.replay.claim("a", NOON + timedelta(seconds=1))
            server.set_clock("+3600")
            assert await replica.stores.replay.claim("a", NOON + timedelta(seconds=1))
            server.set_clock("-3600")
            assert not await replica.stores.replay.claim("a", NOON + timedelta(seconds=1))
    finally:
        server.stop()


@pytest.mark.needs("faketime")
async def test_a_servers_clock_that_is_set_back_keeps_no_limit_shut_for_longer_than_a_window() -> None:
    server = RedisServer(faked_clock=True)
    try:
        async with opened(server.start().url) as replica:

            async def taken() -> bool:
                return (await replica.stores.counter.take("a", 1, MINUTE)).taken

            assert [await taken(), await taken()] == [True, False]
            server.set_clock("-3600")
            assert [await taken(), await taken()] == [True, False]
            server.set_clock("-3630")
            assert await taken(), "what is left of two windows would be longer than they are"
            server.set_clock("-3569")
            assert await taken()
    finally:
        server.stop()


# ---- Sentinels -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched() -> Iterator[Watched]:
    servers = Watched()
    try:
        yield servers.start()
    finally:
        servers.stop()


def in_step(watched: Watched) -> bool:
    """Whether the replica has what the primary has."""
    return watched.primary.ask("dbsize") == watched.replica.ask("dbsize")


@pytest.mark.parametrize("fault", [RedisServer.freeze, RedisServer.kill])
async def test_a_lost_primary_is_noticed_and_the_one_that_takes_over_is_used_with_its_marks(
    watched: Watched, fault: Callable[[RedisServer], None]
) -> None:
    async with used(watched.url) as replica:
        until(lambda: in_step(watched), what="a replica in step")
        fault(watched.primary)
        await refused(replica, "a", StoreUnavailable)
        await recovered(replica)
        assert watched.sentinel.primary() == watched.replica.port
        assert not await replica.stores.replay.claim("first", SOON)
        assert await replica.stores.replay.claim("b", SOON)


async def test_a_planned_fail_over_under_load_makes_no_claim_win_twice(watched: Watched) -> None:
    async with used(watched.url) as replica:
        wins: list[str] = []

        async def claim_twice(number: int) -> None:
            for _ in range(2):
                try:
                    if await replica.stores.replay.claim(str(number), SOON):
                        wins.append(str(number))
                except StoreError:
                    await asyncio.sleep(0.05)

        watched.sentinel.ask("sentinel", "failover", "main")
        end, number = time.monotonic() + 3, 0
        while time.monotonic() < end and watched.sentinel.primary() != watched.replica.port:
            await asyncio.gather(*(claim_twice(number + one) for one in range(20)))
            number += 20
        if replica.journal.of(StoreLost):
            await recovered(replica)
        await asyncio.gather(*(claim_twice(number + one) for one in range(20)))
        assert len(wins) == len(set(wins))
        assert {str(number + one) for one in range(20)} <= set(wins)


async def test_a_mark_that_the_replica_never_got_is_forgotten_by_a_fail_over(watched: Watched) -> None:
    """What an asynchronous fail-over can forget, and why the manual names `min-replicas-to-write`."""
    async with used(watched.url) as replica:
        until(lambda: in_step(watched), what="a replica in step")
        watched.replica.ask("replicaof", "127.0.0.1", "1")
        assert await replica.stores.replay.claim("late", SOON)
        watched.primary.kill()
        await refused(replica, "during", StoreUnavailable)
        await recovered(replica)
        assert not await replica.stores.replay.claim("first", SOON)
        assert await replica.stores.replay.claim("late", SOON), "forgotten: it would end a login a second time"


async def test_with_min_replicas_to_write_no_mark_is_taken_that_no_replica_gets(watched: Watched) -> None:
    watched.primary.ask("config", "set", "min-replicas-to-write", "1")
    watched.primary.ask("config", "set", "min-replicas-max-lag", "1")
    until(lambda: "min_slaves_good_slaves:1" in watched.primary.ask("info", "replication"), what="a replica that counts")
    async with used(watched.url) as replica:
        watched.replica.freeze()
        until(lambda: "min_slaves_good_slaves:0" in watched.primary.ask("info", "replication"), what="a replica that lags")
        await refused(replica, "late", StoreRefused)
        watched.replica.thaw()
        await recovered(replica)
        assert await replica.stores.replay.claim("late", SOON)


async def test_sentinels_that_are_gone_do_not_matter_while_the_primary_is_there(watched: Watched) -> None:
    async with used(watched.url) as replica:
        watched.sentinel.kill()
        assert await replica.stores.replay.claim("a", SOON)
        assert not replica.journal.of(StoreLost)


async def test_sentinels_may_have_a_password_of_their_own(watched: Watched) -> None:
    watched.sentinel.ask("acl", "setuser", "default", "resetpass", ">hunter2")
    async with opened(watched.url) as replica:
        await refused(replica, "a", StoreError)
    async with opened(f"{watched.url}?sentinel_password=hunter2") as replica:
        assert await replica.stores.replay.claim("a", SOON)


async def test_a_frozen_sentinel_is_noticed_in_time(watched: Watched) -> None:
    watched.sentinel.freeze()
    async with opened(watched.url) as replica:
        await refused(replica, "a", StoreUnavailable)
        watched.sentinel.thaw()
        assert await replica.stores.replay.claim("a", SOON)


async def test_one_frozen_sentinel_of_two_costs_no_login(watched: Watched) -> None:
    watched.another_sentinel()
    watched.sentinel.freeze()
    async with opened(watched.url) as replica:
        watch = Stopwatch()
        assert await replica.stores.replay.claim("a", SOON)
        assert watch.seconds() < NOTICED
        assert not replica.journal.of(StoreLost)


# ---- a cluster -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    servers = RedisCluster()
    try:
        yield servers.start()
    finally:
        servers.stop()


async def everywhere(replica: Opened, prefix: str, *, keys: int = 30) -> list[bool | StoreError]:
    """One claim for each of many keys, so that every node is asked."""

    async def claim(number: int) -> bool | StoreError:
        try:
            return await replica.stores.replay.claim(f"{prefix}{number}", SOON)
        except StoreError as error:
            return error

    watch = Stopwatch()
    results = await asyncio.gather(*(claim(number) for number in range(keys)))
    assert watch.seconds() < NOTICED
    return results


async def test_a_frozen_node_of_a_cluster_is_noticed_and_used_again_once_it_moves(cluster: RedisCluster) -> None:
    async with used(cluster.url) as replica:
        assert await everywhere(replica, "before") == [True] * 30
        cluster.nodes[2].freeze()
        during = await everywhere(replica, "during")
        assert any(isinstance(result, StoreUnavailable) for result in during)
        assert replica.journal.of(StoreLost)
        cluster.nodes[2].thaw()
        await recovered(replica)
        assert await everywhere(replica, "after") == [True] * 30
        assert await everywhere(replica, "before") == [False] * 30


async def test_a_killed_node_of_a_cluster_is_noticed_and_used_again_after_its_restart(cluster: RedisCluster) -> None:
    async with used(cluster.url) as replica:
        cluster.nodes[0].kill()
        during = await everywhere(replica, "during")
        assert any(isinstance(result, StoreError) for result in during)
        assert all(isinstance(result, StoreError) or result for result in during)
        cluster.nodes[0].start()
        await recovered(replica)
        assert await everywhere(replica, "after") == [True] * 30


async def test_a_user_of_a_cluster_needs_no_more_rights_than_the_manual_says(cluster: RedisCluster) -> None:
    assert RIGHTS_IN_A_CLUSTER in MANUAL.read_text()
    for node in cluster.nodes:
        node.ask("acl", "setuser", "gateway", "on", ">hunter2", "resetchannels", *RIGHTS.split(), *RIGHTS_IN_A_CLUSTER.split())
    async with used(cluster.url.replace("://", "://gateway:hunter2@")) as replica:
        assert await everywhere(replica, "a") == [True] * 30
        assert await everywhere(replica, "a") == [False] * 30
        assert (await replica.stores.counter.take("a", 1, MINUTE)).taken
        assert not replica.journal.of(StoreLost)


async def test_slots_that_move_to_another_node_lose_no_mark(cluster: RedisCluster) -> None:
    async with used(cluster.url) as replica:
        assert await everywhere(replica, "a", keys=300) == [True] * 300
        source, target = (node.ask("cluster", "myid") for node in cluster.nodes[:2])
        cluster.nodes[0].ask("--cluster", "reshard", cluster.nodes[0].url.removeprefix("redis://"), *reshard(source, target))
        assert await everywhere(replica, "a", keys=300) == [False] * 300
        assert await everywhere(replica, "b") == [True] * 30
        assert not replica.journal.of(StoreLost)


def reshard(source: str, target: str) -> tuple[str, ...]:
    return ("--cluster-from", source, "--cluster-to", target, "--cluster-slots", "500", "--cluster-yes")
