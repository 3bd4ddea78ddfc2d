"""The way back over HTTP: from a browser to the Qlik sessions of all nodes, and what the user sees of it."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gateway import config
from gateway.demo.site import Fault
from tests.flow.conftest import Worlds
from tests.flow.world import Answer, Browser, World, write

SAME_SITE = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
HANDLE = "qgw-browser"
CROSS_SITE = SAME_SITE | {"Sec_Fetch_Site": "cross-site"}


def for_everybody(provider: dict[str, Any]) -> None:
    """Also for those who are in no group."""
    del provider["allow"]


async def log_out(world: World, browser: Browser, vp: str = "sales", **headers: str) -> Answer:
    return await browser.get(f"{world.url}/vp/{vp}/logout", **(headers or SAME_SITE))


def all_sessions(world: World) -> int:
    return sum(len(world.site.node(name).memory.sessions) for name in world.site.nodes)


async def signed_in(world: World, **where: Any) -> Browser:
    browser = world.browser()
    assert (await world.sign_in(browser, **where)).status == 200
    return browser


async def test_a_logout_ends_the_session_and_the_hub_asks_for_a_login(world: World) -> None:
    browser = await signed_in(world)
    answer = await log_out(world, browser)
    assert answer.status == 200
    assert "You are signed out of Qlik Sense" in answer.text
    assert "<li>sales</li>" in answer.text
    assert all_sessions(world) == 0
    assert (await world.ask_hub(browser)).status == 302


async def test_sessions_end_on_every_node_and_in_every_virtual_proxy_that_this_browser_signed_in_to(worlds: Worlds) -> None:
    world = await worlds(prefixes=("sales", "", "hr"), edit_provider=for_everybody)
    browser = await signed_in(world, prefix="sales", node="qlik1.corp.example")
    await world.sign_in(browser, prefix="sales", node="qlik2.corp.example")
    await world.sign_in(browser, prefix="", node="qlik2.corp.example")
    await signed_in(world, prefix="hr", user="bob")
    assert all_sessions(world) == 4
    answer = await log_out(world, browser)
    assert all(f"<li>{name}</li>" in answer.text for name in ("sales", "default"))
    assert "<li>hr</li>" not in answer.text
    assert [len(world.sessions(prefix, node)) for prefix in ("sales", "") for node in world.site.nodes] == [0, 0, 0, 0]
    assert all_sessions(world) == 1


async def test_tabs_that_a_new_browser_opens_at_once_are_one_browser(worlds: Worlds) -> None:
    """Each start of a login found no handle and drew one; the browser keeps the last."""
    world = await worlds(prefixes=("sales", "hr"))
    browser = world.browser()
    callbacks = []
    for prefix in world.prefixes:
        browser.cookies.get("127.0.0.1", {}).pop(HANDLE, None)
        callbacks.append(await world.to_callback(browser, prefix=prefix))
    for callback in callbacks:
        await browser.follow(callback)
    assert all_sessions(world) == 2
    await log_out(world, browser, vp="sales")
    assert all_sessions(world) == 0


async def test_a_logout_ends_the_users_sessions_in_other_browsers_too(world: World) -> None:
    """Qlik Sense knows its sessions by user; the page says so."""
    browser, _other = await signed_in(world), await signed_in(world, node="qlik2.corp.example")
    answer = await log_out(world, browser)
    assert "in other browsers too" in answer.text
    assert all_sessions(world) == 0


async def test_another_users_session_stays(worlds: Worlds) -> None:
    world = await worlds(edit_provider=for_everybody)
    browser, _bob = await signed_in(world), await signed_in(world, user="bob")
    await log_out(world, browser)
    assert [session.user.user_id for session in world.sessions()] == ["bob"]


async def test_the_handle_is_sealed_and_outlives_a_rotation(worlds: Worlds) -> None:
    """Nobody can tell that two of them are the same browser's, or make one up."""
    secrets = {name: base64.urlsafe_b64encode(name[:1].encode() * 32) for name in ("old.key", "new.key")}
    old, new = ({"file": f"../certs/{name}"} for name in secrets)
    world = await worlds(secrets=secrets, edit_gateway=lambda gateway: gateway.update(cookie_keys=[old]))
    browser = await signed_in(world)
    first = browser.cookies["127.0.0.1"][HANDLE]
    write(world.folder, "gateway.yaml", yaml.safe_load((world.folder / "gateway.yaml").read_text()) | {"cookie_keys": [new, old]})
    configuration = config.load(world.folder, environ={}).configuration
    assert configuration is not None
    world.gateway.adopt(configuration)
    assert "You are signed out" in (await log_out(world, browser)).text
    assert all_sessions(world) == 0
    assert browser.cookies["127.0.0.1"][HANDLE] != first
    await world.to_sign_in(browser)
    assert asks_for_a_fresh_sign_in(browser), "sealed with the new key, the mark is still read"


