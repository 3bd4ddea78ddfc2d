from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.errors import GatewayError, ProviderAnswer, TokenRequestRefused, TokenResponseRefused
from gateway.model import HttpRequest, HttpResponse, Secret
from gateway.protocol import oidc
from gateway.protocol.oidc.signed import verify_signed
from tests.fakes import CountingEntropy, json_response
from tests.protocol.oidc.forge import (
    CLIENT_ID,
    CODE,
    ISSUER,
    NOW,
    ec_key,
    ed448_key,
    ed_key,
    jwk,
    jwks,
    metadata,
    relying_party,
    rsa_key,
)


def request_of(auth: oidc.ClientAuth, *, jti: bytes = b"j" * 16, code: str = CODE, client_id: str = CLIENT_ID) -> HttpRequest:
    rp = relying_party(client_auth=auth, client_id=client_id)
    credentials = oidc.credentials(rp, now=NOW, jti=jti)
    return oidc.token_request(rp, metadata(), code=Secret(code), code_verifier="v" * 43, credentials=credentials)


def form(request: HttpRequest) -> dict[str, str]:
    pairs = parse_qs((request.body or b"").decode("ascii"), strict_parsing=True, keep_blank_values=True)
    assert all(len(values) == 1 for values in pairs.values())
    return {name: value for name, (value,) in pairs.items()}


GRANT = {
    "grant_type": "authorization_code",
    "code": CODE,
    "redirect_uri": "https://sso.example.com/idp/op/callback",
    "code_verifier": "v" * 43,
}


def test_the_request_is_a_bounded_form_post() -> None:
    """OIDC Core §3.1.3.1."""
    request = request_of(oidc.NoClientAuth())
    assert (request.method, request.url, request.limit) == ("POST", f"{ISSUER}/token", 128_000)
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


def test_a_public_client_gives_its_id_alone() -> None:
    assert form(request_of(oidc.NoClientAuth())) == GRANT | {"client_id": CLIENT_ID}


def test_the_secret_can_stand_in_the_body() -> None:
    request = request_of(oidc.ClientSecretPost(secret=Secret("s&=+ ü")))
    assert form(request) == GRANT | {"client_id": CLIENT_ID, "client_secret": "s&=+ ü"}
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("secret", ["plain", "a:b", "100%", "two words", "€uro", "+&=", "~._-*"])
def test_the_secret_in_the_header_survives_whatever_it_holds(secret: str) -> None:
    """RFC 6749 §2.3.1 and appendix B: form-encoded, then joined by a colon, then base64."""
    request = request_of(oidc.ClientSecretBasic(secret=Secret(secret)), client_id="https://gw:1/ä")
    kind, _, pair = request.headers["Authorization"].partition(" ")
    name, _, value = b64decode(pair, validate=True).decode("ascii").partition(":")
    assert (kind, unquote_plus(name), unquote_plus(value)) == ("Basic", "https://gw:1/ä", secret)
    assert form(request) == GRANT


def test_a_plain_secret_in_the_header_is_what_every_client_sends() -> None:
    request = request_of(oidc.ClientSecretBasic(secret=Secret("s3cret")), client_id="gateway")
    assert request.headers["Authorization"] == "Basic Z2F0ZXdheTpzM2NyZXQ="


def test_a_code_may_hold_any_visible_character() -> None:
    assert form(request_of(oidc.NoClientAuth(), code="a&b=c+d %20/~"))["code"] == "a&b=c+d %20/~"


# ---- private_key_jwt ---------------------------------------------------------------------------------------------------


