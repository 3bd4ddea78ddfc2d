"""Limits per client and per provider, where the configuration asks for them; and who is a client behind which proxies."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.config.values import read_network
from gateway.web.guard import client_network
from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World

HERE = "127.0.0.1"


def limits(*trusted: str, **most: int) -> Any:
    """An edit of gateway.yaml."""
    return lambda gateway: gateway.update(limits=most, trusted_proxies=list(trusted))


async def start(world: World, browser: Browser | None = None, **headers: str) -> Answer:
    browser = browser or world.browser()
    return await browser.get((await world.ask_hub(browser)).location, **headers)


async def test_without_a_configured_limit_nobody_is_limited(world: World) -> None:
    assert {(await start(world)).status for _ in range(20)} == {302}


async def test_a_client_begins_so_many_logins_a_minute_and_is_told_when_to_come_back(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(starts_per_client=2))
    assert (await start(world)).status == 302
    world.clock.advance(18.5)
    assert (await start(world)).status == 302
    answer = await start(world)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "QGW-125", "42")
    assert not answer.set_cookies
    assert 'qlikgw_requests_limited_total{limit="start_per_client"} 1.0' in await world.metrics()
    world.clock.advance(42)
    assert (await start(world)).status == 302
    assert (await start(world)).headers["Retry-After"] == "30", "of the two before, one has to fade"


async def test_no_burst_of_twice_the_limit_passes_around_a_border(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(starts_per_client=10))
    await start(world)
    world.clock.advance(59)
    assert [(await start(world)).status for _ in range(10)] == [302] * 9 + [429]
    world.clock.advance(2)
    assert [(await start(world)).status for _ in range(10)].count(302) == 1


async def test_who_goes_on_asking_while_refused_waits_no_longer_for_it(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(starts_per_client=1))
    statuses = []
    for _ in range(14):
        statuses.append((await start(world)).status)
        world.clock.advance(10)
    assert [second * 10 for second, status in enumerate(statuses) if status == 302] == [0, 70, 130]


async def test_a_limit_on_beginnings_does_not_keep_a_login_from_ending(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(starts_per_client=1))
    browser = world.browser()
    callback = await world.to_callback(browser)
    assert (await start(world)).status == 429
    assert (await browser.follow(callback)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
        {"Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
        {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
        {"Sec_Purpose": "prefetch"},
        {"X_Requested_With": "XMLHttpRequest"},
    ],
)
async def test_what_begins_no_login_takes_no_beginning_from_its_network(worlds: Worlds, headers: dict[str, str]) -> None:
    """Neither another site's page full of images, nor an open dashboard whose session is over, shuts out an office."""
    world = await worlds(edit_gateway=limits(starts_per_client=1, requests_per_client=3))
    assert [(await start(world, **headers)).status == 429 for _ in range(4)] == [False, False, False, True]
    assert (await start(world)).status == 302


async def test_clients_behind_a_trusted_proxy_are_told_apart(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(f"{HERE}/32", starts_per_client=1))
    assert (await start(world, X_Forwarded_For="203.0.113.7")).status == 302
    assert (await start(world, X_Forwarded_For="203.0.113.8")).status == 302
    assert (await start(world, X_Forwarded_For="198.51.100.1, 203.0.113.7")).status == 429, "what a client wrote before it counts nothing"
    assert (await start(world, X_Forwarded_For="203.0.113.7:51234")).status == 429


async def test_behind_a_proxy_that_nobody_named_limits_per_client_stay_off_with_a_warning(
    worlds: Worlds, capsys: pytest.CaptureFixture[str]
) -> None:
    """All users would share one limit."""
    world = await worlds(edit_gateway=limits("10.0.0.0/8", starts_per_client=1))
    assert {(await start(world, X_Forwarded_For="203.0.113.7")).status for _ in range(4)} == {302}
    assert capsys.readouterr().out.count("client_limits_off") == 1
    assert "qlikgw_client_limits_skipped_total 4.0" in await world.metrics()


async def test_a_header_from_who_is_no_trusted_proxy_makes_nobody_another_client(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(starts_per_client=1))
    await start(world)
    assert (await start(world)).status == 429
    assert (await start(world, X_Forwarded_For="203.0.113.7")).status == 302, "off for that request, and counted for nobody"
    assert (await start(world)).status == 429


async def test_each_kind_of_request_is_counted_by_itself(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=limits(requests_per_client=1))
    browser = world.browser()
    returns = [await browser.get(f"{world.url}/idp/entra/callback?state=x&code=y") for _ in range(2)]
    assert [answer.code for answer in returns] == ["QGW-108", "QGW-125"]
    assert [(await browser.get(f"{world.url}/nothing")).status for _ in range(2)] == [404, 429]
    assert [(await start(world)).status for _ in range(3)] == [302, 302, 302]


async def test_a_provider_is_sent_so_many_logins_a_minute_whoever_begins_them(worlds: Worlds) -> None:
    world = await worlds(idps=("entra", "other"), edit_gateway=limits(starts_per_provider=2))
    for _ in range(2):
        assert (await start_with(world, "entra")).status == 302
    answer = await start_with(world, "entra")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "QGW-126", "60")
    assert (await start_with(world, "other")).status == 302


async def start_with(world: World, idp: str) -> Answer:
    browser = world.browser()
    return await browser.get((await world.ask_hub(browser)).location + f"&idp={idp}")


PROXIES = tuple(read_network(text) for text in ("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", None),
        ("::ffff:203.0.113.7", None, "203.0.113.7"),
        ("::ffff:10.1.1.1", "203.0.113.7", "203.0.113.7"),
        ("10.1.1.1", "203.0.113.7, 10.2.2.2", "203.0.113.7"),
        ("10.1.1.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.1.1.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("fd00::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", None, "2001:db8:1:2::/64"),
        ("10.1.1.1", "203.0.113.7, 10.2.2.2, 10.3.3.3", "203.0.113.7"),
        ("10.1.1.1", None, None),
        ("10.1.1.1", "unknown", None),
        ("10.1.1.1", "203.0.113.7, _hidden", None),
        ("10.1.1.1", "10.2.2.2", None),
    ],
)
def test_who_is_a_client(peer: str, forwarded: str | None, client: str | None) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    assert client_network(request, PROXIES) == client


@pytest.mark.parametrize("header", ["Forwarded", "X-Real-IP"])
def test_other_marks_of_a_proxy_are_seen_too(header: str) -> None:
    request = make_mocked_request("GET", "/", headers={header: "for=203.0.113.7"}).clone(remote="203.0.113.9")
    assert client_network(request, ()) is None