async def test_a_handle_that_cannot_be_read_is_a_browser_of_which_nothing_is_known(world: World) -> None:
    browser = await signed_in(world)
    browser.cookies["127.0.0.1"][HANDLE] = "A" * 22
    assert "No sign-in of this browser is known" in (await log_out(world, browser)).text
    assert all_sessions(world) == 1
    assert (await world.sign_in(browser, node="qlik2.corp.example")).status == 200
    await log_out(world, browser)
    assert all_sessions(world) == 0


async def test_a_browser_of_which_nothing_is_known_ends_nothing(world: World) -> None:
    await signed_in(world)
    answer = await log_out(world, world.browser())
    assert answer.status == 200
    assert "No sign-in of this browser is known" in answer.text
    assert all_sessions(world) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "navigate"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Referer": "{target}/sales/hub/"},
        {"Referer": "{target}/"},
    ],
)
async def test_a_get_acts_at_once_for_our_own_site_and_for_listed_targets(world: World, headers: Mapping[str, str]) -> None:
    browser = await signed_in(world)
    await log_out(world, browser, **{name: value.format(target=world.site.url()) for name, value in headers.items()})
    assert all_sessions(world) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Referer": "https://evil.example/"},
        {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"},
        {"Referer": "https://evil.example/?{target}"},
        {"Referer": "{target}.evil.example/"},
        {"Referer": "{target}@evil.example/"},
        {"X_Nothing": "said"},
    ],
)
async def test_any_other_get_asks_first_and_acts_on_the_button(world: World, headers: Mapping[str, str]) -> None:
    browser = await signed_in(world)
    question = await log_out(world, browser, **{name: value.format(target=world.site.url()) for name, value in headers.items()})
    assert question.status == 200
    assert "Sign out of Qlik Sense?" in question.text
    assert "form-action 'self'" in question.headers["Content-Security-Policy"]
    assert all_sessions(world) == 1
    answer = await browser.submit(question)
    assert "You are signed out" in answer.text
    assert all_sessions(world) == 0


async def test_a_confirmation_is_good_for_one_use_by_one_browser_for_ten_minutes(worlds: Worlds) -> None:
    world = await worlds(edit_provider=for_everybody)
    browser, other = await signed_in(world), await signed_in(world, user="bob")
    question = await log_out(world, browser, **CROSS_SITE)
    assert (await other.submit(question)).code == "QGW-120"
    await browser.submit(question)
    again = await browser.submit(question)
    assert (again.status, again.code) == (400, "QGW-123")
    question = await log_out(world, other, **CROSS_SITE)
    world.clock.advance(600)
    assert (await other.submit(question)).code == "QGW-120"
    assert [session.user.user_id for session in world.sessions()] == ["bob"]


async def test_a_made_up_confirmation_ends_nothing(world: World) -> None:
    browser = await signed_in(world)
    for token in ("", "x" * 80, "a.b"):
        answer = await browser.post(f"{world.url}/vp/sales/logout", {"token": token})
        assert (answer.status, answer.code) == (400, "QGW-120")
    assert all_sessions(world) == 1


