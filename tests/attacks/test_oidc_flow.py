"""Attacks on the flow: two providers, two browsers, two logins mixed with one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from gateway.errors import (
    GatewayError,
    MalformedResponse,
    MixUp,
    NoLoginInFlight,
    ProviderAnswer,
    SignInDenied,
    TokenIssuer,
    TokenNonce,
    TokenRequestRefused,
    TokenResponseRefused,
)
from gateway.model import HttpResponse, IdpResponse, Memo, TransactionId
from gateway.strength import Strength
from tests.fakes import json_response
from tests.protocol.oidc.forge import ISSUER, relying_party
from tests.protocol.oidc.op import TRANSACTION, Op

OTHER = TransactionId("o" * 22)


async def refused(op: Op, answer: IdpResponse, memo: Memo, error: type[GatewayError], transaction: TransactionId = TRANSACTION) -> None:
    with pytest.raises(GatewayError) as caught:
        await op.provider.finish(answer, transaction, memo, Strength())
    assert caught.value.code == error.code, caught.value.detail


def changed(answer: IdpResponse, **fields: str | None) -> IdpResponse:
    return replace(answer, fields={k: v for k, v in {**answer.fields, **fields}.items() if v is not None})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"iss": "https://evil.example"}, MixUp, id="the answer names another provider"),
        pytest.param({"iss": None}, MixUp, id="the answer names none though the provider announces it"),
        pytest.param({"state": OTHER}, NoLoginInFlight, id="the answer is to another browser's login"),
        pytest.param({"state": None}, MalformedResponse, id="the answer is to no login"),
        pytest.param({"code": None}, MalformedResponse, id="no code"),
        pytest.param({"error": "access_denied"}, SignInDenied, id="denied"),
        pytest.param({"error": "access_denied", "iss": "https://evil.example"}, MixUp, id="denied by another provider"),
    ],
)
async def test_a_changed_answer_ends_before_the_code_is_used(fields: dict[str, str | None], error: type[GatewayError]) -> None:
    """RFC 9700 §4.4: a code must not reach a provider that did not issue it."""
    op = Op()
    answer, memo = await op.begin()
    await refused(op, changed(answer, **fields), memo, error)
    assert op.fetches(op.token_url) == 0


async def test_a_code_of_another_login_is_stopped_by_its_verifier() -> None:
    """RFC 7636: a code injected into one's own login."""
    op = Op()
    stolen, _ = await op.begin(OTHER)
    answer, memo = await op.begin()
    await refused(op, changed(answer, code=stolen.fields["code"]), memo, TokenRequestRefused)


async def test_a_token_of_another_login_is_stopped_by_its_nonce() -> None:
    """A provider without PKCE that lets any code pass."""
    op = Op(claims={"nonce": "of-another-login"})
    answer, memo = await op.begin()
    await refused(op, answer, memo, TokenNonce)


async def test_a_code_is_not_sent_twice_by_us_and_its_second_use_is_refused() -> None:
    op = Op()
    answer, memo = await op.begin()
    await op.provider.finish(answer, TRANSACTION, memo, Strength())
    await refused(op, answer, memo, TokenRequestRefused)


async def test_a_memo_of_another_login_does_not_fit() -> None:
    op = Op()
    answer, _ = await op.begin()
    _, memo = await op.begin(OTHER)
    await refused(op, answer, memo, TokenRequestRefused)


async def test_a_provider_that_poses_as_another_proves_nothing() -> None:
    """Mix-up from the other side: the honest provider's ID token, brought by an attacker's token endpoint."""
    evil = "https://evil.example"
    op = Op(issuer=evil, rp=relying_party(issuer=evil), claims={"iss": ISSUER})
    answer, memo = await op.begin()
    await refused(op, answer, memo, TokenIssuer)


async def test_our_secret_goes_to_the_token_endpoint_alone() -> None:
    op = Op(rp=relying_party(userinfo=True))
    await op.login()
    assert [r.url for r in op.http.requests if "Basic" in r.headers.get("Authorization", "")] == [op.token_url]
    assert all(b"client-secret" not in (r.body or b"") for r in op.http.requests)


async def test_neither_nonce_nor_verifier_nor_code_leaves_more_than_once() -> None:
    """The verifier goes to the token endpoint only; the nonce to the browser only."""
    op = Op()
    request, memo = await op.provider.begin(TRANSACTION, Strength())
    answer = op.authorize(request.url)  # type: ignore[union-attr]
    await op.provider.finish(answer, TRANSACTION, memo, Strength())
    (sent,) = op.http.sent(op.token_url)
    verifier = parse_qs((sent.body or b"").decode())["code_verifier"][0]
    assert verifier not in request.url  # type: ignore[union-attr]
    assert len(verifier) == 43
    for other in op.http.requests:
        assert other is sent or verifier not in repr((other.url, other.headers, other.body))


@pytest.mark.parametrize(
    ("response", "error"),
    [
        pytest.param(HttpResponse(status=302, headers={"location": "https://evil.example"}), ProviderAnswer, id="a redirect"),
        pytest.param(HttpResponse(status=500, body=b"<html>"), ProviderAnswer, id="a broken page"),
        pytest.param(json_response({"access_token": "x", "token_type": "Bearer"}), TokenResponseRefused, id="no ID token"),
        pytest.param(json_response({"access_token": "x", "token_type": "mac", "id_token": "x"}), TokenResponseRefused, id="token type mac"),
    ],
)
async def test_a_strange_token_response_ends_the_login(response: HttpResponse, error: type[GatewayError]) -> None:
    op = Op()
    answer, memo = await op.begin()
    op.http.on("POST", op.token_url, response)
    await refused(op, answer, memo, error)
    assert op.fetches(op.token_url) == 1, "never sent again"


@pytest.mark.parametrize("name", ["nonce", "state", "redirect_uri", "Code_Challenge", "client_id", "scope", "request_uri", "response_type"])
def test_configured_extra_parameters_cannot_take_the_place_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        relying_party(authorization_params={name: "x"})


async def test_a_key_set_with_an_attackers_url_in_a_token_is_never_fetched() -> None:
    op = Op(header={"jku": "https://evil.example/jwks", "x5u": "https://evil.example/cert"})
    await op.login()
    assert {r.url for r in op.http.requests} == {op.discovery_url, op.jwks_url, op.token_url}


async def test_nothing_secret_shows_in_what_the_journal_gets() -> None:
    op = Op(header={"kid": "nobody"})
    answer, memo = await op.begin()
    with pytest.raises(GatewayError) as caught:
        await op.provider.finish(answer, TRANSACTION, memo, Strength())
    shown: Any = repr(op.journal.events) + caught.value.detail + repr(caught.value)
    for secret in (answer.fields["code"], memo, "client-secret", "the-access-token"):
        assert secret not in shown
