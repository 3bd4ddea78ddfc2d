"""A test sign-in used as a login, a login used as a test sign-in, and whatever else could turn one into the other."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import LinkRefused, LoginMismatch
from gateway.model import Binding, IdpResponse, LoginTransaction, Purpose
from tests.flow.conftest import Worlds, certificates, world, worlds
from tests.flow.test_trial import link, to_callback
from tests.flow.world import Browser, World

__all__ = ["certificates", "world", "worlds"]

HOST = "127.0.0.1"


def in_flight(world: World, browser: Browser, url: str) -> LoginTransaction:
    """The transaction in the browser's cookie: what an attacker can copy, and nobody can read."""
    services = world.gateway._services.read()
    record = services.cookies.read(browser.cookies[HOST], parse_qs(urlsplit(url).query)["state"][0])
    assert isinstance(record, LoginTransaction)
    return record


def response(url: str) -> IdpResponse:
    return IdpResponse(binding=Binding.QUERY, fields={name: value for name, (value,) in parse_qs(urlsplit(url).query).items()})


async def test_a_test_transaction_gives_no_ticket_even_from_inside(world: World) -> None:
    browser = world.browser()
    callback = (await to_callback(browser, await link(world))).location
    services, transaction = world.gateway._services.read(), in_flight(world, browser, callback)
    assert (transaction.purpose, transaction.node, transaction.target_id) == (Purpose.TEST, "", "")
    with pytest.raises(LoginMismatch):
        await services.pipeline.finish(services.table, "entra", response(callback), transaction)
    with pytest.raises(LoginMismatch):  # were its purpose another, it still names no node
        await services.pipeline.finish(services.table, "entra", response(callback), replace(transaction, purpose=Purpose.LOGIN))
    assert world.site.count("tickets_issued") == 0


async def test_a_login_s_transaction_shows_no_trace_even_from_inside(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    services = world.gateway._services.read()
    with pytest.raises(LoginMismatch):
        await services.pipeline.prove(services.table, "entra", response(callback), in_flight(world, browser, callback))
    assert (await browser.follow(await browser.get(callback))).status == 200


async def test_the_cookie_of_a_test_under_the_name_of_a_login_does_not_open(world: World) -> None:
    browser = world.browser()
    login = (await world.to_callback(browser)).location
    trial = (await to_callback(browser, await link(world))).location
    cookies = world.gateway._services.read().cookies
    names = {url: cookies.name(in_flight(world, browser, url).id) for url in (login, trial)}
    jar = browser.cookies[HOST]
    jar[names[login]], jar[names[trial]] = jar[names[trial]], jar[names[login]]
    for url in (login, trial):
        answer = await browser.get(url)
        assert (answer.status, answer.code) == (400, "QGW-111")
    assert world.site.count("tickets_issued") == 0


async def test_the_code_of_a_test_does_not_end_a_login(world: World) -> None:
    browser = world.browser()
    login = (await world.to_callback(browser)).location
    trial = (await to_callback(browser, await link(world))).location
    code, other = (parse_qs(urlsplit(url).query)["code"][0] for url in (login, trial))
    answer = await browser.get(login.replace(code, other))
    assert (answer.status, answer.code) == (502, "QGW-206")
    assert world.site.count("tickets_issued") == 0


async def test_a_test_that_ended_is_no_login_when_shown_again(world: World) -> None:
    browser = world.browser()
    callback = (await to_callback(browser, await link(world))).location
    before = dict(browser.cookies[HOST])
    assert (await browser.get(callback)).status == 200
    for jar in (dict(browser.cookies[HOST]), before):
        browser.cookies[HOST] = jar
        answer = await browser.get(callback)
        assert (answer.status, answer.code) == (400, "QGW-110")
    assert world.site.count("tickets_issued") == 0


async def test_the_trace_is_shown_only_to_the_browser_that_began(world: World) -> None:
    callback = (await to_callback(world.browser(), await link(world))).location
    answer = await world.browser().get(callback)
    assert (answer.status, answer.code) == (400, "QGW-108")
    assert "preferred_username" not in answer.text


async def test_an_answer_at_another_providers_callback_is_refused_in_a_test_too(worlds: Worlds) -> None:
    world = await worlds(idps=("entra", "partners"))
    browser = world.browser()
    callback = (await to_callback(browser, await link(world))).location
    answer = await browser.get(callback.replace("/idp/entra/", "/idp/partners/"))
    assert (answer.status, answer.code) == (400, "QGW-113")


async def test_a_sealed_login_is_no_link_and_a_link_no_login(world: World) -> None:
    """Both are sealed with the same keys, for another purpose each."""
    browser = world.browser()
    await world.to_callback(browser)
    (sealed,) = [value for name, value in browser.cookies[HOST].items() if name.startswith("qgw-login-")]
    with pytest.raises(LinkRefused):
        world.gateway._services.read().trials.read(sealed)
    callback = (await world.to_callback(browser)).location
    token = (await link(world)).rpartition("/")[2]
    name = world.gateway._services.read().cookies.name(in_flight(world, browser, callback).id)
    browser.cookies[HOST][name] = token
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (400, "QGW-112")


async def test_a_test_link_never_enters_through_the_login_address(world: World) -> None:
    token = (await link(world)).rpartition("/")[2]
    answer = await world.browser().get(f"{world.url}/vp/sales/login?token={token}&purpose=login")
    assert answer.location == world.site.hub("sales")