async def test_a_post_acts(world: World) -> None:
    browser = await signed_in(world)
    answer = await browser.send("POST", f"{world.url}/vp/sales/logout")
    assert "You are signed out" in answer.text
    assert all_sessions(world) == 0


async def posted_from_another_site(world: World, browser: Browser, origin: str) -> Answer:
    """The cookie is SameSite=Lax: it stays behind, and comes along again with what the answer leads to by GET."""
    jar, browser.cookies["127.0.0.1"] = browser.cookies["127.0.0.1"], {}
    answer = await browser.post(f"{world.url}/vp/sales/logout", {}, **CROSS_SITE, Origin=origin)
    browser.cookies["127.0.0.1"] |= jar
    return answer


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "{target}"])
async def test_a_post_from_another_site_asks_first_a_question_that_can_be_answered(world: World, origin: str) -> None:
    browser = await signed_in(world)
    answer = await posted_from_another_site(world, browser, origin.format(target=world.site.url()))
    assert answer.status == 303
    assert answer.location == f"{world.url}/vp/sales/logout?ask=1"
    question = await browser.get(answer.location, **CROSS_SITE)
    assert "Sign out of Qlik Sense?" in question.text
    assert all_sessions(world) == 1
    await browser.submit(question)
    assert all_sessions(world) == 0


async def test_an_older_browser_that_brings_its_cookie_along_with_such_a_post_is_asked_too(world: World) -> None:
    browser = await signed_in(world)
    answer = await browser.post(f"{world.url}/vp/sales/logout", {}, Origin="https://evil.example")
    assert "Sign out of Qlik Sense?" in (await browser.follow(answer)).text
    assert all_sessions(world) == 1


async def test_head_never_acts(world: World) -> None:
    browser = await signed_in(world)
    answer = await browser.send("HEAD", f"{world.url}/vp/sales/logout", headers=SAME_SITE)
    assert answer.status == 405
    assert all_sessions(world) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Purpose": "prefetch", "Sec_Fetch_Site": "same-site"}, 503),
        ({"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image", "Sec_Fetch_Site": "same-site"}, 401),
        ({"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe", "Sec_Fetch_Site": "same-site"}, 200),
    ],
)
async def test_images_frames_and_prefetches_end_nothing(world: World, headers: Mapping[str, str], status: int) -> None:
    browser = await signed_in(world)
    assert (await log_out(world, browser, **headers)).status == status
    assert all_sessions(world) == 1


async def test_an_unknown_virtual_proxy_is_not_found(world: World) -> None:
    assert (await log_out(world, world.browser(), vp="nowhere")).status == 404


def asks_for_a_fresh_sign_in(browser: Browser) -> bool:
    """By the last authorization request of this browser."""
    url = next(answer.url for answer in reversed(browser.seen) if "/authorize?" in answer.url)
    return {"prompt=login", "max_age=0"} <= set(urlsplit(url).query.split("&"))


def authn_request(browser: Browser) -> str:
    """The last one of this browser."""
    url = next(answer.url for answer in reversed(browser.seen) if "SAMLRequest=" in answer.url)
    return zlib.decompress(base64.b64decode(parse_qs(urlsplit(url).query)["SAMLRequest"][0]), -15).decode()


async def test_the_way_back_in_does_not_sign_in_silently(world: World) -> None:
    """A provider that remembers its session would let anybody through: the next login asks it not to."""
    browser = await signed_in(world)
    assert not asks_for_a_fresh_sign_in(browser)
    page = await log_out(world, browser)
    assert f'href="{world.site.hub("sales")}"' in page.text
    await browser.follow(await browser.get(world.site.hub("sales")))
    assert asks_for_a_fresh_sign_in(browser)


