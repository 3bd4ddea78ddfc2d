"""What goes on behind the requests does not end by a fault of ours in one piece of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.demo.site import Fault
from gateway.ending import Ending
from gateway.system import tend
from tests.flow.conftest import Worlds
from tests.flow.test_logout import log_out, signed_in


async def test_work_that_fails_is_told_and_begun_again() -> None:
    told: list[BaseException] = []
    begun = asyncio.Event()

    async def work() -> None:
        if not told:
            raise KeyError("once")
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(tend(work, told.append, pause=0.0))
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    assert [type(fault) for fault in told] == [KeyError]
    assert task.cancelled()


async def test_one_errand_that_fails_by_a_fault_holds_up_no_other(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two users whom a node did not let go, and a fault with the first."""
    world = await worlds(edit_provider=lambda provider: provider.pop("allow"))
    node = "qlik2.corp.example"
    browsers = [await signed_in(world, node=node, user=user) for user in ("alice", "bob")]
    world.site.node(node).faults.always = Fault.SERVER_ERROR
    for browser in browsers:
        await log_out(world, browser)
    world.site.node(node).faults.clear()
    genuine = Ending.again

    async def stumbles(self: Ending, table: Any, errand: Any) -> None:
        if errand.user.user_id == "alice":
            raise KeyError("a fault of ours")
        await genuine(self, table, errand)

    monkeypatch.setattr(Ending, "again", stumbles)
    told: list[BaseException] = []
    monkeypatch.setattr(world.gateway._errands, "_crash", told.append)
    world.clock.advance(2)
    await world.run_errands()
    assert [type(fault) for fault in told] == [KeyError]
    assert [session.user.user_id for session in world.sessions(node=node)] == ["alice"]
