"""The packed index of sign-ins against the list that it stands for, also where what leads to its entries shares hashes and drawers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import QlikUser, SignedIn
from gateway.stores import memory_index
from gateway.stores.memory_index import MemorySessionIndex
from tests.conformance.test_session_index import ENTRY, notice, session
from tests.fakes import NOON, FixedClock

CAPACITY = 5


@st.composite
def sign_ins(draw: st.DrawFn) -> SignedIn:
    user = draw(st.sampled_from("uv"))
    return replace(
        ENTRY,
        browser=draw(st.sampled_from("ab")),
        session=session(user, draw(st.sampled_from([None, "1", "2"]))),
        user=QlikUser(directory="CONTOSO", user_id=user),
        expires_at=NOON + timedelta(seconds=draw(st.integers(0, 30))),
    )


def with_one_more(held: list[SignedIn], entry: SignedIn, clock: FixedClock) -> list[SignedIn]:
    held = [other for other in held if (other.browser, other.session) != (entry.browser, entry.session)] + [entry]
    while held and (held[0].expires_at <= clock.now() or len(held) > CAPACITY):
        del held[0]
    return held


async def check(index: MemorySessionIndex, live: list[SignedIn]) -> None:
    for name in "ab":
        assert await index.of_browser(name) == tuple(entry for entry in live if entry.browser == name)
    for name in "uv":
        assert await index.of_user("sales", QlikUser(directory="contoso", user_id=name)) == tuple(e for e in live if e.user.user_id == name)
        assert await index.of_session("r1", notice(name)) == tuple(e for e in live if e.session.subject == name)
    for name in "12":
        assert await index.of_session("r1", notice(None, name)) == tuple(e for e in live if e.session.session_id == name)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["remember", "remember", "forget"]), sign_ins(), st.integers(0, 2)), max_size=40),
    bits=st.sampled_from([0, 1, 0x3003, memory_index._SIXTY_BITS]),
)
def test_the_index_holds_what_a_list_would(steps: list[tuple[str, SignedIn, int]], bits: int) -> None:
    clock, held = FixedClock(), list[SignedIn]()
    index = MemorySessionIndex(clock, capacity=CAPACITY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_index, "_SIXTY_BITS", bits)
        for step, entry, pause in steps:
            if step == "remember":
                asyncio.run(index.remember(entry))
                held = with_one_more(held, entry, clock)
            else:
                asyncio.run(index.forget(entry))
                held = [other for other in held if other != entry]
            clock.advance(pause)
            asyncio.run(check(index, [other for other in reversed(held) if other.expires_at > clock.now()]))
        for entry in held:
            asyncio.run(index.forget(entry))
        assert not len(index)
        assert not any(index._drawers)
