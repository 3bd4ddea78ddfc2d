"""A browser that Qlik Sense sends back again and again is stopped before it has used up the sessions that its user may have."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World, start_gateway


async def come_round(world: World, browser: Browser, **where: str) -> Answer:
    """Sign in as far as the ticket (it is not spent, so no session comes of it), or the page that stands in the way."""
    answer = await world.to_sign_in(browser, **where)
    if "password" not in answer.text and answer.code is not None:
        return answer
    return await browser.get((await browser.submit(answer, user="alice")).location)


def got_ticket(answer: Answer) -> bool:
    return answer.status == 302 and "qlikTicket=" in answer.location


async def test_the_fourth_login_within_a_minute_ends_on_a_page_that_names_the_likely_causes(world: World) -> None:
    browser = world.browser()
    for _ in range(3):
        assert got_ticket(await come_round(world, browser))
    answer = await come_round(world, browser)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "QGW-127", "60")
    for cause in ("load balancer", "clocks", "host allow list", "cookie"):
        assert cause in answer.text
    assert 'qlikgw_logins_total{code="QGW-127",idp="entra",outcome="rejected",vp="sales"} 1.0' in await world.metrics()


async def test_after_a_minute_it_may_try_again(world: World) -> None:
    browser = world.browser()
    for _ in range(3):
        await come_round(world, browser)
        world.clock.advance(15)
    assert (await come_round(world, browser)).headers["Retry-After"] == "15"
    world.clock.advance(15)
    assert got_ticket(await come_round(world, browser))
    assert (await come_round(world, browser)).code == "QGW-127"


async def test_a_clock_that_is_set_back_locks_nobody_out(world: World) -> None:
    """What was counted before lies in the future then."""
    browser = world.browser()
    for _ in range(3):
        await come_round(world, browser)
    world.clock.advance(timedelta(hours=-1))
    assert got_ticket(await come_round(world, browser))


async def test_logins_that_are_further_apart_never_end_there(world: World) -> None:
    browser = world.browser()
    for _ in range(8):
        assert got_ticket(await come_round(world, browser))
        world.clock.advance(21)


async def test_many_tabs_that_open_at_once_are_no_loop(world: World) -> None:
    browser = world.browser()
    pages = [await world.to_sign_in(browser) for _ in range(8)]
    answers = [await browser.get((await browser.submit(page, user="alice")).location) for page in pages]
    assert all(map(got_ticket, answers))
    assert got_ticket(await come_round(world, browser)), "one round is behind them, not eight"


async def test_many_tabs_that_go_round_together_are_one(world: World) -> None:
    browser = world.browser()
    for _ in range(3):
        pages = [await world.to_sign_in(browser) for _ in range(7)]
        assert all([got_ticket(await browser.get((await browser.submit(page, user="alice")).location)) for page in pages])
    assert (await come_round(world, browser)).code == "QGW-127"


async def test_a_login_that_began_before_the_last_ticket_is_not_counted(world: World) -> None:
    browser = world.browser()
    early = await world.to_sign_in(browser)
    for _ in range(3):
        await come_round(world, browser)
    assert got_ticket(await browser.get((await browser.submit(early, user="alice")).location))


async def test_refused_logins_and_abandoned_ones_do_not_count(world: World) -> None:
    browser = world.browser()
    for _ in range(4):
        await world.to_sign_in(browser)
        assert (await world.sign_in(browser, user="bob")).code == "QGW-306"
    assert got_ticket(await come_round(world, browser))


async def test_a_refused_login_in_between_does_not_hide_a_loop(world: World) -> None:
    browser = world.browser()
    for _ in range(2):
        await come_round(world, browser)
        assert (await world.sign_in(browser, user="bob")).code == "QGW-306"
    await come_round(world, browser)
    assert (await come_round(world, browser)).code == "QGW-127"


async def test_each_virtual_proxy_and_each_browser_counts_for_itself(worlds: Worlds) -> None:
    world = await worlds(prefixes=("sales", "finance"))
    browser = world.browser()
    for _ in range(3):
        await come_round(world, browser)
    assert got_ticket(await come_round(world, browser, prefix="finance"))
    assert got_ticket(await come_round(world, world.browser()))
    assert (await come_round(world, browser)).code == "QGW-127"


@pytest.mark.parametrize("restart", [False, True])
async def test_it_is_seen_by_whichever_replica_the_browser_meets(worlds: Worlds, *, restart: bool) -> None:
    """What is counted travels sealed with the browser: it needs no store, and outlives a restart."""
    world = await worlds()
    browser = world.browser()
    for _ in range(3):
        await come_round(world, browser)
        if restart:
            await world.gateway.stop()
            world.gateway, _ = await start_gateway(world.folder, world.clock)
    assert (await come_round(world, browser)).code == "QGW-127"


async def test_loops_in_many_virtual_proxies_at_once_do_not_hide_each_other(worlds: Worlds) -> None:
    """A portal page with a mashup of each virtual proxy goes round in all of them."""
    prefixes = ("sales", "finance", "hr", "legal", "it", "plant", "board", "audit")
    world = await worlds(prefixes=prefixes)
    browser = world.browser()
    for _ in range(3):
        for prefix in prefixes:
            assert got_ticket(await come_round(world, browser, prefix=prefix))
    assert [(await come_round(world, browser, prefix=prefix)).code for prefix in prefixes] == ["QGW-127"] * len(prefixes)
