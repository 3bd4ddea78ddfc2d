"""Authentication strength over HTTP: one step-up, then a page with its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gateway.demo.openid_requests import AuthorizationRequest
from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World, start_gateway, write

MFA = {"require_amr": ["mfa"]}
Assurance = Callable[[AuthorizationRequest], Mapping[str, Any]]


def stronger_when_asked(asked: AuthorizationRequest) -> Mapping[str, Any]:
    """A provider that lets its session's password do, until it is told to ask anew."""
    return {"amr": ["pwd", "mfa"] if "login" in asked.prompt else ["pwd"]}


async def demanding(worlds: Worlds, assurance: Assurance, *, provider: Any = None, virtual_proxy: Any = None, **more: Any) -> World:
    def edit_gateway(settings: dict[str, Any]) -> None:
        if virtual_proxy:
            settings["virtual_proxies"]["sales"]["authentication"] = virtual_proxy

    def edit_provider(settings: dict[str, Any]) -> None:
        settings.update(more)
        if provider:
            settings["authentication"] = provider

    world = await worlds(edit_gateway=edit_gateway, edit_provider=edit_provider)
    for idp in world.providers.values():
        idp.assurance = assurance
    return world


async def second_sign_in(browser: Browser, first: Answer) -> Answer:
    """Follow the first callback to the provider's page again, and sign in there."""
    page = await browser.follow(await browser.get(first.location) if first.status != 200 else await browser.submit(first))
    assert "/authorize" in page.url, page.text
    return await browser.submit(page, user="alice")


@pytest.mark.parametrize("where", ["provider", "virtual_proxy"])
@pytest.mark.parametrize("response_mode", ["query", "form_post"])
async def test_a_weak_sign_in_is_sent_back_once_for_a_stronger_one(worlds: Worlds, where: str, response_mode: str) -> None:
    world = await demanding(worlds, stronger_when_asked, response_mode=response_mode, **{where: MFA})
    browser = world.browser()
    second = await second_sign_in(browser, await world.to_callback(browser))
    hub = await browser.follow(second if second.status != 200 else await browser.submit(second))
    assert hub.status == 200
    assert world.site.count("tickets_issued") == 1
    asked = [parse_qs(urlsplit(answer.url).query) for answer in browser.seen if "code_challenge" in answer.url]
    assert ["prompt" in query for query in asked] == [False, True]
    assert (asked[1]["prompt"], asked[1]["max_age"]) == (["login"], ["0"])
    assert asked[0]["state"] != asked[1]["state"]
    assert asked[0]["nonce"] != asked[1]["nonce"]


async def test_a_sign_in_that_stays_weak_ends_on_a_page_after_two_rounds(worlds: Worlds) -> None:
    world = await demanding(worlds, lambda _: {"amr": ["pwd"]}, virtual_proxy=MFA)
    browser = world.browser()
    answer = await browser.follow(await second_sign_in(browser, await world.to_callback(browser)))
    assert (answer.status, answer.code) == (403, "QGW-223")
    assert world.site.count("tickets_issued") == 0
    assert sum("code_challenge" in seen.url for seen in browser.seen) == 2
    metrics = await world.metrics()
    assert 'qlikgw_logins_total{code="QGW-223",idp="entra",outcome="rejected",vp="sales"} 1.0' in metrics
    assert 'qlikgw_logins_started_total{idp="entra",vp="sales"} 2.0' in metrics


async def test_a_sign_in_that_is_too_old_ends_with_its_own_code(worlds: Worlds) -> None:
    def old(_: AuthorizationRequest) -> Mapping[str, Any]:
        return {"auth_time": int((world.clock.now() - timedelta(hours=2)).timestamp())}

    world = await demanding(worlds, old, provider={"max_age": "8h"}, virtual_proxy={"max_age": "1h"})
    browser = world.browser()
    answer = await browser.follow(await second_sign_in(browser, await world.to_callback(browser)))
    assert (answer.status, answer.code) == (403, "QGW-224")


