from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from yarl import URL

from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.openid_requests import Client, left_half_hash, s256
from gateway.model import Secret
from tests.fakes import FixedClock

CALLBACK = "http://127.0.0.1:8080/idp/demo/callback"
VERIFIER = "v" * 43
REQUEST = {
    "client_id": "gateway",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid profile email groups",
    "state": "the state",
    "nonce": "the nonce",
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}


@pytest.fixture
async def provider(clock: FixedClock) -> AsyncIterator[DemoOpenIdProvider]:
    async with DemoOpenIdProvider(clock=clock) as running:
        running.register(Client(client_id="gateway", secret=Secret("s&cret:%"), redirect_uris=(CALLBACK,)))
        running.register(Client(client_id="other", secret=Secret("other"), redirect_uris=(CALLBACK,)))
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Talk:
    """A client and a user's browser in one."""

    def __init__(self, provider: DemoOpenIdProvider, http: aiohttp.ClientSession) -> None:
        self.provider = provider
        self.http = http

    async def authorize(self, change: Mapping[str, str | None] | None = None, *, extra: str = "") -> tuple[int, str, Mapping[str, str]]:
        """Status, body and headers of an authorization request; None takes a parameter away."""
        fields = {name: value for name, value in (REQUEST | dict(change or {})).items() if value is not None}
        url = URL(f"{self.provider.issuer}/authorize?{urlencode(fields)}{extra}", encoded=True)
        async with self.http.get(url, allow_redirects=False) as response:
            return response.status, await response.text(), response.headers

    async def sign_in(self, user: str = "alice", change: Mapping[str, str | None] | None = None) -> tuple[int, str, Mapping[str, str]]:
        _, page, _ = await self.authorize(change)
        [request] = re.findall(r'name="request" value="([^"]+)"', page)
        async with self.http.post(
            f"{self.provider.issuer}/sign-in", data={"request": request, "user": user}, allow_redirects=False
        ) as response:
            return response.status, await response.text(), response.headers

    async def code(self) -> str:
        _, _, headers = await self.sign_in()
        return parse_qs(urlsplit(headers["Location"]).query)["code"][0]

    async def token(
        self, code: str, change: Mapping[str, str] | None = None, *, login: tuple[str, str] = ("gateway", "s%26cret%3A%25")
    ) -> tuple[int, dict[str, str]]:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        auth = aiohttp.encode_basic_auth(*login)
        async with self.http.post(
            f"{self.provider.issuer}/token", data=fields | dict(change or {}), headers={"Authorization": auth}
        ) as response:
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, await response.json()

    async def keys(self) -> KeySet:
        async with self.http.get(f"{self.provider.issuer}/jwks") as response:
            return KeySet.import_key_set(await response.json())


@pytest.fixture
def talk(provider: DemoOpenIdProvider, http: aiohttp.ClientSession) -> Talk:
    return Talk(provider, http)


def query(headers: Mapping[str, str]) -> dict[str, str]:
    assert headers["Location"].startswith(CALLBACK + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(headers["Location"]).query).items()}


async def test_discovery_names_itself_and_what_it_insists_on(talk: Talk) -> None:
    async with talk.http.get(f"{talk.provider.issuer}/.well-known/openid-configuration") as response:
        document = await response.json()
    assert document["issuer"] == talk.provider.issuer
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True


async def test_a_login_ends_with_a_signed_token_of_the_right_shape(talk: Talk, clock: FixedClock) -> None:
    status, _, headers = await talk.sign_in()
    answer = query(headers)
    code = answer.pop("code")
    assert (status, answer) == (303, {"state": "the state", "iss": talk.provider.issuer})
    status, body = await talk.token(code)
    token = jwt.decode(body["id_token"], await talk.keys(), algorithms=["RS256"])
    now = int(clock.now().timestamp())
    assert (status, body["token_type"]) == (200, "Bearer")
    assert [session.sid for session in talk.provider.sessions.of("alice")] == [token.claims.pop("sid")]
    assert token.claims == {
        "iss": talk.provider.issuer,
        "sub": "alice",
        "aud": "gateway",
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "nonce": "the nonce",
        "at_hash": left_half_hash(body["access_token"]),
        "name": "Alice",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": True,
        "groups": ["qlik-users", "sales", "finance"],
    }


