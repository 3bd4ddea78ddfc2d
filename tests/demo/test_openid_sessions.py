from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwt
from yarl import URL

from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.openid_requests import Client
from gateway.model import Secret
from tests.demo.test_openid_provider import CALLBACK, Talk
from tests.fakes import FixedClock

BACK = "http://127.0.0.1:8080/idp/demo/slo"


class Ear:
    """A client's back channel: keeps every token that it is told."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        self.tokens.append(str((await request.post())["logout_token"]))
        return web.Response()


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear, application = Ear(), web.Application()
    application.add_routes([web.post("/backchannel-logout", ear.hear)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ear.url = f"http://127.0.0.1:{runner.addresses[0][1]}/backchannel-logout"
    yield ear
    await runner.cleanup()


@pytest.fixture
async def talk(clock: FixedClock, ear: Ear) -> AsyncIterator[Talk]:
    async with DemoOpenIdProvider(clock=clock) as provider, aiohttp.ClientSession() as http:
        client = Client(client_id="gateway", secret=Secret("s&cret:%"), redirect_uris=(CALLBACK,))
        provider.register(replace(client, post_logout_redirect_uris=(BACK,), backchannel_logout_uri=ear.url))
        yield Talk(provider, http)


async def id_token(talk: Talk) -> str:
    _, body = await talk.token(await talk.code())
    return body["id_token"]


async def end(talk: Talk, **fields: str) -> tuple[int, str]:
    """Status, and where it leads."""
    url = URL(f"{talk.provider.issuer}/end-session?{urlencode(fields)}", encoded=True)
    async with talk.http.get(url, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "")


async def told(talk: Talk, ear: Ear) -> Any:
    (token,) = ear.tokens
    return jwt.decode(token, await talk.keys(), algorithms=["RS256"])


async def test_the_client_ends_a_session_and_everybody_is_told(talk: Talk, ear: Ear, clock: FixedClock) -> None:
    """RP-Initiated Logout 1.0 §2 and §3, Back-Channel Logout 1.0 §2.4 and §2.5."""
    hint = await id_token(talk)
    status, location = await end(talk, id_token_hint=hint, client_id="gateway", post_logout_redirect_uri=BACK, state="s t")
    assert (status, location) == (303, f"{BACK}?state=s+t")
    token, now = await told(talk, ear), int(clock.now().timestamp())
    assert token.header["typ"] == "logout+jwt"
    assert {name: token.claims[name] for name in ("iss", "aud", "sub", "iat")} == {
        "iss": talk.provider.issuer,
        "aud": "gateway",
        "sub": "alice",
        "iat": now,
    }
    assert token.claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert token.claims["sid"] == jwt.decode(hint, await talk.keys(), algorithms=["RS256"]).claims["sid"]
    assert {"jti", "exp"} <= token.claims.keys()
    assert "nonce" not in token.claims
    assert talk.provider.sessions.of("alice") == []


async def test_somebody_signs_out_at_the_provider_itself(talk: Talk, ear: Ear) -> None:
    await id_token(talk)
    async with talk.http.get(talk.provider.issuer) as page:
        assert "End alice's session" in await page.text()
    (session,) = talk.provider.sessions.of("alice")
    async with talk.http.post(talk.provider.issuer, data={"session": session.sid}) as page:
        assert "Nobody." in await page.text()
    assert (await told(talk, ear)).claims["sid"] == session.sid


async def test_without_a_way_back_it_ends_on_a_page(talk: Talk) -> None:
    assert await end(talk, id_token_hint=await id_token(talk)) == (200, "")


async def test_nothing_ends_without_a_good_hint(talk: Talk, ear: Ear) -> None:
    hint = await id_token(talk)
    for fields in (
        {},
        {"id_token_hint": "x"},
        {"id_token_hint": hint[:-8] + "AAAAAAAA"},
        {"id_token_hint": hint, "client_id": "other"},
        {"id_token_hint": hint, "post_logout_redirect_uri": BACK + "x"},
    ):
        assert await end(talk, **fields) == (400, "")
    assert ear.tokens == []
    assert len(talk.provider.sessions.of("alice")) == 1


async def test_a_client_that_does_not_listen_loses_its_session_all_the_same(clock: FixedClock) -> None:
    async with DemoOpenIdProvider(clock=clock) as provider:
        client = Client(client_id="a", secret=Secret("s"), redirect_uris=(CALLBACK,))
        deaf = provider.sessions.begin("alice", replace(client, backchannel_logout_uri="http://127.0.0.1:9/"))
        silent = provider.sessions.begin("alice", client)
        assert await asyncio.gather(provider.sessions.end(deaf), provider.sessions.end(silent), provider.sessions.end("x")) == [None] * 3
        assert provider.sessions.of("alice") == []
