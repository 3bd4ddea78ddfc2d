"""What the user sees when a node fails, each fault injected for real."""

from __future__ import annotations

import pytest

from gateway.demo.site import Fault
from tests.flow.conftest import Worlds
from tests.flow.world import World


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.SERVER_ERROR, 502, "QGW-404"),
        (Fault.NOT_JSON, 502, "QGW-404"),
        (Fault.OVERSIZE, 502, "QGW-404"),
    ],
)
async def test_a_node_that_answers_wrongly_is_named_as_qlik_s_trouble(world: World, fault: Fault, status: int, code: str) -> None:
    world.site.node().faults.always = fault
    page = await world.sign_in(world.browser())
    assert (page.status, page.code) == (status, code)
    assert "Qlik" in page.text
    assert "corp.example" not in page.text


@pytest.mark.parametrize("fault", [Fault.OK_FOR_CREATED, Fault.SLOW, Fault.CLOSE_AFTER])
async def test_a_node_that_is_odd_but_right_is_understood(world: World, fault: Fault) -> None:
    world.site.node().faults.always = fault
    assert (await world.sign_in(world.browser())).status == 200
    assert (await world.sign_in(world.browser())).status == 200


async def test_a_kept_alive_connection_that_died_costs_no_login(world: World) -> None:
    assert (await world.sign_in(world.browser())).status == 200
    world.site.node().faults.plan(Fault.DROP_UNREAD)
    assert (await world.sign_in(world.browser())).status == 200


async def test_connections_to_a_node_are_kept_alive(world: World) -> None:
    for _ in range(3):
        assert (await world.sign_in(world.browser())).status == 200
    assert world.site.count("rest_connections") == 1


async def test_a_node_that_is_down_is_504(world: World) -> None:
    browser = world.browser()
    page = await world.to_callback(browser)
    await world.site.close()
    answer = await browser.get(page.location)
    assert (answer.status, answer.code) == (504, "QGW-401")


async def test_a_node_under_another_name_gets_neither_certificate_nor_request(worlds: Worlds) -> None:
    def other_name(settings: dict) -> None:  # type: ignore[type-arg]
        for node in settings["qlik_sites"]["prod"]["nodes"]:
            node["server_name"] = "qlik9.corp.example"

    world = await worlds(edit_gateway=other_name)
    page = await world.sign_in(world.browser())
    assert (page.status, page.code) == (502, "QGW-402")
    assert world.site.count("rest_requests") == 0


async def test_a_user_that_qlik_would_misread_is_refused_before_anything_is_sent(worlds: Worlds) -> None:
    def misleading(provider: dict) -> None:  # type: ignore[type-arg]
        provider["mapping"]["user_id"] = {"cel": "claims.preferred_username + '\\\\admin'"}

    world = await worlds(edit_provider=misleading)
    page = await world.sign_in(world.browser())
    assert (page.status, page.code) == (403, "QGW-308")
    assert world.site.count("rest_requests") == 0
