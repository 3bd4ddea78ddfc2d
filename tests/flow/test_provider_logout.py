"""Single logout with both protocols' providers over HTTP: from a browser to the provider's own session, and from there to every hub."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.demo.site import Fault
from tests.flow.conftest import Worlds
from tests.flow.test_logout import all_sessions, log_out, signed_in
from tests.flow.world import Answer, Browser, World
from tests.peers import saml_logout
from tests.peers.saml_forge import IDP, party
from tests.peers.saml_logout import Logout, posted, query

NODES = ("qlik1.corp.example", "qlik2.corp.example")


@pytest.fixture
async def openid(worlds: Worlds) -> World:
    return await worlds(single_logout=True)


@pytest.fixture
async def saml(worlds: Worlds) -> World:
    return await worlds(idps=(), saml=("adfs",), single_logout=True)


async def signed_in_on_both_nodes(world: World) -> Browser:
    browser = await signed_in(world, node=NODES[0])
    assert (await world.sign_in(browser, node=NODES[1])).status == 200
    assert all_sessions(world) == 2
    return browser


async def hubs_ask_for_a_login(world: World, browser: Browser) -> None:
    for node in NODES:
        assert (await world.ask_hub(browser, node=node)).status == 302, node


def logout_token_of(world: World) -> str:
    return next(sighting.facts["logout_token"].reveal() for sighting in world.watcher.sightings if sighting.what == "logout token")  # type: ignore[union-attr]


async def tell(world: World, token: str) -> Answer:
    return await world.browser().post(f"{world.url}/idp/entra/backchannel-logout", {"logout_token": token})


# ---- OpenID Connect: from the browser -----------------------------------------------------------------------------------------


async def test_a_logout_goes_on_to_the_openid_provider_and_comes_back(openid: World) -> None:
    """RP-Initiated Logout 1.0: the Qlik sessions first, then the provider's."""
    browser = await signed_in(openid)
    first = await log_out(openid, browser)
    assert first.status == 302
    assert all_sessions(openid) == 0, "the sessions end before the browser goes on"
    asked = parse_qs(urlsplit(first.location).query)
    assert first.location.startswith(f"{openid.providers['entra'].issuer}/end-session?")
    assert asked["id_token_hint"][0].count(".") == 2
    assert asked["post_logout_redirect_uri"] == [f"{openid.url}/idp/entra/slo"]
    last = await browser.follow(first)
    assert last.url.startswith(f"{openid.url}/idp/entra/slo?state=")
    assert "You are signed out of Qlik Sense" in last.text
    assert openid.providers["entra"].sessions.of("alice") == []
    again = await browser.get(last.url)
    assert again.status == 400, "the way back is good for one use"


async def test_the_way_back_of_another_browser_is_refused(openid: World) -> None:
    browser, other = await signed_in(openid), openid.browser()
    back = await browser.get((await log_out(openid, browser)).location)
    stolen = await other.get(back.location)
    assert (stolen.status, "signed out" in stolen.text) == (400, False)


# ---- OpenID Connect: from the provider ----------------------------------------------------------------------------------------


async def test_the_openid_provider_ends_a_session_and_every_hub_drops(openid: World) -> None:
    """Back-Channel Logout 1.0 §2.5 to §2.8."""
    browser = await signed_in_on_both_nodes(openid)
    first, _ = openid.providers["entra"].sessions.of("alice")
    began = time.monotonic()
    assert await openid.providers["entra"].sessions.end(first.sid) == 200
    assert time.monotonic() - began < 5
    assert all_sessions(openid) == 0
    await hubs_ask_for_a_login(openid, browser)


async def test_a_logout_token_is_good_for_once(openid: World) -> None:
    browser = await signed_in(openid)
    (session,) = openid.providers["entra"].sessions.of("alice")
    await openid.providers["entra"].sessions.end(session.sid)
    assert (await openid.sign_in(browser)).status == 200
    again = await tell(openid, logout_token_of(openid))
    assert (again.status, again.headers["Cache-Control"]) == (400, "no-store")
    assert all_sessions(openid) == 1


