"""One server: what stands in it, and what happens when an answer is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.demo.certificates import make_web
from gateway.errors import StoreRefused, StoreUnavailable
from gateway.events import StoreFound, StoreLost, StoreMayForget
from gateway.stores.address import read_store_address
from tests.fakes import NOON
from tests.peers.between import Between
from tests.peers.redis import RIGHTS, RedisServer
from tests.ports import unused_port
from tests.stores.opened import opened
from tests.stores.test_redis_index import ENTRY

pytestmark = pytest.mark.needs("redis")
MANUAL = Path(__file__).parents[2] / "docs" / "operations.md"
SOON = NOON + timedelta(minutes=15)


async def test_nothing_stands_in_the_store_in_clear(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        await replica.stores.replay.claim("transaction:alice", SOON)
        await replica.stores.counter.take("client:192.0.2.1", 2, timedelta(minutes=1))
    keys = redis.ask("keys", "*").splitlines()
    assert sorted(key.rpartition(":")[0] for key in keys) == ["qlikgw:count", "qlikgw:mark"]
    assert all(len(key.rpartition(":")[2]) == 32 for key in keys)
    assert "alice" not in "".join(keys) + "".join(redis.ask("get", key) for key in keys)


async def test_a_mark_outlives_its_time_by_the_difference_that_clocks_may_have(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        await replica.stores.replay.claim("a", SOON)
    (key,) = redis.ask("keys", "*").splitlines()
    assert 15 * 60 + 59 <= int(redis.ask("pttl", key)) / 1000 <= 15 * 60 + 60


async def test_a_claim_whose_answer_was_lost_is_not_taken_for_a_replay(redis: RedisServer) -> None:
    async with Between(redis.port) as wire, opened(f"redis://127.0.0.1:{wire.port}") as replica:
        claim = replica.stores.replay.claim
        assert await claim("before", SOON)
        wire.lose = 1
        assert await claim("a", SOON)
        assert wire.lost == 1
        assert not await claim("a", SOON)
        assert not replica.journal.of(StoreLost)


async def test_a_replay_whose_answer_was_lost_is_still_one(redis: RedisServer) -> None:
    async with Between(redis.port) as wire, opened(f"redis://127.0.0.1:{wire.port}") as replica:
        claim = replica.stores.replay.claim
        assert await claim("a", SOON)
        wire.lose = 1
        assert not await claim("a", SOON)
        assert wire.lost == 1


async def test_connections_that_died_while_idle_are_not_taken_for_a_dead_store(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        await asyncio.gather(*(replica.stores.replay.claim(str(number), SOON) for number in range(20)))
        redis.ask("client", "kill", "type", "normal", "skipme", "yes")
        assert await replica.stores.replay.claim("a", SOON)
        assert not replica.journal.of(StoreLost)


async def test_more_claims_at_once_than_connections_wait_their_turn(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        assert all(await asyncio.gather(*(replica.stores.replay.claim(str(number), SOON) for number in range(200))))
    assert int(redis.ask("info", "stats").split("total_connections_received:")[1].split()[0]) < 50


async def test_a_password_and_a_database_are_used() -> None:
    server = RedisServer("--requirepass", "hunter2")
    try:
        server.start()
        async with opened(f"redis://:hunter2@127.0.0.1:{server.port}/3") as replica:
            assert await replica.stores.replay.claim("a", SOON)
        assert "db3:keys=1" in server.ask("-a", "hunter2", "info", "keyspace")
        async with opened(f"redis://:wrong@127.0.0.1:{server.port}") as replica:
            with pytest.raises(StoreRefused):
                await replica.stores.replay.claim("b", SOON)
            assert "wrong" not in repr(replica.journal.events)
        async with opened(server.url) as replica:
            with pytest.raises(StoreRefused):
                await replica.stores.replay.claim("b", SOON)
    finally:
        server.stop()


async def test_a_user_needs_no_more_rights_than_the_manual_says(redis: RedisServer) -> None:
    assert RIGHTS in MANUAL.read_text()
    redis.ask("acl", "setuser", "gateway", "on", ">hunter2", "resetchannels", *RIGHTS.split())
    async with opened(f"redis://gateway:hunter2@127.0.0.1:{redis.port}") as replica:
        assert [type(event) for event in await replica.look()] == [StoreFound]
        assert await replica.stores.replay.claim("a", SOON)
        assert not await replica.stores.replay.claim("a", SOON)
        assert [(await replica.stores.counter.take("a", 1, timedelta(minutes=1))).taken for _ in range(2)] == [True, False]
        index = replica.stores.index_under([b"k" * 32])
        await index.remember(ENTRY)
        assert await index.of_browser(ENTRY.browser) == (ENTRY,)
        await index.forget(ENTRY)
        assert not replica.journal.of(StoreLost)


async def test_over_tls_the_server_must_prove_its_name() -> None:
    web = make_web(["127.0.0.1"])
    server = RedisServer(tls=web.servers["127.0.0.1"])
    try:
        server.start()
        address = read_store_address(f"rediss://127.0.0.1:{server.port}")
        async with opened(replace(address, ca=web.ca)) as replica:
            assert await replica.stores.replay.claim("a", SOON)
        async with opened(address) as replica:
            with pytest.raises(StoreUnavailable):
                await replica.stores.replay.claim("b", SOON)
        async with opened(replace(address, servers=(("localhost", server.port),), ca=web.ca)) as replica:
            with pytest.raises(StoreUnavailable):
                await replica.stores.replay.claim("b", SOON)
    finally:
        server.stop()


async def test_a_store_that_would_forget_marks_is_told_when_it_is_found(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        assert await replica.look() == [StoreFound()]
        assert await replica.look() == []
    redis.ask("config", "set", "maxmemory-policy", "allkeys-lru")
    async with opened(redis.url) as replica:
        assert await replica.look() == [StoreFound(), StoreMayForget(policies=("allkeys-lru",))]


async def test_nobody_at_the_address_is_a_lost_store_that_is_told_once() -> None:
    async with opened(f"redis://127.0.0.1:{unused_port()}") as replica:
        (lost,) = await replica.look()
        assert isinstance(lost, StoreLost)
        assert lost.code == "QGW-601"
        assert await replica.look() == []
        assert [(await replica.stores.counter.take("a", 1, timedelta(minutes=1))).taken for _ in range(2)] == [True, False]
        with pytest.raises(StoreUnavailable):
            await replica.stores.replay.claim("a", SOON)


async def test_a_server_that_does_not_tell_its_policy_works_all_the_same(redis: RedisServer) -> None:
    redis.ask("acl", "setuser", "gateway", "on", ">hunter2", "resetchannels", *RIGHTS.replace("+info ", "").split())
    async with opened(f"redis://gateway:hunter2@127.0.0.1:{redis.port}") as replica:
        assert await replica.look() == [StoreFound(), StoreMayForget(policies=("unknown",))]
        assert await replica.look() == []
        assert await replica.stores.replay.claim("a", SOON)


async def test_a_password_is_rotated_without_a_failed_claim(redis: RedisServer) -> None:
    redis.ask("acl", "setuser", "gateway", "on", ">old", ">new", "resetchannels", *RIGHTS.split())
    async with opened(f"redis://gateway:old@127.0.0.1:{redis.port}") as replica:
        await asyncio.gather(*(replica.stores.replay.claim(str(number), SOON) for number in range(20)))
        under_way = [asyncio.create_task(replica.stores.replay.claim(f"during-{number}", SOON)) for number in range(50)]
        await asyncio.sleep(0)
        replica.stores.renew(read_store_address(f"redis://gateway:new@127.0.0.1:{redis.port}"))
        assert all(await asyncio.gather(*under_way))
        redis.ask("acl", "setuser", "gateway", "<old")
        redis.ask("client", "kill", "type", "normal", "skipme", "yes")
        assert await replica.stores.replay.claim("after", SOON)
        assert not await replica.stores.replay.claim("0", SOON)
        assert not replica.journal.of(StoreLost)
