"""Attacks on the login as a whole, each a good login with one thing changed. Nothing may reach a node or set a session."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.flow.conftest import Worlds, certificates, world, worlds
from tests.flow.world import Answer, Browser, World, start_gateway, state_of

__all__ = ["certificates", "world", "worlds"]


def assert_refused(world: World, answer: Answer, code: str, status: int = 400) -> None:
    assert (answer.status, answer.code) == (status, code)
    assert world.site.count("tickets_issued") == 0


async def callback_of(world: World, browser: Browser, **sign_in: str) -> str:
    return (await world.to_callback(browser, **sign_in)).location


def changed(url: str, **parameters: str | None) -> str:
    """The same URL with parameters set, or left out."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} | parameters
    return f"{url.partition('?')[0]}?{urlencode({name: value for name, value in query.items() if value is not None})}"


async def test_the_callback_in_another_browser_is_refused(world: World) -> None:
    """Login CSRF (RFC 9700 §4.7)."""
    answer = await world.browser().get(await callback_of(world, world.browser()))
    assert_refused(world, answer, "QGW-108")


async def test_an_altered_state_is_refused(world: World) -> None:
    browser = world.browser()
    assert_refused(world, await browser.get(changed(await callback_of(world, browser), state="x" * 22)), "QGW-108")


@pytest.mark.parametrize("state", [None, ""])
async def test_an_answer_without_a_state_is_refused(world: World, state: str | None) -> None:
    browser = world.browser()
    assert_refused(world, await browser.get(changed(await callback_of(world, browser), state=state)), "QGW-107")


@pytest.mark.parametrize("name", ["code", "state", "iss"])
async def test_a_parameter_that_comes_twice_is_refused(world: World, name: str) -> None:
    """RFC 6749 §3.1."""
    browser = world.browser()
    assert_refused(world, await browser.get(await callback_of(world, browser) + f"&{name}=other"), "QGW-107")


async def test_a_replayed_callback_gives_no_second_ticket(world: World) -> None:
    browser = world.browser()
    callback = await callback_of(world, browser)
    before = dict(browser.cookies["127.0.0.1"])
    assert (await browser.get(callback)).status == 302
    browser.cookies["127.0.0.1"] = before
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (400, "QGW-110")
    assert world.site.count("tickets_issued") == 1