async def test_a_token_that_proves_nothing_ends_nothing(openid: World) -> None:
    await signed_in(openid)
    for token in ("", "x", "a.b.c", "e30.e30.", "x" * 70_000):
        answer = await tell(openid, token)
        assert answer.status in {400, 413}, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert all_sessions(openid) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_the_back_channel_is_for_post_alone(openid: World, method: str) -> None:
    answer = await openid.browser().send(method, f"{openid.url}/idp/entra/backchannel-logout?logout_token=x")
    assert answer.status == 405


async def test_a_frame_of_the_providers_page_ends_its_session(openid: World) -> None:
    """Front-Channel Logout 1.0 §2: no cookie is needed, and without `iss` and `sid` nothing happens."""
    browser, stranger = await signed_in(openid), openid.browser()
    (session,) = openid.providers["entra"].sessions.of("alice")
    address, issuer = f"{openid.url}/idp/entra/frontchannel-logout", openid.providers["entra"].issuer
    for useless in ("", f"?sid={session.sid}", f"?iss={issuer}", f"?iss={issuer}x&sid={session.sid}"):
        assert (await browser.get(address + useless)).status == 400
    assert (await stranger.get(f"{address}?iss={issuer}&sid=another")).status == 200
    assert all_sessions(openid) == 1
    assert (await stranger.get(f"{address}?iss={issuer}&sid={session.sid}")).status == 200
    assert all_sessions(openid) == 0


async def test_what_a_node_does_not_end_is_ended_later(openid: World) -> None:
    await signed_in_on_both_nodes(openid)
    openid.site.node(NODES[1]).faults.always = Fault.SERVER_ERROR
    (session, _) = openid.providers["entra"].sessions.of("alice")
    assert await openid.providers["entra"].sessions.end(session.sid) == 504
    assert all_sessions(openid) == 1
    openid.site.node(NODES[1]).faults.clear()
    openid.clock.advance(2)
    await openid.run_errands()
    assert all_sessions(openid) == 0


# ---- SAML: from the browser ---------------------------------------------------------------------------------------------------


async def test_a_logout_goes_on_to_the_saml_provider_and_comes_back(saml: World) -> None:
    browser = await signed_in(saml)
    first = await log_out(saml, browser)
    assert first.location.startswith(f"{saml.saml['adfs'].url}/slo?SAMLRequest=")
    assert all_sessions(saml) == 0
    last = await browser.follow(first)
    assert last.url.startswith(f"{saml.url}/idp/adfs/slo?SAMLResponse=")
    assert "You are signed out of Qlik Sense" in last.text
    assert saml.saml["adfs"].sessions.of("alice") == []
    assert (await browser.get(last.url)).status == 400


async def test_an_answer_that_was_changed_on_its_way_is_refused(saml: World) -> None:
    browser = await signed_in(saml)
    answer = await browser.get((await log_out(saml, browser)).location)
    assert (await browser.get(answer.location.replace("&SigAlg=", "&SigAlg=x"))).code == "QGW-271"


