"""Whole logins over HTTP: browser, simulated site, a provider and the gateway, all real servers on loopback."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.flow.conftest import Worlds
from tests.flow.world import World, start_gateway, state_of


async def test_a_user_lands_in_the_hub_under_the_right_name_with_the_right_attributes(world: World) -> None:
    browser = world.browser()
    hub = await world.sign_in(browser)
    assert hub.status == 200
    (session,) = world.sessions("sales")
    assert (session.user.directory, session.user.user_id) == ("CONTOSO", "alice")
    assert list(session.user.attributes) == [
        ("email", "alice@example.com"),
        ("group", "qlik-users"),
        ("group", "sales"),
        ("group", "finance"),
        ("idp", "entra"),
    ]
    assert "CONTOSO" in hub.text
    assert "alice" in hub.text


async def test_the_ticket_is_issued_and_redeemed_at_the_node_that_redirected(world: World) -> None:
    await world.sign_in(world.browser(), node="qlik2.corp.example")
    assert len(world.sessions(node="qlik2.corp.example")) == 1
    assert len(world.sessions(node="qlik1.corp.example")) == 0


async def test_the_browser_comes_back_to_the_page_it_asked_for(world: World) -> None:
    browser = world.browser()
    asked = world.site.url() + "/sales/sense/app/0815?select=year&x=%C3%A4"
    page = await browser.submit(await browser.follow(await browser.get(asked)), user="alice")
    page = await browser.follow(page, until=asked)
    assert page.location.startswith(asked + "&qlikTicket=")
    assert (await browser.follow(page)).status == 200


async def test_redirects_are_302_after_a_get_with_no_store_and_no_referrer(world: World) -> None:
    browser = world.browser()
    start = await browser.get((await world.ask_hub(browser)).location)
    assert start.status == 302
    assert start.headers["Cache-Control"] == "no-store"
    assert start.headers["Referrer-Policy"] == "no-referrer"
    back = await browser.get((await world.to_callback(browser)).location)
    assert back.status == 302
    assert back.headers["Cache-Control"] == "no-store"


async def test_an_answer_by_form_post_is_followed_by_a_303(worlds: Worlds) -> None:
    world = await worlds(edit_provider=lambda provider: provider.update(response_mode="form_post"))
    browser = world.browser()
    form = await world.to_callback(browser)
    assert form.status == 200
    back = await browser.submit(form)
    assert back.status == 303
    assert (await browser.follow(back)).status == 200


async def test_portal_first_goes_to_the_default_target_without_a_ticket(world: World) -> None:
    browser = world.browser()
    for query in ("", "/", "?idp=entra", "?foo=bar"):
        answer = await browser.get(f"{world.url}/vp/sales/login{query}")
        assert answer.status == 302
        assert answer.location == world.site.hub("sales")
        assert not answer.set_cookies
    assert (await world.sign_in(browser)).status == 200


async def test_the_default_virtual_proxy_has_no_prefix(worlds: Worlds) -> None:
    world = await worlds(prefixes=("", "sales"))
    await world.sign_in(world.browser(), prefix="")
    assert len(world.sessions("")) == 1
    assert len(world.sessions("sales")) == 0


async def test_a_forgotten_target_id_still_ends_in_the_hub(world: World) -> None:
    browser = world.browser()
    start = await world.ask_hub(browser)
    world.site.node().memory.forget_targets()
    page = await browser.submit(await browser.follow(start), user="alice")
    page = await browser.follow(page, until=world.site.url())
    assert urlsplit(page.location).path == "/sales/hub/"
    assert (await browser.follow(page)).status == 200


async def test_several_logins_in_tabs_do_not_disturb_each_other(world: World) -> None:
    browser = world.browser()
    pages = [await world.to_callback(browser) for _ in range(10)]
    for page in reversed(pages):
        assert (await browser.follow(page)).status == 200


async def test_several_providers_make_a_chooser_of_plain_links(worlds: Worlds) -> None:
    world = await worlds(idps=("entra", "partners"))
    browser = world.browser()
    page = await world.to_sign_in(browser)
    assert page.status == 200
    assert "Provider entra" in page.text
    assert "Provider partners" in page.text
    assert not page.set_cookies
    start = (await world.ask_hub(browser)).location
    chosen = await browser.get(f"{start}&idp=partners")
    assert chosen.location.startswith(world.providers["partners"].issuer)
    assert (await browser.get(f"{start}&idp=nobody")).code == "QGW-116"


async def test_who_is_not_allowed_gets_a_page_with_the_code_and_no_ticket(world: World) -> None:
    browser = world.browser()
    page = await world.sign_in(browser, user="bob")
    assert (page.status, page.code) == (403, "QGW-306")
    assert world.site.count("tickets_issued") == 0
    assert 'code="QGW-306",idp="entra",outcome="rejected",vp="sales"' in await world.metrics()


async def test_a_cancelled_sign_in_ends_on_a_page_that_offers_to_start_again(world: World) -> None:
    browser = world.browser()
    page = await world.sign_in(browser, user="nobody")
    assert (page.status, page.code) == (403, "QGW-204")
    assert "/vp/sales/login" in page.text


async def test_back_and_reload_after_a_login_end_on_a_page_that_knows_the_virtual_proxy(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    await browser.follow(await browser.get(callback))
    again = await browser.get(callback)
    assert (again.status, again.code) == (400, "QGW-110")
    assert "sales" in again.text
    assert world.site.hub("sales") in again.text
    assert "/vp/sales/login" in again.text


async def test_a_login_page_left_overnight_ends_on_a_page_that_knows_the_virtual_proxy(world: World) -> None:
    browser = world.browser()
    sign_in = await world.to_sign_in(browser)
    callback = (await browser.submit(sign_in, user="alice")).location
    world.clock.advance(timedelta(hours=12))
    page = await browser.get(callback)
    assert (page.status, page.code) == (400, "QGW-109")
    assert world.site.hub("sales") in page.text
    assert "/vp/sales/login" in page.text


async def test_starting_again_from_the_error_page_leads_to_the_hub(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    world.clock.advance(timedelta(hours=12))
    assert (await browser.get(callback)).code == "QGW-109"
    page = await browser.submit(await browser.follow(await browser.get(f"{world.url}/vp/sales/login")), user="alice")
    assert (await browser.follow(page)).status == 200


async def test_signing_keys_may_rotate_in_the_middle_of_a_login(world: World) -> None:
    browser = world.browser()
    assert (await world.sign_in(browser)).status == 200
    second = world.browser()
    sign_in = await world.to_sign_in(second)
    await world.providers["entra"].rotate_keys(keep_old=False)
    assert (await second.follow(await second.submit(sign_in, user="alice"))).status == 200


async def test_a_login_begun_before_a_restart_is_finished_after_it(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    await world.gateway.stop()
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    assert (await browser.follow(await browser.get(callback))).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/vp/nobody/login", "/idp/nobody/callback?state=x", "/vp/sales", "/favicon.ico", "/idp/entra/jwks.json"]
)
async def test_an_unknown_path_is_a_page_with_its_code(world: World, path: str) -> None:
    answer = await world.browser().get(world.url + path)
    assert (answer.status, answer.code) == (404, "QGW-102")


async def test_head_never_acts(world: World) -> None:
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    callback = (await world.to_callback(browser)).location
    for url in (start, callback):
        answer = await browser.send("HEAD", url)
        assert answer.status == 405
        assert not answer.set_cookies
    assert (await browser.follow(await browser.get(callback))).status == 200


async def test_programs_get_json(world: World) -> None:
    answer = await world.browser().get(f"{world.url}/vp/nobody/login", Accept="application/json")
    body = answer.json()
    assert set(body) == {"code", "title", "detail", "correlation_id"}
    assert body["code"] == "QGW-102"


async def test_the_gateway_is_ready_without_its_provider_and_a_login_says_who_is_missing(world: World) -> None:
    await world.providers["entra"].close()
    async with world.session.get(f"{world.management}/readyz") as response:
        assert response.status == 200
    answer = await world.to_sign_in(world.browser())
    assert (answer.status, answer.code) == (504, "QGW-201")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("targetId=7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c", "QGW-101"),
        ("proxyRestUri={uri}", "QGW-101"),
        ("targetId=&proxyRestUri={uri}", "QGW-101"),
        ("targetId=7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c&proxyRestUri=", "QGW-101"),
        ("targetId=a&targetId=b&proxyRestUri={uri}", "QGW-101"),
        ("targetId=%0d%0aX&proxyRestUri={uri}", "QGW-101"),
    ],
)
async def test_a_damaged_redirect_is_refused(world: World, query: str, code: str) -> None:
    uri = quote(world.site.proxy_rest_uri("sales"), safe="")
    answer = await world.browser().get(f"{world.url}/vp/sales/login?{query.format(uri=uri)}")
    assert (answer.status, answer.code) == (400, code)
    assert not answer.set_cookies


async def test_the_authorization_request_has_pkce_nonce_and_one_redirect_uri(world: World) -> None:
    browser = world.browser()
    request = (await browser.get((await world.ask_hub(browser)).location)).location
    query = parse_qs(urlsplit(request).query)
    assert query["redirect_uri"] == [f"{world.url}/idp/entra/callback"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["nonce"][0]) >= 22
    assert len(state_of(request)) >= 22
