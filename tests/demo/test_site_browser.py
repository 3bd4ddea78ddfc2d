from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from gateway.demo.certificates import SiteCertificates, make_web
from gateway.demo.site import QlikSimulator
from gateway.demo.site.browser import escape, module_location
from gateway.demo.site.tls import load_pair
from tests.demo.clients import NODES, RestClient, get, location
from tests.fakes import FixedClock

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def sign_in(browser: aiohttp.ClientSession, rest: RestClient, prefix: str = "sales") -> aiohttp.ClientResponse:
    ticket = await rest.ticket(prefix, Attributes=[{"group": "sales"}, {"group": "finance"}, {"identity_provider": "demo"}])
    return await get(browser, f"{rest.site.hub(prefix, rest.node)}?qlikTicket={ticket}")


async def test_a_browser_without_a_session_is_sent_to_the_module(browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
    response = await get(browser, site.hub("sales"))
    address, parameters = location(response)
    assert (response.status, address) == (302, "http://gw.example/vp/sales/login")
    assert [name for name, _ in parameters] == ["proxyRestUri", "targetId"]
    assert parameters[0][1] == f"https://qlik1.corp.example:{site.node().rest_port}/qps/sales/"
    assert GUID.fullmatch(parameters[1][1])


async def test_the_redirect_is_escaped_in_lower_case_as_real_ones_are(browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
    raw = (await get(browser, site.hub("sales"))).headers["Location"]
    assert f"?proxyRestUri=https%3a%2f%2fqlik1.corp.example%3a{site.node().rest_port}%2fqps%2fsales%2f&targetId=" in raw


async def test_the_default_virtual_proxy_has_no_prefix_in_its_rest_uri(browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
    address, parameters = location(await get(browser, site.hub("")))
    assert address == "http://gw.example/vp/default/login"
    assert parameters[0][1] == f"https://qlik1.corp.example:{site.node().rest_port}/qps/"


async def test_every_redirect_makes_a_target_of_its_own(browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
    first, second = [location(await get(browser, site.hub("sales")))[1][1][1] for _ in range(2)]
    assert first != second


async def test_the_target_is_the_address_that_was_asked_for(browser: aiohttp.ClientSession, site: QlikSimulator, rest: RestClient) -> None:
    wanted = f"{site.url()}/sales/sense/app/1?sheet=%C3%A4&x=1"
    target_id = location(await get(browser, wanted))[1][1][1]
    response = await rest.call("POST", "sales/ticket", json={"UserDirectory": "CORP", "UserId": "alice", "TargetId": target_id})
    assert (await response.json())["TargetUri"] == wanted


async def test_reload_uri_becomes_the_target(browser: aiohttp.ClientSession, site: QlikSimulator, rest: RestClient) -> None:
    target_id = location(await get(browser, f"{site.hub('sales')}?reloadUri=http%3A%2F%2Fmashup.example%2Fpage"))[1][1][1]
    response = await rest.call("POST", "sales/ticket", json={"UserDirectory": "CORP", "UserId": "alice", "TargetId": target_id})
    assert (await response.json())["TargetUri"] == "http://mashup.example/page"


def test_a_module_uri_with_a_query_is_joined_by_an_ampersand() -> None:
    assert module_location("http://gw/login?a=1", "https://n/qps/", "T").startswith("http://gw/login?a=1&proxyRestUri=https%3a%2f%2fn")


def test_without_a_module_the_internal_one_gets_the_target_only() -> None:
    assert module_location("", "https://n/qps/", "T") == "/internal_windows_authentication/?targetId=T"


def test_escapes_are_lower_case_and_letters_stay() -> None:
    assert escape("https://A:1/Ä b") == "https%3a%2f%2fA%3a1%2f%c3%84%20b"


async def test_a_ticket_makes_a_session_and_the_hub_says_whose(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    response = await sign_in(browser, rest)
    assert response.status == 200
    text = await response.text()
    assert "CORP\\alice" in text
    assert re.findall(r'data-name="group">(\w+)<', text) == ["sales", "finance"]
    assert 'data-show="identity provider">demo<' in text
    assert "Sign out" in text
    again = await get(browser, rest.site.hub("sales"))
    assert again.status == 200
    assert "Set-Cookie" not in again.headers


async def test_the_cookie_over_plain_http_has_its_suffix(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    cookie = (await sign_in(browser, rest)).headers["Set-Cookie"]
    assert re.fullmatch(rf"X-Qlik-Session-sales-HTTP={GUID.pattern}; Path=/; HttpOnly", cookie)
    cookie = (await sign_in(browser, rest, "")).headers["Set-Cookie"]
    assert re.fullmatch(rf"X-Qlik-Session-HTTP={GUID.pattern}; Path=/; HttpOnly", cookie)


async def test_the_cookie_over_https_is_secure_and_the_target_is_https(certificates: SiteCertificates, clock: FixedClock) -> None:
    web = make_web(["qlik.example.test"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(server, *web.servers["qlik.example.test"])
    client = ssl.create_default_context(cadata=web.ca.decode())
    modules = {"sales": "https://gw.example/vp/sales/login"}
    async with (
        QlikSimulator(
            clock=clock,
            nodes=NODES,
            virtual_proxies=modules,
            certificates=certificates,
            browser_host="qlik.example.test",
            browser_tls=server,
        ) as site,
        RestClient(site) as rest,
        aiohttp.ClientSession() as browser,
    ):
        assert site.url().startswith("https://qlik.example.test:")
        loopback = site.hub("sales").replace("qlik.example.test", "127.0.0.1")
        headers = {"Host": site.url().removeprefix("https://")}
        first = await get(browser, loopback, ssl=client, server_hostname="qlik.example.test", headers=headers)
        ticket = await rest.ticket(TargetId=location(first)[1][1][1])
        [memory] = [site.node().memory]
        assert [target.uri for target in memory.targets.values()] == [site.hub("sales")]
        response = await get(browser, f"{loopback}?qlikTicket={ticket}", ssl=client, server_hostname="qlik.example.test", headers=headers)
        assert re.fullmatch(rf"X-Qlik-Session-sales={GUID.pattern}; Path=/; HttpOnly; Secure", response.headers["Set-Cookie"])


@pytest.mark.parametrize("name", ["qlikTicket", "QlikTicket", "Qlikticket", "qlikticket", "X-Qlik-Ticket"])
async def test_the_ticket_parameter_has_any_case(browser: aiohttp.ClientSession, rest: RestClient, name: str) -> None:
    response = await get(browser, f"{rest.site.hub('sales')}?{name}={await rest.ticket()}")
    assert response.status == 200


@pytest.mark.parametrize("path", ["/sales/qps/user", "/sales/content/default/stub.html", "/sales/qrs/about", "/sales/hub"])
async def test_any_resource_redeems(browser: aiohttp.ClientSession, rest: RestClient, path: str) -> None:
    response = await get(browser, f"{rest.site.url()}{path}?qlikTicket={await rest.ticket()}")
    assert response.status == 200
    assert "X-Qlik-Session-sales-HTTP=" in response.headers["Set-Cookie"]


async def test_a_ticket_is_good_for_one_use(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    ticket = await rest.ticket()
    first = await get(browser, f"{rest.site.hub('sales')}?qlikTicket={ticket}")
    browser.cookie_jar.clear()
    second = await get(browser, f"{rest.site.hub('sales')}?qlikTicket={ticket}")
    assert (first.status, second.status) == (200, 302)
    assert location(second)[0] == "http://gw.example/vp/sales/login"
    assert rest.site.count("tickets_redeemed") == 1
    assert rest.site.count("tickets_refused") == 1


@pytest.mark.parametrize(("seconds", "status"), [(59.9, 200), (60, 302)])
async def test_a_ticket_lives_one_minute(
    browser: aiohttp.ClientSession, rest: RestClient, clock: FixedClock, seconds: float, status: int
) -> None:
    ticket = await rest.ticket()
    clock.advance(seconds)
    response = await get(browser, f"{rest.site.hub('sales')}?qlikTicket={ticket}")
    assert response.status == status
    assert rest.site.node().memory.expired_tickets == (1 if status == 302 else 0)


async def test_a_ticket_of_another_node_is_unknown(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    ticket = await rest.ticket()
    response = await get(browser, f"{rest.site.hub('sales', NODES[1])}?qlikTicket={ticket}")
    assert response.status == 302
    assert dict(location(response)[1])["proxyRestUri"].startswith("https://qlik2.corp.example:")


async def test_a_ticket_of_another_virtual_proxy_is_unknown(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    response = await get(browser, f"{rest.site.hub('')}?qlikTicket={await rest.ticket('sales')}")
    assert response.status == 302


async def test_a_session_of_another_node_is_unknown(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    await sign_in(browser, rest)
    assert (await get(browser, rest.site.hub("sales", NODES[1]))).status == 302


async def test_a_ticket_counts_for_a_get_only(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    url = f"{rest.site.hub('sales')}?qlikTicket={await rest.ticket()}"
    async with browser.post(url, allow_redirects=False) as response:
        assert response.status == 302
    assert (await get(browser, url)).status == 200


@pytest.mark.parametrize(("minutes", "status"), [(29, 200), (30, 302)])
async def test_an_idle_session_ends_after_half_an_hour(
    browser: aiohttp.ClientSession, rest: RestClient, clock: FixedClock, minutes: int, status: int
) -> None:
    await sign_in(browser, rest)
    clock.advance(timedelta(minutes=minutes))
    assert (await get(browser, rest.site.hub("sales"))).status == status


async def test_the_root_of_a_virtual_proxy_leads_to_its_hub(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    await sign_in(browser, rest)
    response = await get(browser, f"{rest.site.url()}/sales/")
    assert (response.status, response.headers["Location"]) == (302, "/sales/hub/")


async def test_an_unlinked_default_virtual_proxy_is_a_bad_request(browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
    del site.virtual_proxies[""]
    assert (await get(browser, f"{site.url()}/hub/")).status == 400


async def test_names_on_the_hub_are_escaped(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    reply = await rest.call("POST", "sales/ticket", json={"UserDirectory": "<b>", "UserId": "a", "Attributes": [{"<i>": "<script>"}]})
    text = await (await get(browser, f"{rest.site.hub('sales')}?qlikTicket={(await reply.json())['Ticket']}")).text()
    assert "<b>" not in text
    assert "<i>" not in text
    assert "<script>" not in text


async def test_sign_out_ends_the_session_and_offers_the_hub(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    await sign_in(browser, rest)
    async with browser.post(f"{rest.site.url()}/sales/signed-out") as response:
        assert "signed out" in await response.text()
    assert rest.site.count("sessions_ended") == 1
    assert (await get(browser, rest.site.hub("sales"))).status == 302


class TestPersonalApi:
    """Qlik: "Personal API"."""

    async def test_without_a_session_it_says_inactive(self, browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
        response = await get(browser, f"{site.url()}/sales/qps/user")
        assert await response.json() == {"session": "inactive"}

    async def test_with_a_target_of_its_own_it_offers_the_login(self, browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
        response = await get(browser, f"{site.url()}/sales/qps/user?targetUri={escape(site.hub('sales'))}")
        body = await response.json()
        assert body["session"] == "inactive"
        assert body["loginUri"].startswith("http://gw.example/vp/sales/login?proxyRestUri=")

    @pytest.mark.parametrize("target", ["https://evil.example/", "http://[", ""])
    async def test_a_foreign_target_gets_no_login(self, browser: aiohttp.ClientSession, site: QlikSimulator, target: str) -> None:
        response = await get(browser, f"{site.url()}/sales/qps/user?targetUri={escape(target)}")
        assert await response.json() == {"session": "inactive"}

    async def test_the_host_allow_list_counts(self, browser: aiohttp.ClientSession, site: QlikSimulator) -> None:
        site.virtual_proxies["sales"].allow_list = frozenset({"mashup.example"})
        response = await get(browser, f"{site.url()}/sales/qps/user?targetUri={escape('https://mashup.example/')}")
        assert "loginUri" in await response.json()

    async def test_with_a_session_it_says_who(self, browser: aiohttp.ClientSession, rest: RestClient) -> None:
        await sign_in(browser, rest)
        response = await get(browser, f"{rest.site.url()}/sales/qps/user")
        assert await response.json() == {
            "userDirectory": "CORP",
            "userId": "alice",
            "userName": "alice",
            "logoutUri": f"{rest.site.url()}/sales/qps/user",
        }

    async def test_delete_signs_out(self, browser: aiohttp.ClientSession, rest: RestClient) -> None:
        await sign_in(browser, rest)
        async with browser.delete(f"{rest.site.url()}/sales/qps/user") as response:
            assert response.status == 204
        assert (await get(browser, rest.site.hub("sales"))).status == 302


async def test_there_is_no_address_to_log_out_by(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    """What sounds like one is refused, and the session lives on: seen on a release of 2026."""
    await sign_in(browser, rest)
    assert (await get(browser, f"{rest.site.url()}/sales/qps/logout")).status == 400
    assert (await get(browser, rest.site.hub("sales"))).status == 200


async def test_the_hub_holds_the_link_that_an_administrator_placed(browser: aiohttp.ClientSession, rest: RestClient) -> None:
    rest.site.link("sales", "https://sso.example.com/vp/sales/login")
    text = await (await sign_in(browser, rest)).text()
    assert 'href="https://sso.example.com/vp/sales/logout"' in text
