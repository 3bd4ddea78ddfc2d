"""What is agreed with one OpenID provider: who it is, who we are there, and how we prove it.

Values only; how they got here (files, environment, YAML) is not known here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.model import Binding, Secret
from gateway.protocol.oidc.addresses import is_https, is_loopback_http
from gateway.protocol.oidc.schemes import SUPPORTED_ALGORITHMS

_SECONDS: Final = re.compile("[0-9]{1,9}")
RESERVED_AUTHORIZATION_PARAMS: Final = frozenset(
    {
        "response_type",
        "response_mode",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
    }
)
"""Names that `authorization_params` may not hold, in any case of letters: ours, and those that could replace ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretBasic:
    """The secret in the `Authorization` header (RFC 6749 §2.3.1)."""

    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretPost:
    """The secret in the request's body (RFC 6749 §2.3.1)."""

    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKeyJwt:
    """A signed assertion of one minute (OIDC Core §9, RFC 7523).

    `algorithm` stands in its header. `certificate`, where the key came with one, is the SHA-256 thumbprint of the
    certificate in base64url: Entra finds the key by it. `thumbprint` (RFC 7638) is the key itself where two are compared.
    """

    key: RSAKey | ECKey | OKPKey = field(repr=False, compare=False)
    algorithm: str
    kid: str
    certificate: str | None = None
    thumbprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "thumbprint", self.key.thumbprint())


@dataclass(frozen=True, slots=True, kw_only=True)
class NoClientAuth:
    """A public client: PKCE alone binds the code to us (OIDC Core §9, `none`)."""


ClientAuth: TypeAlias = ClientSecretBasic | ClientSecretPost | PrivateKeyJwt | NoClientAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """One registration at one provider. `clock_skew` is how far the provider's clock may be from ours.

    `post_logout_redirect_uri`: where the provider sends the browser after it ended its session; None: it keeps it.
    `allow_logout_token_without_exp` weakens: such a token is taken for two minutes from its `iat`.
    Raises `ValueError` with a sentence on values that could not be used safely.
    """

    issuer: str
    client_id: str
    redirect_uri: str
    client_auth: ClientAuth
    scopes: tuple[str, ...] = ("openid",)
    response_mode: Binding = Binding.QUERY
    id_token_algorithms: tuple[str, ...] = ("RS256",)
    userinfo: bool = False
    authorization_params: Mapping[str, str] = field(default_factory=dict)
    clock_skew: timedelta = timedelta(seconds=60)
    post_logout_redirect_uri: str | None = None
    allow_logout_token_without_exp: bool = False

    def __post_init__(self) -> None:
        if not (is_https(self.issuer) or is_loopback_http(self.issuer)) or "?" in self.issuer:
            raise ValueError("issuer must be an https URL without query (http only on loopback).")
        if "openid" not in self.scopes:
            raise ValueError("scopes must contain openid: without it there is no ID token.")
        if self.response_mode not in (Binding.QUERY, Binding.FORM_POST):
            raise ValueError("response_mode must be query or form_post.")
        if not self.id_token_algorithms or not SUPPORTED_ALGORITHMS.issuperset(self.id_token_algorithms):
            raise ValueError(f"id_token_algorithms must be some of {', '.join(sorted(SUPPORTED_ALGORITHMS))}.")
        if reserved := sorted(name for name in self.authorization_params if name.lower() in RESERVED_AUTHORIZATION_PARAMS):
            raise ValueError(f"authorization_params must not contain {', '.join(reserved)}: the gateway sets it.")
        if not _SECONDS.fullmatch(self.authorization_params.get("max_age", "0")):
            raise ValueError("authorization_params: max_age must be a whole number of seconds.")

    @property
    def max_age(self) -> int | None:
        """Seconds since the user's last sign-in that were asked for; None: not asked."""
        asked = self.authorization_params.get("max_age")
        return None if asked is None else int(asked)


def registration(rp: RelyingParty) -> str:
    """A short digest of issuer and client id: it changes when the provider becomes another one."""
    return hashlib.sha256(json.dumps([rp.issuer, rp.client_id]).encode()).hexdigest()[:32]
