"""An operator ends a user's sessions: the management port, and the command."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from gateway.app import hides_from_this_machine
from gateway.cli.management_port import _reachable
from gateway.config.settings import Listen
from gateway.demo.site import Fault
from gateway.model import QlikUser
from tests.flow.conftest import Worlds
from tests.flow.test_logout import all_sessions, for_everybody, signed_in
from tests.flow.world import Answer, World

ALICE = {"vp": "sales", "directory": "CONTOSO", "user_id": "alice"}


async def revoke(world: World, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
    sent = {"Content-Type": "application/json"} | (headers or {})
    return await world.browser().send("POST", f"{world.management}/revocations", headers=sent, body=json.dumps(ALICE | changes).encode())


async def test_all_sessions_of_the_user_end_on_every_node_and_nobody_elses(worlds: Worlds) -> None:
    world = await worlds(edit_provider=for_everybody)
    await signed_in(world)
    await signed_in(world, node="qlik2.corp.example")
    await signed_in(world, user="bob")
    answer = await revoke(world, user_id="ALICE")
    assert answer.status == 200
    assert answer.json()["complete"] is True
    assert [node["sessions"] for node in answer.json()["nodes"]] == [1, 1]
    assert [session.user.user_id for session in world.sessions()] == ["bob"]
    assert 'qlikgw_logouts_total{origin="operator",vp="sales"} 1.0' in await world.metrics()


async def test_sessions_that_the_gateway_knows_nothing_of_end_too(world: World) -> None:
    """After a restart on the memory store, or when somebody else asked for the ticket."""
    memory = world.site.node().memory
    ticket = memory.add_ticket("sales", QlikUser(directory="CONTOSO", user_id="alice"))
    assert memory.redeem("sales", ticket)
    assert (await revoke(world)).json()["complete"] is True
    assert all_sessions(world) == 0


async def test_a_ticket_that_was_not_used_yet_gets_nobody_in_for_long(world: World) -> None:
    """The nodes are asked once more when its time is over."""
    browser = world.browser()
    callback = await world.to_callback(browser)
    ticket = await browser.get(callback.location)
    await revoke(world)
    assert (await browser.follow(ticket)).status == 200
    assert all_sessions(world) == 1
    world.clock.advance(81)
    await world.run_errands()
    assert all_sessions(world) == 0


async def test_who_signs_in_anew_after_it_stays(world: World) -> None:
    await signed_in(world)
    await revoke(world)
    world.clock.advance(1)
    await signed_in(world)
    world.clock.advance(81)
    await world.run_errands()
    assert all_sessions(world) == 1


async def test_a_node_that_does_not_do_it_is_told_and_asked_again(world: World) -> None:
    await signed_in(world)
    world.site.node().faults.plan(Fault.SERVER_ERROR)
    answer = (await revoke(world)).json()
    assert answer["complete"] is False
    assert [node["code"] for node in answer["nodes"]] == ["QGW-404", None]
    world.clock.advance(1)
    await world.run_errands()
    assert all_sessions(world) == 0


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"vp": "nowhere"}, 404),
        ({"directory": "INTERNAL", "user_id": "sa_repository"}, 400),
        ({"user_id": ".."}, 400),
        ({"user_id": "a\\b"}, 400),
        ({"user_id": None}, 400),
        ({"user_id": ["alice"]}, 400),
    ],
)
async def test_what_cannot_be_is_refused(world: World, changes: dict[str, Any], status: int) -> None:
    await signed_in(world)
    assert (await revoke(world, **changes)).status == status
    assert all_sessions(world) == 1


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-origin"}, {"X-Forwarded-For": "127.0.0.1"}, {"Host": "rebound.example"}],
)
async def test_only_a_program_on_this_machine_may_ask(world: World, header: dict[str, str]) -> None:
    await signed_in(world)
    assert (await revoke(world, header)).status == 403
    assert all_sessions(world) == 1


async def test_the_gateways_own_port_knows_no_revocations(world: World) -> None:
    assert (await world.browser().send("POST", f"{world.url}/revocations", body=b"{}")).status == 404


async def run(world: World, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "gateway", "revoke", "--config", str(world.folder), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_ends_sessions_and_says_where(world: World) -> None:
    await signed_in(world)
    code, out, _ = await run(world, "--vp", "sales", "--user", "CONTOSO\\alice")
    assert code == 0
    assert out.splitlines()[0] == f"{world.site.proxy_rest_uri('')}: 1 sessions ended"
    assert all_sessions(world) == 0
    world.site.node().faults.plan(Fault.SERVER_ERROR)
    code, out, _ = await run(world, "--vp", "sales", "--user", "CONTOSO\\alice", "--format", "json")
    assert (code, json.loads(out)["complete"]) == (1, False)


async def test_the_command_refuses_what_it_cannot_mean(world: World) -> None:
    for user in ("alice", "\\alice", "CONTOSO\\", "CONTOSO/alice"):
        assert (await run(world, "--vp", "sales", "--user", user))[0] == 2
    assert (await run(world, "--vp", "nowhere", "--user", "CONTOSO\\alice"))[0] == 2
    code, _, err = await run(world, "--vp", "sales", "--user", "CONTOSO\\alice", "--management", "127.0.0.1:1")
    assert (code, "No gateway answers" in err) == (1, True)


@pytest.mark.parametrize(
    ("host", "hides", "reached"),
    [
        ("127.0.0.1", False, "127.0.0.1"),
        ("0.0.0.0", False, "127.0.0.1"),
        ("::", False, "::1"),
        ("10.2.3.4", True, "127.0.0.1"),
        ("fd00::4", True, "127.0.0.1"),
    ],
)
def test_programs_beside_the_gateway_reach_it_by_loopback_wherever_it_listens(host: str, hides: bool, reached: str) -> None:  # noqa: FBT001
    assert hides_from_this_machine(Listen(host=host, port=8081)) is hides
    assert _reachable(host) == reached
