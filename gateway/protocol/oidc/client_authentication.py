"""How we prove to a token endpoint who we are (OIDC Core §9, RFC 6749 §2.3, RFC 7523)."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus

from joserfc import jws

from gateway.model import Secret
from gateway.protocol.oidc.jwk import curve_of
from gateway.protocol.oidc.registration import ClientSecretBasic, ClientSecretPost, PrivateKeyJwt, RelyingParty
from gateway.protocol.oidc.schemes import ALGORITHMS, Scheme

JTI_SIZE: Final = 16
"""Bytes of entropy per client assertion."""

_LIFETIME: Final = 60  # seconds: long enough for one request and a clock that is a little ahead
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one token request carries to prove who sends it. Used once."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


def credentials(rp: RelyingParty, *, now: datetime, jti: bytes) -> Credentials:
    """Proof for one request. `jti` is fresh entropy: a strict provider takes an assertion once."""
    key = rp.client_auth
    if not isinstance(key, PrivateKeyJwt):
        return constant_credentials(rp)
    assertion = client_assertion(rp, key, now=now, jti=jti)
    return Credentials(fields={"client_id": rp.client_id, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion})


def constant_credentials(rp: RelyingParty) -> Credentials:
    """Proof that is the same for every request of a registration; of one that signs assertions, no proof at all."""
    match rp.client_auth:
        case ClientSecretBasic(secret=secret):
            return Credentials(headers={"Authorization": basic(rp.client_id, secret)})
        case ClientSecretPost(secret=secret):
            return Credentials(fields={"client_id": rp.client_id, "client_secret": secret.reveal()})
        case _:
            return Credentials(fields={"client_id": rp.client_id})


def basic(client_id: str, secret: Secret) -> str:
    """RFC 6749 §2.3.1: both halves are form-encoded before they are joined, so that a colon or a euro sign survives."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")


def client_assertion(rp: RelyingParty, key: PrivateKeyJwt, *, now: datetime, jti: bytes) -> str:
    """A JWT that says who we are (OIDC Core §9, RFC 7523 §3).

    Its audience is the issuer alone, as one string: a provider could give another provider's token endpoint as its own,
    and would then hold an assertion that is good there.
    """
    header = {"alg": key.algorithm, "typ": "JWT", "kid": key.kid}
    if key.certificate is not None:
        header["x5t#S256"] = key.certificate
    issued = int(now.timestamp())
    claims = {
        "iss": rp.client_id,
        "sub": rp.client_id,
        "aud": rp.issuer,
        "jti": urlsafe_b64encode(jti).rstrip(b"=").decode("ascii"),
        "iat": issued,
        "exp": issued + _LIFETIME,
    }
    return jws.serialize_compact(header, json.dumps(claims), key.key, registry=_scheme(key).registry)


def _scheme(key: PrivateKeyJwt) -> Scheme:
    return next(scheme for scheme in ALGORITHMS[key.algorithm] if scheme.fits(key.key.key_type, curve_of(key.key)))