async def test_only_a_login_that_succeeded_ends_the_wish_for_a_fresh_one(world: World) -> None:
    browser = await signed_in(world)
    await log_out(world, browser)
    for _ in range(2):
        given_up = await world.to_sign_in(browser)
        assert asks_for_a_fresh_sign_in(browser)
    assert (await browser.follow(await browser.submit(given_up, user="alice"))).status == 200
    world.site.node().memory.sessions.clear()
    await world.to_sign_in(browser)
    assert not asks_for_a_fresh_sign_in(browser)


async def test_a_login_that_began_before_the_logout_does_not_end_the_wish(world: World) -> None:
    browser = await signed_in(world)
    world.site.node().memory.sessions.clear()
    other_tab = await world.to_sign_in(browser)
    await log_out(world, browser)
    await browser.follow(await browser.submit(other_tab, user="alice"))
    world.site.node().memory.sessions.clear()
    await world.to_sign_in(browser)
    assert asks_for_a_fresh_sign_in(browser)


async def test_a_saml_provider_is_asked_for_a_fresh_sign_in_too(worlds: Worlds) -> None:
    """Its answer is a POST from another site, where the cookie stays behind: the login in flight knows by itself."""
    world = await worlds(idps=(), saml=("adfs",))
    browser = await signed_in(world)
    assert "ForceAuthn" not in authn_request(browser)
    assert "You are signed out" in (await log_out(world, browser)).text
    assert all_sessions(world) == 0
    page = await world.to_sign_in(browser)
    assert 'ForceAuthn="true"' in authn_request(browser)
    await browser.follow(await browser.submit(await browser.submit(page, user="alice")))
    world.site.node().memory.sessions.clear()
    await world.to_sign_in(browser)
    assert "ForceAuthn" not in authn_request(browser), "one that succeeded ends the wish"


async def test_what_a_node_does_not_end_is_told_and_ended_once_it_answers(world: World) -> None:
    browser = await signed_in(world, node="qlik2.corp.example")
    world.site.node("qlik2.corp.example").faults.always = Fault.SERVER_ERROR
    answer = await log_out(world, browser)
    assert answer.status == 200
    assert "You are not signed out everywhere yet" in answer.text
    assert all_sessions(world) == 1
    metrics = await world.metrics()
    node = world.site.proxy_rest_uri("", "qlik2.corp.example")
    assert f'qlikgw_qlik_session_end_failures_total{{code="QGW-404",node="{node}",vp="sales"}} 1.0' in metrics
    assert "qlikgw_qlik_session_ends_pending 1.0" in metrics
    world.clock.advance(1)
    await world.run_errands()
    assert all_sessions(world) == 1
    world.site.node("qlik2.corp.example").faults.clear()
    world.clock.advance(2)
    await world.run_errands()
    assert all_sessions(world) == 0
    assert 'qlikgw_logouts_total{origin="browser",vp="sales"} 1.0' in await world.metrics()


async def test_a_node_that_hangs_holds_the_answer_up_for_a_bounded_time(world: World) -> None:
    browser = await signed_in(world)
    world.site.node("qlik2.corp.example").faults.always = Fault.HANG
    answer = await log_out(world, browser)
    assert "not signed out everywhere" in answer.text
    assert all_sessions(world) == 0
    assert "QGW-401" in await world.metrics()


async def test_names_that_need_it_are_percent_encoded(worlds: Worlds) -> None:
    name = "a/b é?#%2f&+"
    world = await worlds(edit_provider=lambda provider: provider["mapping"].update(user_id={"value": name}))
    browser = await signed_in(world)
    assert [session.user.user_id for session in world.sessions()] == [name]
    await log_out(world, browser)
    assert all_sessions(world) == 0


async def test_a_logout_is_audited(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    browser = await signed_in(world)
    await log_out(world, browser)
    line = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "logged_out" in line)
    assert (line["origin"], line["sessions"], line["user"]) == ("browser", 1, r"CONTOSO\alice")
