"""`OidcProvider`, whole logins against a provider behind `ScriptedHttp`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.errors import (
    DiscoveryRefused,
    GatewayError,
    ProviderAnswer,
    ProviderUnreachable,
    TokenKeyUnknown,
    UnreadableLogin,
    UserinfoRefused,
)
from gateway.model import Binding, HttpRequest, HttpResponse, Memo, TransactionId
from gateway.ports import IdentityProvider
from gateway.protocol import oidc
from gateway.strength import Strength
from tests.fakes import json_response
from tests.protocol.oidc.forge import CLIENT_ID, ISSUER, ec_key, good_token, jwk, metadata_document, relying_party, rsa_key
from tests.protocol.oidc.op import TRANSACTION, Op

DOWN = ProviderUnreachable("no answer")


async def failing(login: object) -> str:
    with pytest.raises(GatewayError) as caught:
        await login  # type: ignore[misc]
    return caught.value.code


def test_it_is_an_identity_provider() -> None:
    op = Op()
    provider: IdentityProvider = op.provider
    assert (provider.name, provider.display_name, provider.binding) == ("op", "The provider", Binding.QUERY)
    assert provider.registration == oidc.registration(op.rp)
    assert Op(rp=relying_party(response_mode=Binding.FORM_POST)).provider.binding is Binding.FORM_POST


def test_making_one_needs_no_network() -> None:
    assert Op().http.requests == []


def test_only_a_signing_client_publishes_keys() -> None:
    assert Op().provider.jwks() is None
    key = oidc.read_client_key(ec_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert Op(rp=relying_party(client_auth=key)).provider.jwks() == oidc.public_jwks(key)


async def test_a_login_proves_who_the_user_is() -> None:
    op = Op()
    identity = await op.login()
    assert (identity.session.issuer, identity.session.subject) == (ISSUER, "alice")
    assert [r.url for r in op.http.requests] == [op.discovery_url, op.token_url, op.jwks_url]


async def test_the_second_login_needs_the_token_endpoint_alone() -> None:
    op = Op()
    await op.login()
    op.http.requests.clear()
    await op.login(TransactionId("u" * 22))
    assert [r.url for r in op.http.requests] == [op.token_url]


async def test_no_two_logins_share_a_secret() -> None:
    op = Op()
    first, second = (await op.provider.begin(TRANSACTION, Strength()), await op.provider.begin(TRANSACTION, Strength()))
    assert first[0] != second[0]
    assert first[1] != second[1]


async def test_a_memo_of_another_make_ends_the_login_before_any_request() -> None:
    op = Op()
    answer, _ = await op.begin()
    op.http.requests.clear()
    with pytest.raises(UnreadableLogin):
        await op.provider.finish(answer, TRANSACTION, Memo("{}"), Strength())
    assert op.http.requests == []


# ---- userinfo ----------------------------------------------------------------------------------------------------------


async def test_userinfo_is_asked_only_where_it_is_configured() -> None:
    assert "email" not in (await Op().login()).claims
    op = Op(rp=relying_party(userinfo=True))
    assert (await op.login()).claims["email"] == "alice@example.com"
    assert op.http.sent(op.userinfo_url)[0].headers["Authorization"] == "Bearer the-access-token"


async def test_userinfo_about_another_user_ends_the_login() -> None:
    op = Op(rp=relying_party(userinfo=True), userinfo={"sub": "mallory"})
    assert await failing(op.login()) == UserinfoRefused.code


# ---- metadata ----------------------------------------------------------------------------------------------------------


async def test_metadata_is_fetched_once_by_many_logins_at_once() -> None:
    op, gate = Op(), asyncio.Event()

    async def slow(_: HttpRequest) -> HttpResponse:
        await gate.wait()
        return json_response(op.document)

    op.http.on("GET", op.discovery_url, slow)
    logins = [asyncio.create_task(op.provider.begin(TransactionId(f"{n:022}"), Strength())) for n in range(50)]
    await asyncio.sleep(0)
    gate.set()
    assert len(await asyncio.gather(*logins)) == 50
    assert op.fetches(op.discovery_url) == 1


async def test_a_failed_first_fetch_fails_those_who_waited_for_it_and_is_tried_again() -> None:
    op, gate = Op(), asyncio.Event()

    async def slow(_: HttpRequest) -> HttpResponse:
        await gate.wait()
        raise DOWN

    op.http.on("GET", op.discovery_url, slow)
    logins = [asyncio.create_task(op.provider.begin(TransactionId(f"{n:022}"), Strength())) for n in range(5)]
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*logins, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ProviderUnreachable] * 5
    assert len({id(outcome) for outcome in outcomes}) == 5
    assert op.fetches(op.discovery_url) == 1
    assert op.troubles() == []
    op.heal()
    assert await op.login()


async def test_a_cancelled_login_leaves_the_fetch_to_the_next_in_line() -> None:
    """A browser that goes away must not take the others' login with it."""
    op, gate = Op(), asyncio.Event()

    async def slow(_: HttpRequest) -> HttpResponse:
        await gate.wait()
        return json_response(op.document)

    op.http.on("GET", op.discovery_url, slow)
    first, second = (asyncio.create_task(op.provider.begin(TRANSACTION, Strength())) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second
    assert first.cancelled()
    assert op.fetches(op.discovery_url) == 2


async def test_metadata_is_refreshed_daily() -> None:
    op = Op()
    await op.login()
    op.document["token_endpoint"] = "https://op.example/token2"
    op.http.on("POST", "https://op.example/token2", op.http.answers["POST", op.token_url])
    op.clock.advance(timedelta(hours=23))
    await op.login()
    assert op.fetches("https://op.example/token2") == 0
    op.clock.advance(timedelta(hours=1))
    await op.login()
    assert op.fetches("https://op.example/token2") == 1


@pytest.mark.parametrize(
    ("broken", "code"),
    [(DOWN, "QGW-201"), (HttpResponse(status=503), "QGW-202"), (json_response(metadata_document("https://evil.example")), "QGW-203")],
    ids=["down", "503", "another issuer"],
)
async def test_a_failed_refresh_keeps_the_last_good_metadata(broken: HttpResponse | GatewayError, code: str) -> None:
    op = Op()
    await op.login()
    op.http.on("GET", op.discovery_url, broken)
    op.clock.advance(timedelta(days=30))
    assert await op.login()
    assert [trouble[0] for trouble in op.troubles()] == [code]
    assert op.troubles()[0][1].startswith("metadata: ")


async def test_a_failed_refresh_is_not_tried_by_every_login() -> None:
    op = Op()
    await op.login()
    op.http.on("GET", op.discovery_url, DOWN)
    op.clock.advance(timedelta(days=2))
    for _ in range(10):
        await op.login()
    assert op.fetches(op.discovery_url) == 2
    op.clock.advance(timedelta(minutes=1))
    await op.login()
    assert op.fetches(op.discovery_url) == 3


async def test_a_slow_refresh_holds_up_one_login_alone() -> None:
    op, gate = Op(), asyncio.Event()

    async def slow(_: HttpRequest) -> HttpResponse:
        await gate.wait()
        return json_response(op.document)

    await op.login()
    op.http.on("GET", op.discovery_url, slow)
    op.clock.advance(timedelta(days=2))
    held_up = asyncio.create_task(op.provider.begin(TRANSACTION, Strength()))
    await asyncio.sleep(0)
    assert await op.provider.begin(TRANSACTION, Strength())
    gate.set()
    assert await held_up


@pytest.mark.parametrize("change", [{"jwks_uri": "http://op.example/jwks"}, {"issuer": "https://evil.example"}])
async def test_untrustworthy_metadata_stops_the_first_login(change: dict[str, str]) -> None:
    op = Op(document=change)
    assert await failing(op.login()) == DiscoveryRefused.code
    assert op.fetches(op.token_url) == 0


# ---- keys --------------------------------------------------------------------------------------------------------------


async def test_a_rotation_between_two_logins_goes_unnoticed() -> None:
    """OIDC conformance: signing-key-rotation."""
    op = Op()
    await op.login()
    op.rotate("k2")
    assert await op.login()
    assert op.refreshed() == [(("k1",), ()), (("k2",), ("k1",))]


async def test_a_rotation_in_the_middle_of_a_login_goes_unnoticed() -> None:
    """OIDC conformance: signing-key-rotation-just-before-signing."""
    op = Op()
    await op.login()
    answer, memo = await op.begin()
    op.rotate("k2")
    assert await op.provider.finish(answer, TRANSACTION, memo, Strength())
    assert op.fetches(op.token_url) == 2, "the code is not sent twice"


async def test_three_rotations_in_a_row_go_unnoticed() -> None:
    """A plain cool-down would refuse the second."""
    op = Op()
    for n in range(2, 6):
        await op.login()
        op.rotate(f"k{n}")
    assert op.fetches(op.jwks_url) == 4


async def test_a_new_key_under_the_old_id_goes_unnoticed() -> None:
    op = Op()
    await op.login()
    op.keys = {"k1": rsa_key("new")}
    assert await op.login()


async def test_a_rotation_is_noticed_by_many_logins_with_one_fetch() -> None:
    op, gate = Op(), asyncio.Event()

    async def slow(_: HttpRequest) -> HttpResponse:
        await gate.wait()
        return json_response(op.key_set())

    await op.login()
    op.rotate("k2")
    op.http.on("GET", op.jwks_url, slow)
    logins = [asyncio.create_task(op.login(TransactionId(f"{n:022}"))) for n in range(50)]
    for _ in range(10):
        await asyncio.sleep(0)
    gate.set()
    assert len(await asyncio.gather(*logins)) == 50
    assert op.fetches(op.jwks_url) == 2


async def test_a_storm_of_unknown_keys_is_bounded() -> None:
    op = Op(header={"kid": "nobody"})
    codes = {await failing(op.login()) for _ in range(50)}
    assert codes == {TokenKeyUnknown.code}
    assert op.fetches(op.jwks_url) == 1 + 3, "the first one, and the burst"
    op.clock.advance(timedelta(minutes=2))
    for _ in range(50):
        await failing(op.login())
    assert op.fetches(op.jwks_url) == 4 + 2, "one more a minute"


async def test_a_storm_at_once_is_bounded_too() -> None:
    op = Op(header={"kid": "nobody"})
    await failing(op.login())
    logins = [failing(op.login(TransactionId(f"{n:022}"))) for n in range(50)]
    assert set(await asyncio.gather(*logins)) == {TokenKeyUnknown.code}
    assert op.fetches(op.jwks_url) <= 1 + 3


async def test_after_a_storm_a_real_rotation_is_noticed_within_a_minute() -> None:
    op = Op(header={"kid": "nobody"})
    for _ in range(10):
        await failing(op.login())
    op.header = {}
    op.rotate("k2")
    assert await failing(op.login()) == TokenKeyUnknown.code
    op.clock.advance(timedelta(minutes=1))
    assert await op.login()


async def test_one_odd_key_in_the_set_stops_nobody() -> None:
    op = Op()
    odd = [
        {"kty": "EC", "crv": "P-999", "x": "A", "y": "A"},
        {"kty": "RSA", "n": "!", "e": "!"},
        jwk(rsa_key(), use="sig", key_ops=["sign"]),
    ]
    op.http.on("GET", op.jwks_url, lambda _: json_response({"keys": [*odd, *op.key_set()["keys"]]}))
    assert await op.login()


async def test_keys_are_refreshed_hourly_so_that_a_withdrawn_one_stops_working() -> None:
    op = Op()
    await op.login()
    old = op.keys["k1"]
    op.rotate("k2")
    op.clock.advance(timedelta(minutes=59))
    op.keys = {"k1": old} | op.keys
    op.http.on("GET", op.jwks_url, json_response({"keys": [jwk(rsa_key("k2"), "k2")]}))
    assert await op.login(), "inside the hour"
    op.clock.advance(timedelta(minutes=1))
    assert await failing(op.login()) == TokenKeyUnknown.code


@pytest.mark.parametrize("broken", [DOWN, HttpResponse(status=500), json_response({"keys": []})], ids=["down", "500", "empty"])
async def test_keys_that_cannot_be_refreshed_serve_for_a_day(broken: HttpResponse | GatewayError) -> None:
    op = Op()
    await op.login()
    op.http.on("GET", op.jwks_url, broken)
    op.clock.advance(timedelta(hours=23, minutes=59))
    assert await op.login()
    assert op.troubles()[0][1].startswith("keys: ")
    op.clock.advance(timedelta(minutes=1))
    assert await failing(op.login()) in {ProviderUnreachable.code, ProviderAnswer.code}
    op.heal()
    assert await op.login()


async def test_an_unknown_key_while_the_keys_cannot_be_had_says_that() -> None:
    op = Op()
    await op.login()
    op.rotate("k2")
    op.http.on("GET", op.jwks_url, DOWN)
    assert await failing(op.login()) == ProviderUnreachable.code
    assert op.troubles() == [("QGW-201", "keys: no answer")]
    op.keys = {"k1": rsa_key()}
    assert await op.login(), "those that we hold still serve"


async def test_a_failed_refresh_of_keys_is_not_tried_by_every_login() -> None:
    op = Op()
    await op.login()
    op.http.on("GET", op.jwks_url, DOWN)
    op.clock.advance(timedelta(hours=2))
    for _ in range(10):
        await op.login()
    assert op.fetches(op.jwks_url) == 2
    assert len(op.troubles()) == 1


async def test_userinfo_signed_with_a_new_key_goes_unnoticed() -> None:
    op = Op(rp=relying_party(userinfo=True))
    signed = good_token(key=rsa_key("k2"), header={"kid": "k2"}, aud=CLIENT_ID, email="alice@example.com")

    def rotate(_: HttpRequest) -> HttpResponse:
        op.rotate("k2")
        return HttpResponse(status=200, headers={"content-type": "application/jwt"}, body=str(signed).encode())

    op.http.on("GET", op.userinfo_url, rotate)
    assert (await op.login()).claims["email"] == "alice@example.com"


# ---- clock -------------------------------------------------------------------------------------------------------------


async def test_a_clock_that_goes_back_gives_no_permits() -> None:
    op = Op(header={"kid": "nobody"})
    for _ in range(5):
        await failing(op.login())
    op.clock.advance(timedelta(hours=-1))
    await failing(op.login())
    assert op.fetches(op.jwks_url) == 4
