"""The index of sign-ins in this process: what bounds it, and that nobody else pays for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model import QlikUser
from gateway.stores import memory_index
from gateway.stores.memory_index import EACH, MemorySessionIndex
from tests.conformance.test_session_index import ENTRY, notice, session
from tests.fakes import FixedClock


async def test_one_user_who_signs_in_again_and_again_pushes_nobody_out() -> None:
    """Each time with a fresh browser: else a logout of anybody else would find nothing to end."""
    index = MemorySessionIndex(FixedClock(), capacity=EACH + 10)
    await index.remember(ENTRY)
    mallory = QlikUser(directory="CONTOSO", user_id="mallory")
    for number in range(2 * EACH):
        await index.remember(replace(ENTRY, browser=f"m-{number}", user=mallory, session=session("mallory", f"m-{number}")))
    assert await index.of_session("r1", notice("alice")) == (ENTRY,)
    assert len(await index.of_user("sales", mallory)) == EACH
    assert len(await index.of_browser(f"m-{2 * EACH - 1}")) == 1
    assert await index.of_browser("m-0") == ()
    assert len(index) == EACH + 1


async def test_ways_that_share_a_hash_lead_each_to_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_index, "_SIXTY_BITS", 0)
    index = MemorySessionIndex(FixedClock(), capacity=2)
    bob = replace(ENTRY, browser="b-2", session=session("bob", "s-2"), user=QlikUser(directory="CONTOSO", user_id="bob"))
    for entry in (ENTRY, bob, bob):
        await index.remember(entry)
    assert await index.of_browser("b-2") == await index.of_session("r1", notice("bob")) == await index.of_user("sales", bob.user) == (bob,)
    assert await index.of_browser(ENTRY.browser) == await index.of_session("r1", notice(None, "sid-1")) == (ENTRY,)
    await index.remember(replace(bob, browser="b-3"))
    assert await index.of_browser(ENTRY.browser) == ()
    await index.forget(bob)
    assert await index.of_browser("b-2") == ()
    assert len(index) == 1


async def test_names_that_no_text_can_carry_are_kept() -> None:
    """Lone surrogates come with JSON."""
    index = MemorySessionIndex(FixedClock())
    strange = replace(ENTRY, session=session("\ud800", None), memo="m" * 3000)
    await index.remember(strange)
    assert await index.of_session("r1", notice("\ud800")) == (strange,)
