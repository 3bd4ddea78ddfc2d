"""The index of sign-ins in a real server: sealed, bounded, rotating with its ring, and whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import StoreFull, StoreUnavailable
from gateway.model import IdpSession, LogoutNotice, QlikUser, SignedIn
from gateway.stores.redis_index import EACH, RedisSessionIndex
from tests.fakes import NOON, CountingEntropy, FixedClock
from tests.peers.redis import RedisServer
from tests.stores.opened import Opened, opened

pytestmark = pytest.mark.needs("redis")
OLD, NEW = b"o" * 32, b"n" * 32
DAY = timedelta(hours=24)
ENTRY = SignedIn(
    browser="browser-1",
    virtual_proxy="sales",
    idp="entra",
    registration="r1",
    session=IdpSession(issuer="https://op.example", subject="subject-of-alice", session_id="sid-1"),
    user=QlikUser(directory="CONTOSO", user_id="alice"),
    memo="sealed",
    signed_in_at=NOON,
    expires_at=NOON + DAY,
)


def index_of(replica: Opened, ring: Sequence[bytes] = (OLD,), *, capacity: int = 1000) -> RedisSessionIndex:
    link = replica.stores.shared._link  # type: ignore[union-attr]
    return RedisSessionIndex(link, ring=ring, clock=replica.clock, entropy=CountingEntropy(), capacity=capacity)


def dump(redis: RedisServer) -> str:
    """All that stands in the server."""
    keys = redis.ask("keys", "*").splitlines()
    parts = [redis.ask("hgetall", key) if key.endswith(":entries") else key for key in keys]
    return "\n".join(keys + parts + [redis.ask("zrange", key, "0", "-1") for key in keys if "ends" in key])


async def test_nothing_stands_in_the_store_in_clear(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        await index_of(replica).remember(ENTRY)
    text = dump(redis)
    for word in ("browser-1", "sales", "entra", "r1", "op.example", "alice", "sid-1", "CONTOSO", "sealed"):
        assert word not in text.replace("{sign-ins}", "")


async def test_who_lacks_the_ring_cannot_tell_whose_names_they_are(redis: RedisServer) -> None:
    """A user's name is easily guessed: the names in the store are made with a key."""
    async with opened(redis.url) as replica:
        await index_of(replica, (OLD,)).remember(ENTRY)
        before = set(redis.ask("keys", "*").splitlines())
        redis.ask("flushall")
        await index_of(replica, (NEW,)).remember(ENTRY)
    assert {key.rpartition(":")[2] for key in before & set(redis.ask("keys", "*").splitlines())} == {"entries", "ends", "number"}


async def test_entries_of_a_key_that_is_still_listed_are_found_and_forgotten(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        await index_of(replica, (OLD,)).remember(ENTRY)
        assert await index_of(replica, (NEW,)).of_browser("browser-1") == ()
        rotated = index_of(replica, (NEW, OLD))
        assert await rotated.of_browser("browser-1") == (ENTRY,)
        later = replace(ENTRY, virtual_proxy="hr")
        await rotated.remember(later)
        assert await rotated.of_browser("browser-1") in {(ENTRY, later), (later, ENTRY)}
        await rotated.forget(ENTRY)
        assert await rotated.of_browser("browser-1") == (later,)


async def test_an_entry_that_was_moved_to_another_name_is_nobodys(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        index = index_of(replica)
        await index.remember(ENTRY)
        await index.remember(replace(ENTRY, browser="browser-2", user=QlikUser(directory="CONTOSO", user_id="bob")))
        first, second = redis.ask("hkeys", "qlikgw:{sign-ins}:entries").splitlines()
        redis.ask("hset", "qlikgw:{sign-ins}:entries", first, redis.ask("hget", "qlikgw:{sign-ins}:entries", second))
        found = [*await index.of_browser("browser-1"), *await index.of_browser("browser-2")]
        assert len(found) == 1
        redis.ask("hset", "qlikgw:{sign-ins}:entries", second, "no sealed text ä")
        assert [*await index.of_browser("browser-1"), *await index.of_browser("browser-2")] == []


async def test_it_holds_so_many_entries_and_drops_what_ends_first(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        index = index_of(replica, capacity=3)
        for number in range(5):
            await index.remember(replace(ENTRY, browser=f"browser-{number}", expires_at=NOON + DAY + timedelta(seconds=number)))
        assert redis.ask("hlen", "qlikgw:{sign-ins}:entries") == redis.ask("zcard", "qlikgw:{sign-ins}:ends") == "3"
        assert await index.of_browser("browser-1") == ()
        assert await index.of_browser("browser-4")
        assert len(await index.of_user("sales", ENTRY.user)) == 3


async def test_nothing_stays_of_what_has_ended(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        assert isinstance(replica.clock, FixedClock)
        index = index_of(replica)
        for number in range(50):
            await index.remember(replace(ENTRY, browser=f"browser-{number}"))
        replica.clock.advance(DAY)
        await index.remember(replace(ENTRY, expires_at=NOON + 2 * DAY))
        assert redis.ask("hlen", "qlikgw:{sign-ins}:entries") == redis.ask("zcard", "qlikgw:{sign-ins}:ends") == "1"
        for key in redis.ask("keys", "*").splitlines():
            assert 0 < int(redis.ask("pttl", key)) <= (DAY + timedelta(seconds=60)) / timedelta(milliseconds=1)


async def test_one_user_with_very_many_sign_ins_costs_no_more_than_the_last_of_them(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        index = index_of(replica)
        for number in range(EACH + 20):
            await index.remember(replace(ENTRY, browser=f"browser-{number}"))
        found = await index.of_user("sales", ENTRY.user)
        assert len(found) == EACH
        assert found[0].browser == f"browser-{EACH + 19}"
        assert await index.of_browser("browser-0") == (), "dropped, so that nobody pushes others out"
        assert redis.ask("hlen", "qlikgw:{sign-ins}:entries") == str(EACH)


async def test_a_large_memo_is_kept_whole(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        large = replace(ENTRY, memo="m" * 17 * 1024)
        await index_of(replica).remember(large)
        assert await index_of(replica).of_browser("browser-1") == (large,)


async def test_a_store_that_fails_says_so_in_time_and_leaves_nothing_half_done(redis: RedisServer) -> None:
    async with opened(redis.url) as replica:
        index = index_of(replica)
        redis.ask("config", "set", "maxmemory", "1")
        with pytest.raises(StoreFull):
            await index.remember(ENTRY)
        redis.ask("config", "set", "maxmemory", "0")
        assert redis.ask("keys", "*") == ""
        await index.remember(ENTRY)
        redis.freeze()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await index.of_session("r1", notice())
        with pytest.raises(StoreUnavailable):
            await index.forget(ENTRY)
        assert time.monotonic() - began < 3
        redis.thaw()
        assert await index.of_session("r1", notice()) == (ENTRY,)


def notice() -> LogoutNotice:
    return LogoutNotice(issuer=ENTRY.session.issuer, subject=ENTRY.session.subject, session_ids=(), proof_id="jti", proof_expires_at=NOON)