async def test_what_is_strong_enough_at_first_goes_straight_on(worlds: Worlds) -> None:
    world = await demanding(
        worlds,
        lambda asked: {"acr": asked.acr_values[0], "amr": ["mfa"]},
        provider={"require_acr": ["silver", "gold"], "acr_values": ["silver"]},
        virtual_proxy={"require_acr": ["gold"], "require_amr": ["mfa"], "max_age": "12h", "prompt": "login"},
    )
    browser = world.browser()
    assert (await world.sign_in(browser)).status == 200
    (asked,) = [parse_qs(urlsplit(answer.url).query) for answer in browser.seen if "code_challenge" in answer.url]
    assert (asked["acr_values"], asked["max_age"], asked["prompt"]) == (["gold"], ["0"], ["login"])


async def test_a_parameter_that_the_browser_took_out_is_missed_on_return(worlds: Worlds) -> None:
    """The request passes through the browser: what counts is what comes back."""
    world = await demanding(
        worlds,
        lambda asked: {} if asked.max_age is not None else {"auth_time": None},
        virtual_proxy={"prompt": "login"},
    )
    browser = world.browser()
    request = (await browser.get((await world.ask_hub(browser)).location)).location
    stripped = request.replace("&prompt=login", "").replace("&max_age=0", "")
    page = await browser.submit(await browser.get(stripped), user="alice")
    again = await browser.get(page.location)
    assert again.status == 302
    assert "prompt=login" in again.location
    page = await browser.submit(await browser.get(again.location.replace("&prompt=login", "").replace("&max_age=0", "")), user="alice")
    answer = await browser.get(page.location)
    assert (answer.status, answer.code) == (403, "QGW-224")
    assert world.site.count("tickets_issued") == 0


async def test_the_demand_of_one_virtual_proxy_is_not_that_of_another(worlds: Worlds) -> None:
    def edit(settings: dict[str, Any]) -> None:
        settings["virtual_proxies"]["qmc"]["authentication"] = MFA

    world = await worlds(prefixes=("sales", "qmc"), edit_gateway=edit)
    world.providers["entra"].assurance = lambda _: {"amr": ["pwd"]}
    browser = world.browser()
    assert (await world.sign_in(browser)).status == 200
    answer = await world.to_callback(browser, prefix="qmc")
    assert "prompt=login" in (await browser.get(answer.location)).location


# ---- loops and replays -------------------------------------------------------------------------------------------------


async def test_the_first_answer_cannot_be_shown_again_for_another_step_up(worlds: Worlds) -> None:
    world = await demanding(worlds, lambda _: {"amr": ["pwd"]}, virtual_proxy=MFA)
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    before = dict(browser.cookies["127.0.0.1"])
    assert (await browser.get(callback)).status == 302
    browser.cookies["127.0.0.1"] = before
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (400, "QGW-110")


async def test_the_answer_to_the_first_request_does_not_fit_the_step_up(worlds: Worlds) -> None:
    world = await demanding(worlds, stronger_when_asked, virtual_proxy=MFA)
    browser = world.browser()
    first = (await world.to_callback(browser)).location
    again = (await browser.get(first)).location
    state = parse_qs(urlsplit(again).query)["state"][0]
    old = parse_qs(urlsplit(first).query)["state"][0]
    answer = await browser.get(first.replace(old, state))
    assert (answer.status, answer.code) == (502, "QGW-206"), "its code was used"
    assert world.site.count("tickets_issued") == 0


async def test_a_demand_that_came_while_the_user_signed_in_counts(worlds: Worlds) -> None:
    world = await demanding(worlds, lambda _: {"amr": ["pwd"]})
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    await world.gateway.stop()
    settings = yaml.safe_load((world.folder / "gateway.yaml").read_text())
    settings["virtual_proxies"]["sales"]["authentication"] = MFA
    write(world.folder, "gateway.yaml", settings)
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    assert "prompt=login" in (await browser.get(callback)).location
