"""The way back, attacked: from other sites, with bytes that are no text, and through a store that fails in between."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.errors import NoLogoutInFlight, SamlMalformed, StoreUnavailable
from gateway.model import Channel, LogoutMessage, LogoutNotice, SignedIn
from gateway.protocol.saml.received import verify_message
from tests.flow.conftest import Worlds, certificates, world, worlds
from tests.flow.test_logout import CROSS_SITE, HANDLE, all_sessions, log_out, signed_in
from tests.flow.world import World

__all__ = ["certificates", "world", "worlds"]


async def test_another_sites_confirmation_does_not_make_us_forget_a_browser(world: World) -> None:
    """The attacker asks for a confirmation with no cookie at all, and has the victim post it: SameSite=Lax keeps the victim's back.

    A fresh handle in the place of the victim's would leave nothing for the victim's own logout to find.
    """
    question = await log_out(world, world.browser(), **CROSS_SITE)
    victim = await signed_in(world)
    jar = dict(victim.cookies["127.0.0.1"])
    victim.cookies["127.0.0.1"] = {}
    answer = await victim.submit(question)
    assert not [line for line in answer.set_cookies if line.startswith(HANDLE)]
    victim.cookies["127.0.0.1"] = jar | victim.cookies["127.0.0.1"]
    assert all_sessions(world) == 1
    await log_out(world, victim)
    assert all_sessions(world) == 0


BYTES = ["RelayState=\xff", "SAMLRequest=\xff", "SAMLRequest=a&SigAlg=\xff", "state=\xff", "Signature=a%FF"]
PLACES = ["/idp/adfs/slo", "/idp/adfs/callback", "/vp/sales/login", "/vp/sales/logout", "/idp/adfs/frontchannel-logout"]


async def test_bytes_in_a_query_that_are_no_text_end_on_a_page(worlds: Worlds) -> None:
    """Raw, as no browser sends them: an encoding error would be a fault of ours (500)."""
    world = await worlds(idps=(), saml=("adfs",), single_logout=True)
    signed = "SAMLRequest=a&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256&Signature=AAAA"
    at = urlsplit(world.url)
    for where, query in product(PLACES, BYTES + [f"{signed}&{query}" for query in BYTES]):
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(f"GET {where}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
        answer = await reader.read()
        writer.close()
        assert answer.split()[1] != b"500", (where, query, answer)


@pytest.mark.parametrize("query", ["RelayState=\udcff", "RelayState=\xff", "SAMLRequest=\udcff", "Signature=\udcff"])
def test_a_signed_query_that_is_not_ascii_is_refused_before_its_signature(query: str) -> None:
    """A server may hand on raw bytes as lone surrogates; whatever the bytes, a verifier raises nothing but our errors."""
    values = {"SAMLRequest": "a", "SigAlg": "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256", "Signature": "AAAA"}
    name, _, value = query.partition("=")
    raw = "&".join(f"{key}={text}" for key, text in (values | {name: value}).items())
    with pytest.raises(SamlMalformed):
        verify_message(LogoutMessage(channel=Channel.REDIRECT, fields={}, raw_query=raw), "SAMLRequest", ())


async def test_a_notice_that_the_store_did_not_let_us_follow_may_be_sent_again(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers do send it again; it must not be taken for a replay while nobody was signed out."""
    world = await worlds(single_logout=True)
    await signed_in(world)
    (session,) = world.providers["entra"].sessions.of("alice")
    index = world.gateway._services.read().logout.register.index
    genuine = index.of_session

    async def fails(_registration: str, _notice: LogoutNotice) -> tuple[SignedIn, ...]:
        monkeypatch.setattr(index, "of_session", genuine)
        raise StoreUnavailable("gone for a moment")

    monkeypatch.setattr(index, "of_session", fails)
    assert await world.providers["entra"].sessions.end(session.sid) == 503
    assert all_sessions(world) == 1
    facts: list[Any] = [sighting.facts["logout_token"] for sighting in world.watcher.sightings if sighting.what == "logout token"]
    again = await world.browser().post(f"{world.url}/idp/entra/backchannel-logout", {"logout_token": facts[0].reveal()})
    assert again.status == 200
    assert all_sessions(world) == 0


async def test_the_link_in_a_frame_asks_before_it_acts(world: World) -> None:
    """Any site may show the frame and have its visitors click into it unseen (clickjacking); the link leads to our own site."""
    victim = await signed_in(world)
    framed = await log_out(world, victim, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe")
    (link,) = re.findall(r'<a [^>]*href="([^"]+)"[^>]*target="_top"', framed.text)
    question = await victim.get(unescape(link), Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert "Sign out of Qlik Sense?" in question.text
    assert all_sessions(world) == 1
    await victim.submit(question)
    assert all_sessions(world) == 0


async def test_a_made_up_way_back_ends_nothing_and_leaves_the_genuine_one_open(worlds: Worlds) -> None:
    """Any site may send the browser to our address with a state of its own."""
    world = await worlds(single_logout=True)
    browser = await signed_in(world)
    onward = await log_out(world, browser)
    for query in ("", "?state=", "?state=another", "?RelayState=another", "?state=%00"):
        answer = await browser.get(f"{world.url}/idp/entra/slo{query}")
        assert (answer.status, answer.code) == (400, NoLogoutInFlight.code), query
    assert "You are signed out" in (await browser.follow(onward)).text
