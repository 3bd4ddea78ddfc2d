from __future__ import annotations

import warnings
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import ProviderAnswer
from gateway.model import HttpResponse
from gateway.protocol import oidc
from gateway.protocol.oidc.schemes import SCHEMES
from tests.fakes import json_response
from tests.protocol.oidc.forge import base64url, ec_key, ed_key, jwk, jwks, number, rsa_key

GOOD = jwk(rsa_key(), "good")


def kids(*keys: object) -> set[str]:
    return set(jwks(*keys).kids)


def test_a_key_set_is_fetched_as_json() -> None:
    request = oidc.jwks_request("https://op.example/jwks")
    assert (request.method, request.url, request.headers["Accept"]) == ("GET", "https://op.example/jwks", "application/json")
    assert request.limit == 256_000


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"kty": "oct", "k": base64url(b"x" * 32)}, id="a symmetric key"),
        pytest.param({"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}, id="an unknown curve"),
        pytest.param(jwk(ec_key("p384", ec.SECP384R1)), id="a curve that is not used here"),
        pytest.param(jwk(ec_key("k1", ec.SECP256K1)), id="the Bitcoin curve"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": base64url(bytes(32))}, id="a key agreement curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, id="a point that is too short"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": base64url(bytes(32)), "y": base64url(bytes(32))}, id="a point off the curve"),
        pytest.param({"kty": "RSA", "e": "AQAB"}, id="no modulus"),
        pytest.param({"kty": "RSA", "n": 5, "e": "AQAB"}, id="a modulus that is a number"),
        pytest.param({"kty": "RSA", "n": "A" * 1_000_000, "e": "AQAB"}, id="a modulus of a megabyte"),
        pytest.param({"kty": "RSA", "n": "é" * 400, "e": "AQAB"}, id="a modulus not in base64url"),
        pytest.param({"kty": "RSA", "n": GOOD["n"]}, id="no exponent"),
        pytest.param({"kty": "RSA", "n": GOOD["n"], "e": "AQ"}, id="exponent one"),
        pytest.param({"kty": "RSA", "n": GOOD["n"], "e": number(2**64 + 13)}, id="an exponent that makes it slow"),
        pytest.param({"kty": "RSA", "n": number(2**8192 + 1), "e": "AQAB"}, id="8193 bits"),
        pytest.param({"kty": "RSA", "n": number(2**2046 + 1), "e": "AQAB"}, id="2047 bits"),
        pytest.param({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, id="a post-quantum key"),
        pytest.param({"kty": ["RSA"]}, id="kty a list"),
        pytest.param({"n": "AA", "e": "AQAB"}, id="no kty"),
        pytest.param(jwk(rsa_key(), use="enc"), id="use enc"),
        pytest.param(jwk(rsa_key(), use=["sig"]), id="use a list"),
        pytest.param(jwk(rsa_key(), key_ops=["wrapKey"]), id="key_ops without verify"),
        pytest.param(jwk(rsa_key(), key_ops="verify"), id="key_ops a string"),
        pytest.param(jwk(rsa_key(), alg="RS512"), id="another algorithm"),
        pytest.param(jwk(rsa_key(), alg=7), id="alg a number"),
        pytest.param(jwk(rsa_key(), alg="ES256"), id="an algorithm of another kind of key"),
        pytest.param(jwk(rsa_key()) | {"kid": ["odd"]}, id="kid a list"),
        pytest.param(jwk(rsa_key(), "k" * 513), id="kid too long"),
        pytest.param("text", id="no object"),
        pytest.param(None, id="null"),
    ],
)
def test_an_odd_key_is_left_out_and_costs_no_other(odd: Any) -> None:
    """One key that joserfc cannot import would fail its whole set."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if isinstance(odd, dict):
            odd.setdefault("kid", "odd")
        assert kids(odd, GOOD) == {"good"}
    assert caught == []


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"use": "sig", "key_ops": ["encrypt", "verify"]}, id="use and key_ops that contradict"),
        pytest.param({"x5c": "no chain", "x5t": 7, "x5u": []}, id="broken certificate members"),
        pytest.param({"d": "AQAB", "p": "x"}, id="private members"),
        pytest.param({"oth": [{}]}, id="a member that joserfc refuses"),
        pytest.param({"issuer": "https://x", "exp": 1}, id="members of the provider's own"),
    ],
)
def test_a_good_key_with_odd_members_is_used(extra: dict[str, Any]) -> None:
    keys = jwks(jwk(rsa_key(), "odd", **extra))
    (key,) = keys.candidates(SCHEMES["RS256"], "odd")
    assert not key.is_private


def test_a_key_without_algorithm_serves_every_scheme_of_its_kind() -> None:
    keys = jwks(jwk(rsa_key(), "r"), jwk(ec_key(), "e"), jwk(ed_key(), "o"))
    found = {(name, kid) for name, scheme in SCHEMES.items() for kid in "reo" if keys.candidates(scheme, kid)}
    assert found == {("RS256", "r"), ("PS256", "r"), ("ES256", "e"), ("Ed25519", "o")}


def test_a_key_with_an_algorithm_serves_that_alone() -> None:
    keys = jwks(jwk(rsa_key(), "r", alg="PS256"))
    assert not keys.candidates(SCHEMES["RS256"], "r")
    assert keys.candidates(SCHEMES["PS256"], "r")


def test_keys_beyond_the_hundredth_are_not_read() -> None:
    assert kids(*[{"kty": "oct"}] * 99, GOOD, jwk(rsa_key(), "late")) == {"good"}


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(json_response({"keys": []}), id="no keys"),
        pytest.param(json_response({"keys": [{"kty": "oct", "k": "AA"}]}), id="only a symmetric key"),
        pytest.param(json_response({"keys": {"k1": GOOD}}), id="keys in an object"),
        pytest.param(json_response({}), id="no member keys"),
        pytest.param(json_response([GOOD]), id="a list"),
        pytest.param(json_response({"keys": [GOOD]}, status=500), id="status 500"),
        pytest.param(json_response({"keys": [GOOD]}, status=302), id="a redirect"),
        pytest.param(HttpResponse(status=200, body=b"<html>"), id="a page"),
        pytest.param(HttpResponse(status=200, body=b'{"keys": [], "keys": []}'), id="keys twice"),
    ],
)
def test_an_answer_without_a_usable_key_is_refused(response: HttpResponse) -> None:
    with pytest.raises(ProviderAnswer):
        oidc.read_jwks(response)


def test_keys_do_not_show_in_a_log() -> None:
    assert GOOD["n"][:20] not in repr(jwks(GOOD))
