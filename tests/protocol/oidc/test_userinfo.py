from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import GatewayError, TokenAlgorithm, TokenKeyUnknown, TokenMalformed, TokenSignature, TokenType, UserinfoRefused
from gateway.model import HttpResponse, Secret, VerifiedIdentity
from gateway.protocol import oidc
from tests.fakes import json_response
from tests.protocol.oidc.forge import (
    CLIENT_ID,
    EXPECTED,
    ISSUER,
    NOW,
    ec_key,
    good_claims,
    good_token,
    jwk,
    jwks,
    relying_party,
    rsa_key,
)

KEYS = jwks(jwk(rsa_key()))
RP = relying_party(userinfo=True)
IDENTITY = oidc.verify_id_token(Secret(str(good_token())), EXPECTED, rp=RP, keys=KEYS, now=NOW)


def verify(response: HttpResponse) -> VerifiedIdentity:
    return oidc.verify_userinfo(response, IDENTITY, rp=RP, keys=KEYS, now=NOW)


def signed(token: object, content_type: str = "application/jwt") -> HttpResponse:
    return HttpResponse(status=200, headers={"content-type": content_type}, body=str(token).encode("utf-8", "surrogatepass"))


def test_the_request_carries_the_access_token_in_its_header() -> None:
    """RFC 6750 §2.1."""
    request = oidc.userinfo_request("https://op.example/userinfo", Secret("at"))
    assert (request.method, request.url) == ("GET", "https://op.example/userinfo")
    assert request.headers == {"Authorization": "Bearer at", "Accept": "application/json, application/jwt"}
    assert "Bearer at" not in repr(request)


def test_it_adds_claims() -> None:
    identity = verify(json_response({"sub": "alice", "email": "alice@example.com"}))
    assert identity.claims == good_claims(email="alice@example.com")
    assert (identity.session, identity.proof_id) == (IDENTITY.session, IDENTITY.proof_id)


def test_it_replaces_none() -> None:
    """A provider's two answers may differ; what it signed for this login stands."""
    identity = verify(json_response({"sub": "alice", "name": "Mallory", "iss": "https://evil.example", "sid": "s-9"}))
    assert identity.claims == good_claims(sid="s-9")
    assert identity.session.session_id is None


def test_a_signed_answer_is_verified_and_adds_claims() -> None:
    """OIDC Core §5.3.2."""
    token = good_token(email="alice@example.com", exp=..., iat=..., nonce=..., aud=[CLIENT_ID, "other"])
    assert verify(signed(token)).claims["email"] == "alice@example.com"
    assert verify(signed(token, "application/JWT; charset=utf-8")).claims["name"] == "Alice"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        pytest.param(json_response({"sub": "mallory"}), UserinfoRefused, id="another sub"),
        pytest.param(json_response({"sub": "Alice"}), UserinfoRefused, id="sub in other case"),
        pytest.param(json_response({"sub": ["alice"]}), UserinfoRefused, id="sub a list"),
        pytest.param(json_response({"email": "x"}), UserinfoRefused, id="no sub"),
        pytest.param(json_response({"sub": "alice"}, 401), UserinfoRefused, id="status 401"),
        pytest.param(json_response({"sub": "alice"}, 302), UserinfoRefused, id="a redirect"),
        pytest.param(json_response(["alice"]), UserinfoRefused, id="a list"),
        pytest.param(HttpResponse(status=200, body=b'{"sub": "mallory", "sub": "alice"}'), UserinfoRefused, id="sub twice"),
        pytest.param(HttpResponse(status=200, body=b"<html>"), UserinfoRefused, id="a page"),
        pytest.param(signed(good_token(), "text/plain"), UserinfoRefused, id="a token that is not announced"),
        pytest.param(signed(good_token(iss="https://evil.example")), UserinfoRefused, id="signed: another issuer"),
        pytest.param(signed(good_token(iss=...)), UserinfoRefused, id="signed: no issuer"),
        pytest.param(signed(good_token(aud="other")), UserinfoRefused, id="signed: for another client"),
        pytest.param(signed(good_token(aud=...)), UserinfoRefused, id="signed: for nobody"),
        pytest.param(signed(good_token(exp=1)), UserinfoRefused, id="signed: expired"),
        pytest.param(signed(good_token(exp="never")), UserinfoRefused, id="signed: exp a string"),
        pytest.param(signed(good_token(exp=None)), UserinfoRefused, id="signed: exp null"),
        pytest.param(signed(good_token(sub="mallory")), UserinfoRefused, id="signed: another sub"),
        pytest.param(signed(good_token(key=rsa_key("attacker"))), TokenSignature, id="signed: by another"),
        pytest.param(signed(good_token(header={"kid": "k9"})), TokenKeyUnknown, id="signed: with an unknown key"),
        pytest.param(signed(good_token("ES256", ec_key())), TokenAlgorithm, id="signed: with an algorithm that is not pinned"),
        pytest.param(signed(good_token(header={"alg": "none"})), TokenAlgorithm, id="signed: not at all"),
        pytest.param(signed(good_token(header={"typ": "at+jwt"})), TokenType, id="signed: an access token"),
        pytest.param(signed("a.b.c.d.e"), TokenMalformed, id="encrypted"),
        pytest.param(signed("é\ud800"), TokenMalformed, id="signed: not ASCII"),
        pytest.param(signed(""), TokenMalformed, id="signed: nothing"),
    ],
)
def test_a_changed_answer_is_refused(response: HttpResponse, error: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught:
        verify(response)
    assert caught.value.code == error.code


def test_the_provider_does_not_choose_the_audience_to_be_an_object() -> None:
    aud: Any = {CLIENT_ID: 1}
    with pytest.raises(UserinfoRefused):
        verify(signed(good_token(aud=aud, iss=ISSUER)))