def key_of(raw: Any) -> oidc.PrivateKeyJwt:
    return oidc.read_client_key(raw.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def assertion(request: HttpRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    head, body, _ = form(request)["client_assertion"].split(".")
    header, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in (head, body))
    return header, claims


def test_an_assertion_says_who_for_whom_and_for_one_minute() -> None:
    """OIDC Core §9, RFC 7523 §3; the audience is the issuer as one string."""
    key = key_of(ec_key())
    request = request_of(key, jti=bytes(16))
    header, claims = assertion(request)
    assert header == {"alg": "ES256", "typ": "JWT", "kid": key.kid}
    issued = int(NOW.timestamp())
    expected = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "jti": "A" * 22, "iat": issued, "exp": issued + 60}
    assert claims == expected
    assert form(request)["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form(request)["client_id"] == CLIENT_ID
    assert "client_secret" not in form(request)


def test_every_assertion_is_another() -> None:
    """RFC 7523 §3 rule 7: a strict provider takes each `jti` once."""
    key, entropy = key_of(ec_key()), CountingEntropy()
    seen = {assertion(request_of(key, jti=entropy.token(oidc.JTI_SIZE)))[1]["jti"] for _ in range(100)}
    assert len(seen) == 100


@pytest.mark.parametrize(
    ("raw", "algorithm"),
    [(rsa_key(), "RS256"), (rsa_key(), "PS256"), (ec_key(), "ES256"), (ed_key(), "EdDSA"), (ed_key(), "Ed25519"), (ed448_key(), "EdDSA")],
    ids=["RS256", "PS256", "ES256", "EdDSA", "Ed25519", "Ed448"],
)
def test_an_assertion_verifies_with_the_published_key(raw: Any, algorithm: str) -> None:
    plain = key_of(raw)
    key = oidc.PrivateKeyJwt(key=plain.key, algorithm=algorithm, kid=plain.kid)
    (published,) = oidc.public_jwks(key)["keys"]  # type: ignore[misc, str-unpack]
    assert published == jwk(raw, key.kid, alg=algorithm, use="sig")
    token = Secret(form(request_of(key))["client_assertion"])
    assert verify_signed(token, keys=jwks(published), algorithms=(algorithm,)).claims["sub"] == CLIENT_ID


def test_the_thumbprint_of_the_certificate_stands_in_the_header() -> None:
    """RFC 7515 §4.1.8; Entra finds the key by it."""
    plain = key_of(rsa_key())
    key = oidc.PrivateKeyJwt(key=plain.key, algorithm="RS256", kid=plain.kid, certificate="thumb")
    assert assertion(request_of(key))[0]["x5t#S256"] == "thumb"


def test_no_credential_shows() -> None:
    for auth in (oidc.ClientSecretBasic(secret=Secret("s3cret")), oidc.ClientSecretPost(secret=Secret("s3cret")), key_of(ec_key())):
        rp = relying_party(client_auth=auth)
        assert repr(oidc.credentials(rp, now=NOW + timedelta(), jti=b"j" * 16)) == "Credentials()"
        shown = repr(request_of(auth))
        assert "s3cret" not in shown
        assert "Basic" not in shown
        assert CODE not in shown


# ---- the answer --------------------------------------------------------------------------------------------------------

GOOD = {"access_token": "at", "token_type": "Bearer", "id_token": "a.b.c", "expires_in": 3600}


def test_a_good_answer_gives_both_tokens() -> None:
    tokens = oidc.read_token_response(json_response(GOOD))
    assert (tokens.id_token.reveal(), tokens.access_token.reveal()) == ("a.b.c", "at")
    assert "a.b.c" not in repr(tokens)


@pytest.mark.parametrize("kind", ["bearer", "BEARER"])
def test_the_token_type_is_compared_without_case(kind: str) -> None:
    """RFC 6749 §5.1."""
    assert oidc.read_token_response(json_response(GOOD | {"token_type": kind}))


@pytest.mark.parametrize(
    ("response", "error"),
    [
        pytest.param(json_response({"error": "invalid_grant"}, 400), TokenRequestRefused, id="an error"),
        pytest.param(json_response({"error": "invalid_client"}, 401), TokenRequestRefused, id="a wrong secret"),
        pytest.param(json_response(GOOD | {"error": "x"}), TokenRequestRefused, id="an error beside tokens"),
        pytest.param(json_response({"error": {"code": 5}}, 400), TokenRequestRefused, id="an error that is an object"),
        pytest.param(json_response({"error": "server_error"}, 500), TokenRequestRefused, id="an error of the server"),
        pytest.param(json_response({"message": "no"}, 500), ProviderAnswer, id="status 500"),
        pytest.param(json_response(GOOD, 201), ProviderAnswer, id="status 201"),
        pytest.param(json_response(GOOD, 302), ProviderAnswer, id="a redirect"),
        pytest.param(HttpResponse(status=502, body=b"<html>"), ProviderAnswer, id="a page of a proxy"),
        pytest.param(HttpResponse(status=200, body=b""), ProviderAnswer, id="nothing"),
        pytest.param(HttpResponse(status=200, body=b"access_token=x&token_type=bearer"), ProviderAnswer, id="a form"),
        pytest.param(HttpResponse(status=200, body=b"\xff"), ProviderAnswer, id="not UTF-8"),
        pytest.param(HttpResponse(status=200, body=b'{"id_token": "a", "id_token": "b"}'), ProviderAnswer, id="id_token twice"),
        pytest.param(json_response(GOOD | {"token_type": "mac"}), TokenResponseRefused, id="token_type mac"),
        pytest.param(json_response(GOOD | {"token_type": "DPoP"}), TokenResponseRefused, id="token_type DPoP"),
        pytest.param(json_response(GOOD | {"token_type": None}), TokenResponseRefused, id="token_type null"),
        pytest.param(json_response({k: v for k, v in GOOD.items() if k != "token_type"}), TokenResponseRefused, id="no token_type"),
        pytest.param(json_response({k: v for k, v in GOOD.items() if k != "id_token"}), TokenResponseRefused, id="no id_token"),
        pytest.param(json_response(GOOD | {"id_token": {}}), TokenResponseRefused, id="id_token an object"),
        pytest.param(json_response({k: v for k, v in GOOD.items() if k != "access_token"}), TokenResponseRefused, id="no access_token"),
        pytest.param(json_response(GOOD | {"access_token": ""}), TokenResponseRefused, id="access_token empty"),
        pytest.param(json_response(GOOD | {"access_token": 7}), TokenResponseRefused, id="access_token a number"),
        pytest.param(json_response(GOOD | {"access_token": "a\r\nX-Evil: 1"}), TokenResponseRefused, id="access_token with a line break"),
        pytest.param(json_response(GOOD | {"access_token": "a\n"}), TokenResponseRefused, id="access_token with a line break at the end"),
        pytest.param(json_response(GOOD | {"access_token": "é"}), TokenResponseRefused, id="access_token not ASCII"),
    ],
)
def test_a_changed_answer_is_refused(response: HttpResponse, error: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught:
        oidc.read_token_response(response)
    assert caught.value.code == error.code


@pytest.mark.parametrize(("error", "said"), [("invalid_client", "invalid_client"), ("secret=s3cret", "an error of the provider's own")])
def test_only_standard_error_names_are_repeated(error: str, said: str) -> None:
    with pytest.raises(TokenRequestRefused) as caught:
        oidc.read_token_response(json_response({"error": error, "error_description": "the code c0de is spent"}, 400))
    assert caught.value.detail == said