async def test_claims_come_by_scope(talk: Talk) -> None:
    _, _, headers = await talk.sign_in("bob", {"scope": "openid groups"})
    _, body = await talk.token(query(headers)["code"])
    claims = jwt.decode(body["id_token"], await talk.keys(), algorithms=["RS256"]).claims
    assert claims["groups"] == ["warehouse"]
    assert "email" not in claims


async def test_form_post_carries_the_answer_in_a_form(talk: Talk) -> None:
    status, page, headers = await talk.sign_in(change={"response_mode": "form_post"})
    fields = {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}
    assert status == 200
    assert f'action="{CALLBACK}"' in page
    assert fields.keys() == {"code", "state", "iss"}
    nonce = re.findall(r'nonce="([^"]+)"', page)[0]
    assert f"'nonce-{nonce}'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "change", [{"client_id": "nobody"}, {"redirect_uri": CALLBACK + "/"}, {"redirect_uri": None}, {"redirect_uri": CALLBACK.upper()}]
)
async def test_an_unknown_client_or_address_is_never_redirected_to(talk: Talk, change: Mapping[str, str | None]) -> None:
    status, _, headers = await talk.authorize(change)
    assert status == 400
    assert "Location" not in headers


async def test_a_parameter_that_comes_twice_is_not_answered(talk: Talk) -> None:
    assert (await talk.authorize(extra="&state=two"))[0] == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "https://x.example/"}, "request_uri_not_supported"),
    ],
)
async def test_other_bad_requests_are_told_to_the_client(talk: Talk, change: Mapping[str, str | None], error: str) -> None:
    status, _, headers = await talk.authorize(change)
    answer = query(headers)
    assert (status, answer["error"], answer["state"], answer["iss"]) == (303, error, "the state", talk.provider.issuer)


async def test_cancelling_is_access_denied(talk: Talk) -> None:
    _, _, headers = await talk.sign_in("")
    assert query(headers)["error"] == "access_denied"


async def test_a_sign_in_page_is_good_for_one_use(talk: Talk) -> None:
    _, page, _ = await talk.authorize()
    [request] = re.findall(r'name="request" value="([^"]+)"', page)
    statuses = []
    for _ in range(2):
        async with talk.http.post(
            f"{talk.provider.issuer}/sign-in", data={"request": request, "user": "alice"}, allow_redirects=False
        ) as response:
            statuses.append(response.status)
    assert statuses == [303, 400]


async def test_a_code_is_good_for_one_use(talk: Talk) -> None:
    code = await talk.code()
    assert (await talk.token(code))[0] == 200
    assert await talk.token(code) == (
        400,
        {"error": "invalid_grant", "error_description": "the code is unknown, used or older than a minute"},
    )


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
async def test_a_code_lives_one_minute(talk: Talk, clock: FixedClock, seconds: int, status: int) -> None:
    code = await talk.code()
    clock.advance(seconds)
    assert (await talk.token(code))[0] == status


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"redirect_uri": CALLBACK + "/"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
    ],
)
async def test_a_token_request_that_does_not_fit_is_refused(talk: Talk, change: Mapping[str, str], error: str) -> None:
    status, body = await talk.token(await talk.code(), change)
    assert (status, body["error"]) == (400, error)


@pytest.mark.parametrize("login", [("gateway", "wrong"), ("nobody", ""), ("gateway", ""), ("", "")])
async def test_a_client_that_cannot_prove_itself_is_refused(talk: Talk, login: tuple[str, str]) -> None:
    status, body = await talk.token(await talk.code(), login=login)
    assert (status, body["error"]) == (401, "invalid_client")


async def test_a_code_of_another_client_is_refused(talk: Talk) -> None:
    status, body = await talk.token(await talk.code(), login=("other", "other"))
    assert (status, body["error"]) == (400, "invalid_grant")


async def test_keys_rotate_and_the_old_ones_stay_or_vanish(talk: Talk) -> None:
    before = {key.kid for key in (await talk.keys()).keys}
    await talk.provider.rotate_keys()
    both = {key.kid for key in (await talk.keys()).keys}
    await talk.provider.rotate_keys(keep_old=False)
    after = {key.kid for key in (await talk.keys()).keys}
    assert before < both
    assert len(both) == 2
    assert not after & both
    _, body = await talk.token(await talk.code())
    assert jwt.decode(body["id_token"], await talk.keys(), algorithms=["RS256"]).header["kid"] in after