async def test_a_provider_that_could_not_end_its_session_is_named_on_the_last_page(saml: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The Qlik sessions have ended; the user learns that the provider may let them in again."""
    browser = await signed_in(saml)
    saml.saml["adfs"].sessions.status = "urn:oasis:names:tc:SAML:2.0:status:Responder"
    last = await browser.follow(await log_out(saml, browser))
    assert last.status == 200
    assert "Provider adfs" in last.text
    assert re.search(r'"code":"QGW-276".*"provider_trouble"', capsys.readouterr().out)


# ---- SAML: from the provider --------------------------------------------------------------------------------------------------


async def test_the_saml_provider_ends_a_session_and_every_hub_drops(saml: World) -> None:
    """Profiles §4.4: LogoutRequest by redirect, answered with a signed LogoutResponse."""
    browser = await signed_in_on_both_nodes(saml)
    session, _ = saml.saml["adfs"].sessions.of("alice")
    began = time.monotonic()
    page = await browser.follow(await browser.get(saml.saml["adfs"].sessions.end(session.index)))
    assert "The application has ended its sessions." in page.text
    assert time.monotonic() - began < 5
    await hubs_ask_for_a_login(saml, browser)
    assert all_sessions(saml) == 0


async def test_the_saml_provider_hears_of_what_could_not_be_ended(saml: World) -> None:
    browser = await signed_in_on_both_nodes(saml)
    saml.site.node(NODES[1]).faults.always = Fault.SERVER_ERROR
    session, _ = saml.saml["adfs"].sessions.of("alice")
    page = await browser.follow(await browser.get(saml.saml["adfs"].sessions.end(session.index)))
    assert "could not end all of its sessions yet" in page.text
    saml.site.node(NODES[1]).faults.clear()
    saml.clock.advance(2)
    await saml.run_errands()
    assert all_sessions(saml) == 0


async def test_a_logout_request_is_good_for_once(saml: World) -> None:
    browser = await signed_in(saml)
    (session,) = saml.saml["adfs"].sessions.of("alice")
    address = saml.saml["adfs"].sessions.end(session.index)
    await browser.follow(await browser.get(address))
    await saml.sign_in(browser)
    again = await browser.get(address)
    assert (again.status, again.code) == (400, "QGW-123")
    assert all_sessions(saml) == 1


# ---- SAML: a provider that is made by hand -------------------------------------------------------------------------------------


def by_hand(_: Any = None) -> dict[str, Any]:
    """A provider whose messages the test signs."""
    return {
        "schema": 1,
        "protocol": "saml",
        "entity_id": IDP,
        "sso_url": "https://idp.example.com/sso",
        "slo_url": saml_logout.IDP_SLO,
        "certificates": ["../certs/idp.pem"],
        "sp": {"key": "../certs/saml_key.pem", "certificate": "../certs/saml.pem"},
        "mapping": {"user_directory": {"value": "PARTNERS"}, "user_id": {"name_id": True}},
    }


@pytest.fixture
async def handmade(worlds: Worlds) -> World:
    certificates = {"idp.pem": party("idp").certificate_pem}
    return await worlds(idps=(), saml=(), single_logout=True, foreign={"corp": by_hand()}, secrets=certificates)


def request_for(world: World, **changes: Any) -> Logout:
    return Logout(**{"destination": f"{world.url}/idp/corp/slo", "now": world.clock.now()} | changes)


@pytest.mark.parametrize("binding", ["redirect", "post"])
async def test_a_request_about_a_session_that_nobody_knows_is_answered_all_the_same(handmade: World, binding: str) -> None:
    """By both bindings; the provider takes answers by redirect alone."""
    address, message = f"{handmade.url}/idp/corp/slo", request_for(handmade)
    browser = handmade.browser()
    if binding == "post":
        answer = await browser.post(address, posted(message).fields)
    else:
        answer = await browser.get(f"{address}?{query(message)}")
    assert answer.status in {302, 303}, answer.text
    assert answer.location.startswith(f"{saml_logout.IDP_SLO}?SAMLResponse=")
    assert parse_qs(urlsplit(answer.location).query)["RelayState"] == [saml_logout.RELAY]


async def test_a_request_that_proves_nothing_is_refused(handmade: World) -> None:
    address, browser = f"{handmade.url}/idp/corp/slo", handmade.browser()
    good = request_for(handmade)
    evil = party("evil")
    unsigned = query(good).partition("&SigAlg=")[0]
    for raw in (
        query(good, evil),
        unsigned,
        query(good).replace("RelayState=r", "RelayState=s"),
        query(request_for(handmade, issued=-600)),
    ):
        answer = await browser.get(f"{address}?{raw}")
        assert (answer.status, answer.code) == (400, "QGW-271")
    for form in (posted(good, evil), posted(request_for(handmade, destination="https://evil.example"))):
        answer = await browser.post(address, form.fields)
        assert (answer.status, answer.code) == (400, "QGW-271")
    assert (await browser.get(f"{address}?{query(good)}&SAMLResponse=x")).status == 400
    assert (await browser.get(address)).status == 400
    assert (await browser.send("HEAD", f"{address}?{query(good)}")).status == 405


async def test_the_metadata_tells_where_logout_is(handmade: World) -> None:
    metadata = (await handmade.browser().get(f"{handmade.url}/idp/corp/metadata")).text
    assert metadata.count(f'Location="{handmade.url}/idp/corp/slo"') == 2