async def test_two_callbacks_at_once_give_one_ticket(world: World) -> None:
    browser = world.browser()
    callback = await callback_of(world, browser)
    answers = await asyncio.gather(*(browser.get(callback) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [302] + [400] * 7
    assert world.site.count("tickets_issued") == 1


async def test_a_code_of_another_login_is_refused_by_pkce(world: World) -> None:
    victim, attacker = world.browser(), world.browser()
    stolen = parse_qs(urlsplit(await callback_of(world, attacker, user="bob")).query)["code"][0]
    answer = await victim.get(changed(await callback_of(world, victim), code=stolen))
    assert_refused(world, answer, "QGW-206", 502)


@pytest.mark.parametrize("issuer", [None, "https://evil.example", ""])
async def test_an_answer_of_another_issuer_is_refused_before_the_code_is_used(world: World, issuer: str | None) -> None:
    """Mix-up (RFC 9207 §2.4): the provider announces `iss`, so its absence is an error, too."""
    browser = world.browser()
    answer = await browser.get(changed(await callback_of(world, browser), iss=issuer))
    assert_refused(world, answer, "QGW-205")


async def test_an_answer_at_the_callback_of_another_provider_is_refused(worlds: Worlds) -> None:
    """Mix-up (RFC 9700 §4.4.2): one redirect URI per provider."""
    world = await worlds(idps=("entra", "partners"))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    page = await browser.follow(await browser.get(f"{start}&idp=entra"))
    callback = (await browser.submit(page, user="alice")).location
    answer = await browser.get(callback.replace("/idp/entra/", "/idp/partners/"))
    assert_refused(world, answer, "QGW-113")
    assert (await browser.follow(await browser.get(callback))).status == 200


async def test_a_posted_answer_is_refused_where_the_query_is_configured(world: World) -> None:
    browser = world.browser()
    callback = await callback_of(world, browser)
    fields = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
    answer = await browser.post(callback.partition("?")[0], fields)
    assert_refused(world, answer, "QGW-113")
    assert (await browser.follow(await browser.get(callback))).status == 200


async def test_an_answer_in_the_query_is_refused_where_a_form_is_configured(worlds: Worlds) -> None:
    world = await worlds(edit_provider=lambda provider: provider.update(response_mode="form_post"))
    browser = world.browser()
    await world.to_callback(browser)
    state = state_of(next(answer for answer in browser.seen if "code_challenge" in answer.url).url)
    answer = await browser.get(f"{world.url}/idp/entra/callback?code=x&state={state}&iss={quote(world.providers['entra'].issuer)}")
    assert_refused(world, answer, "QGW-113")


def redirect_to(world: World, proxy_rest_uri: str) -> str:
    query = urlencode({"proxyRestUri": proxy_rest_uri, "targetId": "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"})
    return f"{world.url}/vp/sales/login?{query}"


@pytest.mark.parametrize(
    "mutation",
    [
        lambda uri: uri.replace("qlik1.corp.example", "evil.example"),
        lambda uri: uri.replace("qlik1.corp.example", "qlik1.corp.example.evil.example"),
        lambda uri: uri.replace("qlik1.corp.example", "qlik1.corp.example@evil.example"),
        lambda uri: uri.replace("https://", "https://user:pass@"),
        lambda uri: uri.replace("https:", "http:"),
        lambda uri: uri.replace(":", ":1", 2).replace("https:1", "https:"),
        lambda uri: uri.replace("/sales/", "/finance/"),
        lambda uri: uri.replace("/sales/", "/"),
        lambda uri: uri.replace("/sales/", "/sales/../finance/"),
        lambda uri: uri.replace("/sales/", "/sales%2f..%2ffinance/"),
        lambda uri: uri.replace("/sales/", "/sal%65s/"),
        lambda uri: uri.replace("qlik1", "qlik%31"),
        lambda uri: uri + "?x=1",
        lambda uri: uri + "#x",
        lambda uri: uri + "/",
        lambda uri: uri.replace("/qps/", "\\qps\\"),
        lambda uri: " " + uri,
        lambda uri: uri + "\n",
        lambda uri: uri.replace("qlik1", "ql\u0131k1"),
        lambda uri: "https:" + uri.removeprefix("https://"),
        lambda uri: uri.removeprefix("https:"),
    ],
)
async def test_a_foreign_or_look_alike_proxy_rest_uri_is_refused_and_nothing_is_sent_anywhere(world: World, mutation) -> None:  # noqa: ANN001
    uri = world.site.proxy_rest_uri("sales")
    assert mutation(uri) != uri
    answer = await world.browser().get(redirect_to(world, mutation(uri)))
    assert answer.status == 400
    assert answer.code in {"QGW-101", "QGW-103"}
    assert not answer.set_cookies
    assert world.site.count("rest_connections") == 0


async def test_the_node_of_another_virtual_proxy_is_refused(worlds: Worlds) -> None:
    world = await worlds(prefixes=("sales", "finance"))
    answer = await world.browser().get(redirect_to(world, world.site.proxy_rest_uri("finance")))
    assert_refused(world, answer, "QGW-103")


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https", "Forwarded": "host=evil.example"}],
)
async def test_host_and_forwarded_headers_change_nothing(world: World, headers: dict[str, str]) -> None:
    browser = world.browser()
    request = await browser.get((await world.ask_hub(browser)).location, **headers)
    assert parse_qs(urlsplit(request.location).query)["redirect_uri"] == [f"{world.url}/idp/entra/callback"]
    page = await browser.get(f"{world.url}/vp/nobody/login", **headers)
    assert "evil.example" not in page.text + str(page.headers)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}, 401, "QGW-104"),
        ({"Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}, 401, "QGW-104"),
        ({"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"}, 401, "QGW-104"),
        ({"Sec_Fetch_Mode": "websocket", "Sec_Fetch_Dest": "empty"}, 401, "QGW-104"),
        ({"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document", "Sec_Purpose": "prefetch;prerender"}, 503, "QGW-105"),
    ],
)
async def test_background_requests_and_prefetches_start_no_login(world: World, headers: dict[str, str], status: int, code: str) -> None:
    browser = world.browser()
    answer = await browser.get((await world.ask_hub(browser)).location, **headers)
    assert (answer.status, answer.code) == (status, code)
    assert not answer.set_cookies
    if status == 401:
        assert answer.json()["code"] == code


async def test_a_frame_gets_a_link_to_the_top_window_and_no_cookie(world: World) -> None:
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    answer = await browser.get(start, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe")
    assert answer.status == 200
    assert not answer.set_cookies
    assert 'target="_top"' in answer.text
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://evil.example\\@127.0.0.1/",
        "http://127.0.0.1:1/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://e\tvil.example/",
    ],
)
async def test_a_target_made_for_a_foreign_address_never_gets_the_ticket(world: World, target: str) -> None:
    browser = world.browser()
    memory = world.site.node().memory
    query = urlencode({"proxyRestUri": world.site.proxy_rest_uri("sales"), "targetId": memory.add_target("sales", target)})
    page = await browser.submit(await browser.follow(await browser.get(f"{world.url}/vp/sales/login?{query}")), user="alice")
    answer = await browser.follow(page)
    assert (answer.status, answer.code) == (400, "QGW-406")
    assert not world.sessions()
    assert "Location" not in answer.headers


async def test_a_form_that_is_too_large_is_cut_off(worlds: Worlds) -> None:
    world = await worlds(edit_provider=lambda provider: provider.update(response_mode="form_post"))
    answer = await world.browser().post(f"{world.url}/idp/entra/callback", {"state": "x" * 300_000})
    assert (answer.status, answer.code) == (413, "QGW-115")


async def test_a_provider_that_is_another_one_by_now_does_not_finish_the_login(worlds: Worlds) -> None:
    """The registration (issuer, client id) is sealed into the login."""
    world = await worlds()
    browser = world.browser()
    callback = await callback_of(world, browser)
    await world.gateway.stop()
    file = world.folder / "entra.yaml"
    file.write_text(file.read_text().replace("qlikgw-entra", "qlikgw-other"))
    world.gateway, _ = await start_gateway(world.folder, world.clock)
    assert_refused(world, await browser.get(callback), "QGW-113")
