"""A provider's half of OpenID Connect, made by hand: good keys, tokens and documents, and the means to spoil each.

It signs with `cryptography` alone, so that nothing here shares code with what it tests.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.model import Secret
from gateway.protocol import oidc
from gateway.strength import Strength
from tests.fakes import NOON, json_response

NOW = NOON
ISSUER = "https://op.example"
CLIENT_ID = "gateway"
NONCE = "the-nonce-of-this-login"
ACCESS_TOKEN = "the-access-token"
CODE = "the-code"
EXPECTED = oidc.Expected(
    nonce=NONCE, code=Secret(CODE), access_token=Secret(ACCESS_TOKEN), strength=Strength(), asked_at=NOW - timedelta(seconds=30)
)

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


def base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@cache
def rsa_key(name: str = "one", bits: int = 2048) -> rsa.RSAPrivateKey:  # noqa: ARG001 - names tell keys apart
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str = "one", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:  # noqa: ARG001
    return ec.generate_private_key(curve())


@cache
def ed_key(name: str = "one") -> ed25519.Ed25519PrivateKey:  # noqa: ARG001
    return ed25519.Ed25519PrivateKey.generate()


@cache
def ed448_key(name: str = "one") -> ed448.Ed448PrivateKey:  # noqa: ARG001
    return ed448.Ed448PrivateKey.generate()


def jwk(key: PrivateKey, kid: str | None = "k1", **extra: Any) -> dict[str, Any]:
    """The public key as a provider publishes it."""
    match key:
        case rsa.RSAPrivateKey():
            numbers = key.public_key().public_numbers()
            members = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        case ec.EllipticCurvePrivateKey():
            point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
            names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp256k1": "secp256k1"}
            members = {"kty": "EC", "crv": names[key.curve.name], "x": number(point.x, size), "y": number(point.y, size)}
        case _:
            curve = "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "Ed448"
            members = {"kty": "OKP", "crv": curve, "x": base64url(key.public_key().public_bytes_raw())}
    return members | ({} if kid is None else {"kid": kid}) | extra


def jwks(*keys: object) -> oidc.PublicKeys:
    """A key set as read from the provider."""
    return oidc.read_jwks(json_response({"keys": list(keys)}))


def signature(algorithm: str, key: PrivateKey, message: bytes) -> bytes:
    match key:
        case rsa.RSAPrivateKey() if algorithm == "PS256":
            return key.sign(message, padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size), SHA256())
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), SHA256())
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
            size = (key.key_size + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        case _:
            return key.sign(message)


def signing_input(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes) -> str:
    head, body = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    return f"{base64url(head)}.{base64url(body)}"


def half_hash(value: str, digest: str = "sha256") -> str:
    hashed = hashlib.new(digest, value.encode()).digest()
    return base64url(hashed[: len(hashed) // 2])


def good_claims(**changes: Any) -> dict[str, Any]:
    """What a provider says at `NOW`; a change to `...` takes the claim out."""
    issued = int(NOW.timestamp()) - 1
    claims = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": CLIENT_ID,
        "exp": issued + 300,
        "iat": issued,
        "nonce": NONCE,
        "at_hash": half_hash(ACCESS_TOKEN),
        "name": "Alice",
    } | changes
    return {name: value for name, value in claims.items() if value is not ...}


@dataclass
class Token:
    """A good ID token; each test changes what it is about."""

    header: Mapping[str, Any] | bytes
    payload: Mapping[str, Any] | bytes
    key: PrivateKey
    algorithm: str = "RS256"

    def __str__(self) -> str:
        message = signing_input(self.header, self.payload)
        return f"{message}.{base64url(signature(self.algorithm, self.key, message.encode()))}"


def good_token(algorithm: str = "RS256", key: PrivateKey | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> Token:
    """Signed with key `k1`. `header` adds to the header or, with `...`, takes from it; `changes` are those of the claims."""
    members = {"alg": algorithm, "kid": "k1", "typ": "JWT"} | dict(header or {})
    members = {name: value for name, value in members.items() if value is not ...}
    return Token(members, good_claims(**changes), key or rsa_key(), algorithm)


def relying_party(**changes: Any) -> oidc.RelyingParty:
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "redirect_uri": "https://sso.example.com/idp/op/callback",
        "client_auth": oidc.ClientSecretBasic(secret=Secret("client-secret")),
        "clock_skew": timedelta(seconds=60),
    }
    return oidc.RelyingParty(**values | changes)


def metadata_document(issuer: str = ISSUER, **changes: Any) -> dict[str, Any]:
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "authorization_response_iss_parameter_supported": True,
    } | changes
    return {name: value for name, value in document.items() if value is not ...}


def metadata(rp: oidc.RelyingParty | None = None, **changes: Any) -> oidc.Metadata:
    return oidc.read_metadata(json_response(metadata_document(**changes)), rp or relying_party())


LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
POST_LOGOUT = "https://sso.example.com/idp/op/slo"


def good_logout_claims(**changes: Any) -> dict[str, Any]:
    """What a provider says at `NOW` when alice's session ends; a change to `...` takes the claim out."""
    issued = int(NOW.timestamp()) - 1
    claims = {
        "iss": ISSUER,
        "sub": "alice",
        "sid": "session-1",
        "aud": CLIENT_ID,
        "iat": issued,
        "exp": issued + 120,
        "jti": "logout-1",
        "events": {LOGOUT_EVENT: {}},
    } | changes
    return {name: value for name, value in claims.items() if value is not ...}


def good_logout_token(
    algorithm: str = "RS256", key: PrivateKey | None = None, header: Mapping[str, Any] | None = None, **changes: Any
) -> Token:
    """Signed with key `k1`; the arguments are those of `good_token`."""
    members = {"alg": algorithm, "kid": "k1", "typ": "logout+jwt"} | dict(header or {})
    members = {name: value for name, value in members.items() if value is not ...}
    return Token(members, good_logout_claims(**changes), key or rsa_key(), algorithm)
