from __future__ import annotations

from datetime import timedelta

from gateway.errors import GatewayError
from gateway.idp.kept import Bucket, Kept
from tests.fakes import NOON, FixedClock


def kept(clock: FixedClock, troubles: list[GatewayError]) -> Kept[list[int]]:
    """Gives a new list at each fetch."""
    fetched: list[int] = []

    async def fetch() -> list[int]:
        fetched.append(len(fetched))
        return list(fetched)

    return Kept(fetch, clock=clock, fresh_for=timedelta(hours=1), usable_for=timedelta(days=1), on_trouble=troubles.append)


async def test_a_newer_copy_at_hand_needs_no_fetch_and_no_permit() -> None:
    clock, troubles = FixedClock(), list[GatewayError]()
    copies = kept(clock, troubles)
    old = await copies.current()
    new = await copies.newer(old, allowed=lambda: True)
    assert new == [0, 1]
    assert await copies.newer(old, allowed=lambda: False) is new
    assert await copies.newer(new, allowed=lambda: False) is new
    assert troubles == []


def test_a_bucket_gives_its_size_at_once_and_then_one_at_a_time() -> None:
    bucket = Bucket(size=3, refill=timedelta(minutes=1))
    assert [bucket.take(NOON) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(NOON + timedelta(seconds=59))
    assert bucket.take(NOON + timedelta(seconds=61))
    assert not bucket.take(NOON + timedelta(seconds=62))


def test_a_bucket_never_holds_more_than_its_size() -> None:
    bucket = Bucket(size=2, refill=timedelta(minutes=1))
    assert bucket.take(NOON)
    assert [bucket.take(NOON + timedelta(days=1)) for _ in range(3)] == [True, True, False]
