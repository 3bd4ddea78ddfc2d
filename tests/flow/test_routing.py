"""Several providers for one virtual proxy: hint, memory, network, mail domain, and the page to choose on."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World

CHOICE = "qgw-choice"


async def several(
    worlds: Worlds, *, rules: list[dict[str, Any]] | None = None, domains: dict[str, list[str]] | None = None, **more: Any
) -> World:
    names = iter(("entra", "partners"))

    def edit_gateway(settings: dict[str, Any]) -> None:
        for name, virtual_proxy in settings["virtual_proxies"].items():
            if name == "alone":
                virtual_proxy["identity_providers"] = ["entra"]
            elif rules:
                virtual_proxy["network_defaults"] = rules

    def edit_provider(settings: dict[str, Any]) -> None:
        found = (domains or {}).get(next(names))
        if found:
            settings["domains"] = found

    return await worlds(idps=("entra", "partners"), edit_gateway=edit_gateway, edit_provider=edit_provider, **more)


def links(page: Answer) -> list[str]:
    return [urljoin(page.url, unescape(href)) for href in re.findall(r'<a href="([^"]+)"', page.text)]


def is_chooser(page: Answer) -> bool:
    return page.status == 200 and "Choose how to sign in" in page.text


async def choose_and_sign_in(world: World, browser: Browser, idp: str, prefix: str = "sales") -> Answer:
    page = await world.to_sign_in(browser, prefix)
    assert is_chooser(page), page.text
    (link,) = [link for link in links(page) if f"idp={idp}" in link]
    return await browser.follow(await browser.submit(await browser.follow(await browser.get(link)), user="alice"))


def sign_out(browser: Browser) -> None:
    """The Qlik session is gone; what the gateway keeps stays."""
    browser.cookies["127.0.0.1"] = {name: value for name, value in browser.cookies["127.0.0.1"].items() if name.startswith("qgw-")}


def sent_to(world: World, answer: Answer) -> str:
    return next(name for name, provider in world.providers.items() if answer.url.startswith(provider.issuer))


# ---- memory ------------------------------------------------------------------------------------------------------------


async def test_a_choice_is_remembered_once_it_led_to_a_login(worlds: Worlds) -> None:
    world = await several(worlds)
    browser = world.browser()
    page = await world.to_sign_in(browser)
    await browser.follow(await browser.get(links(page)[1]))
    assert CHOICE not in browser.cookies["127.0.0.1"], "back from a wrong click, the choice is there again"
    assert is_chooser(await world.to_sign_in(browser))
    assert (await choose_and_sign_in(world, browser, "partners")).status == 200
    assert browser.cookies["127.0.0.1"][CHOICE] == "sales:partners"
    (line,) = [line for answer in browser.seen for line in answer.set_cookies if line.startswith(CHOICE)]
    assert line.partition("; ")[2] == "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    sign_out(browser)
    assert sent_to(world, await world.to_sign_in(browser)) == "partners"


async def test_a_refused_login_is_not_remembered(worlds: Worlds) -> None:
    world = await several(worlds)
    browser = world.browser()
    page = await browser.follow(await browser.get(links(await world.to_sign_in(browser))[0]))
    answer = await browser.follow(await browser.submit(page, user="bob"))
    assert answer.code == "QGW-306"
    assert CHOICE not in browser.cookies["127.0.0.1"]
    assert "/vp/sales/login?choose=1" in answer.text


async def test_a_remembered_choice_can_be_changed(worlds: Worlds) -> None:
    world = await several(worlds)
    browser = world.browser()
    await choose_and_sign_in(world, browser, "partners")
    sign_out(browser)
    start = (await world.ask_hub(browser)).location
    page = await browser.get(f"{start}&choose=1")
    assert is_chooser(page)
    assert "idp=partners" in links(page)[0], "the last choice comes first"
    assert "Last used" in page.text
    assert all("choose=1" not in link for link in links(page))


async def test_the_wish_to_choose_anew_outlives_the_way_over_the_proxy(worlds: Worlds) -> None:
    """Portal first: nobody knows the node yet, so the browser goes to the hub and comes back."""
    world = await several(worlds)
    browser = world.browser()
    await choose_and_sign_in(world, browser, "partners")
    sign_out(browser)
    page = await browser.follow(await browser.get(f"{world.url}/vp/sales/login?choose=1"))
    assert is_chooser(page)
    assert "Last used" in page.text
    assert (await browser.follow(await browser.submit(await browser.follow(await browser.get(links(page)[1])), user="alice"))).status == 200
    assert browser.cookies["127.0.0.1"][CHOICE] == "sales:entra"


async def test_virtual_proxies_are_remembered_side_by_side(worlds: Worlds) -> None:
    world = await several(worlds, prefixes=("sales", "finance", "alone"))
    browser = world.browser()
    await choose_and_sign_in(world, browser, "partners", "sales")
    await choose_and_sign_in(world, browser, "entra", "finance")
    await world.sign_in(browser, prefix="alone")
    assert browser.cookies["127.0.0.1"][CHOICE] == "finance:entra.sales:partners"


@pytest.mark.parametrize(
    "value",
    [
        "sales:nobody",
        "sales:",
        "sales",
        "sales:entra,partners",
        "SALES:entra",
        "%73ales:entra",
        "x" * 5000,
        "sales:../entra",
        "",
        "::::",
        "sales:ask",
    ],
)
async def test_a_forged_memory_leads_to_the_page_to_choose_on(worlds: Worlds, value: str) -> None:
    world = await several(worlds)
    browser = world.browser()
    browser.cookies["127.0.0.1"] = {CHOICE: value}
    assert is_chooser(await world.to_sign_in(browser))


async def test_choose_shows_the_page_even_for_one_provider(worlds: Worlds) -> None:
    world = await worlds()
    browser = world.browser()
    page = await browser.get((await world.ask_hub(browser)).location + "&choose=1")
    assert is_chooser(page)
    assert (await browser.follow(await browser.submit(await browser.follow(await browser.get(links(page)[0])), user="alice"))).status == 200
    assert CHOICE not in browser.cookies["127.0.0.1"]


# ---- hints -------------------------------------------------------------------------------------------------------------


async def test_a_hint_goes_before_memory_and_network(worlds: Worlds) -> None:
    world = await several(worlds, rules=[{"networks": ["127.0.0.0/8"], "identity_provider": "entra"}])
    browser = world.browser()
    browser.cookies["127.0.0.1"] = {CHOICE: "sales:entra"}
    start = (await world.ask_hub(browser)).location
    assert sent_to(world, await browser.follow(await browser.get(f"{start}&idp=partners"))) == "partners"


@pytest.mark.parametrize("hint", ["partners", "nobody", "", "entra%00", "ENTRA", "entra&idp=entra"])
async def test_a_forged_hint_is_refused_and_starts_nothing(worlds: Worlds, hint: str) -> None:
    """A provider that exists, but serves another virtual proxy, is as foreign as one that does not."""
    world = await several(worlds, prefixes=("sales", "alone"))
    browser = world.browser()
    start = (await world.ask_hub(browser, "alone")).location
    answer = await browser.get(f"{start}&idp={hint}")
    assert (answer.status, answer.code) == (400, "QGW-101" if "&" in hint else "QGW-116")
    assert not answer.set_cookies


# ---- networks ----------------------------------------------------------------------------------------------------------


async def test_a_networks_users_go_straight_to_its_default_and_others_choose(worlds: Worlds) -> None:
    def trusting(settings: dict[str, Any]) -> None:
        settings["trusted_proxies"] = ["127.0.0.1"]
        settings["virtual_proxies"]["sales"]["network_defaults"] = [
            {"networks": ["10.0.0.0/8", "2001:db8::/32"], "identity_provider": "entra"},
            {"networks": ["10.1.0.0/16", "192.0.2.7"], "identity_provider": "partners"},
        ]

    world = await worlds(idps=("entra", "partners"), edit_gateway=trusting)
    start = (await world.ask_hub(world.browser())).location
    for address, expected in {
        "10.1.2.3": "entra",
        "2001:db8::1": "entra",
        "192.0.2.7": "partners",
        "192.0.2.8": None,
        "rubbish": None,
    }.items():
        browser = world.browser()
        answer = await browser.follow(await browser.get(start, X_Forwarded_For=address))
        assert (None if is_chooser(answer) else sent_to(world, answer)) == expected, address
        assert CHOICE not in browser.cookies["127.0.0.1"]


async def test_what_a_user_chose_goes_before_the_network(worlds: Worlds) -> None:
    world = await several(worlds, rules=[{"networks": ["127.0.0.0/8"], "identity_provider": "entra"}])
    browser = world.browser()
    assert sent_to(world, await world.to_sign_in(browser)) == "entra"
    assert is_chooser(await browser.get((await world.ask_hub(browser)).location + "&choose=1"))
    browser.cookies["127.0.0.1"] = {CHOICE: "sales:partners"}
    assert sent_to(world, await world.to_sign_in(browser)) == "partners"


async def test_a_forwarded_address_is_believed_from_a_trusted_proxy_only(worlds: Worlds) -> None:
    world = await several(worlds, rules=[{"networks": ["10.0.0.0/8"], "identity_provider": "entra"}])
    start = (await world.ask_hub(world.browser())).location
    assert is_chooser(await world.browser().get(start, X_Forwarded_For="10.1.2.3"))


# ---- mail domains ------------------------------------------------------------------------------------------------------

DOMAINS = {"entra": ["example.com", "bücher.example"], "partners": ["partners.example", "both.example", "example.org"]}


async def search(world: World, browser: Browser, mail: str) -> Answer:
    page = await world.to_sign_in(browser)
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    assert action, page.text
    return await browser.post(urljoin(page.url, unescape(action[1])), {"email": mail})


@pytest.mark.parametrize(
    ("mail", "idp"),
    [
        ("alice@example.com", "entra"),
        (" Alice@EXAMPLE.COM. ", "entra"),
        ("alice@xn--bcher-kva.example", "entra"),
        ("alice@b\u00fccher.example", "entra"),
        ("partners.example", "partners"),
        ("a@b@example.org", "partners"),
    ],
)
async def test_a_mail_address_leads_to_its_domains_provider(worlds: Worlds, mail: str, idp: str) -> None:
    world = await several(worlds, domains=DOMAINS)
    browser = world.browser()
    page = await search(world, browser, mail)
    assert page.status == 200
    onward = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert onward, page.text
    url = urljoin(page.url, unescape(onward[1]))
    assert "email" not in url
    assert sent_to(world, await browser.follow(await browser.get(url))) == idp
    assert links(page) == [] or links(page) == [url]


@pytest.mark.parametrize(
    "mail", ["alice@elsewhere.example", "alice@sub.example.com", "alice", "", "@", "alice@example.com\n.evil", "x" * 5000, "alice@\ud7ff"]
)
async def test_an_unknown_mail_address_leads_back_to_the_page_with_a_word(worlds: Worlds, mail: str) -> None:
    world = await several(worlds, domains=DOMAINS)
    browser = world.browser()
    page = await search(world, browser, mail)
    assert is_chooser(page)
    assert "No sign-in system is known for this address" in page.text
    assert len([link for link in links(page) if "idp=" in link]) == 2
    assert not page.set_cookies


async def test_a_domain_of_two_providers_leaves_both_to_choose_from(worlds: Worlds) -> None:
    world = await several(worlds, domains={"entra": ["both.example"], "partners": ["both.example"]})
    page = await search(world, world.browser(), "alice@both.example")
    assert is_chooser(page)
    assert "No sign-in system" not in page.text
    assert len(links(page)) == 2


async def test_a_domain_of_a_provider_that_serves_another_virtual_proxy_is_unknown_here(worlds: Worlds) -> None:
    world = await several(worlds, domains=DOMAINS, prefixes=("sales", "alone"))
    browser = world.browser()
    start = (await world.ask_hub(browser, "alone")).location
    page = await browser.post(start, {"email": "alice@partners.example"})
    assert is_chooser(page)
    assert "partners" not in "".join(links(page))


async def test_without_domains_there_is_no_field(worlds: Worlds) -> None:
    world = await several(worlds)
    assert "<form" not in (await world.to_sign_in(world.browser())).text


async def test_a_search_that_is_no_form_is_refused(worlds: Worlds) -> None:
    world = await several(worlds, domains=DOMAINS)
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    for headers, body in ((({"Content-Type": "text/plain"}), b"email=a"), ({"Content-Type": "application/x-www-form-urlencoded"}, b"\xff")):
        answer = await browser.send("POST", start, headers=headers, body=body)
        assert (answer.status, answer.code) == (400, "QGW-101")
    twice = await browser.send("POST", start, headers={"Content-Type": "application/x-www-form-urlencoded"}, body=b"email=a&email=b")
    assert (twice.status, twice.code) == (400, "QGW-101")


async def test_neither_page_nor_search_is_for_a_node_that_is_not_ours(worlds: Worlds) -> None:
    world = await several(worlds, domains=DOMAINS)
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    foreign = start.replace("qlik1.corp.example", "evil.example")
    assert foreign != start
    for answer in (await browser.get(foreign), await browser.post(foreign, {"email": "alice@example.com"})):
        assert (answer.status, answer.code) == (400, "QGW-103")
    bare = await browser.post(start.partition("?")[0], {"email": "alice@example.com"})
    assert (bare.status, bare.code) == (400, "QGW-101")
    page = await browser.get(f"{start}&extra=canary-9d")
    assert is_chooser(page)
    assert "canary-9d" not in page.text


async def test_a_mail_address_gets_into_no_address_and_no_log_line(worlds: Worlds, capsys: pytest.CaptureFixture[str]) -> None:
    world = await several(worlds, domains=DOMAINS)
    browser = world.browser()
    await search(world, browser, "canary-7c1@example.com")
    assert all("canary-7c1" not in seen.url for seen in browser.seen)
    assert "canary-7c1" not in capsys.readouterr().out
