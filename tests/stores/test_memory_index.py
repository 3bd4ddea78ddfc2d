"""The index of sign-ins in this process: what bounds it, and that nobody else pays for it."""

from __future__ import annotations

from dataclasses import replace

from gateway.model import QlikUser
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
