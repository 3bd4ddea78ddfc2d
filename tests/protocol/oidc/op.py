"""A whole OpenID provider behind `ScriptedHttp`: it signs in whoever comes, and can be told to misbehave."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from gateway.events import KeysRefreshed, ProviderTrouble
from gateway.idp.oidc import OidcProvider
from gateway.model import Binding, HttpRequest, HttpResponse, IdpResponse, Memo, Redirect, TransactionId, VerifiedIdentity
from gateway.protocol import oidc
from gateway.strength import Strength
from tests.fakes import CountingEntropy, FixedClock, MemoryJournal, ScriptedHttp, json_response
from tests.protocol.oidc.forge import (
    ACCESS_TOKEN,
    ISSUER,
    PrivateKey,
    base64url,
    good_token,
    jwk,
    metadata_document,
    relying_party,
    rsa_key,
)

TRANSACTION = TransactionId("t" * 22)


@dataclass
class Op:
    """One provider and one gateway registered there. Its signing keys are `keys`; the first one signs."""

    issuer: str = ISSUER
    rp: oidc.RelyingParty = field(default_factory=relying_party)
    keys: dict[str, PrivateKey] = field(default_factory=lambda: {"k1": rsa_key()})
    document: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "alice", "email": "alice@example.com"})
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    strength: Strength = field(default_factory=Strength)

    def __post_init__(self) -> None:
        self.http, self.clock, self.journal, self.entropy = ScriptedHttp(), FixedClock(), MemoryJournal(), CountingEntropy()
        self.document = metadata_document(self.issuer) | self.document
        self.discovery_url = f"{self.issuer}/.well-known/openid-configuration"
        self.jwks_url, self.token_url, self.userinfo_url = (f"{self.issuer}/{path}" for path in ("jwks", "token", "userinfo"))
        self.heal()
        self.provider = OidcProvider(
            name="op",
            display_name="The provider",
            relying_party=self.rp,
            http=self.http,
            clock=self.clock,
            entropy=self.entropy,
            journal=self.journal,
        )

    def heal(self) -> None:
        """Answer as a good provider does."""
        self.http.on("GET", self.discovery_url, lambda _: json_response(self.document))
        self.http.on("GET", self.jwks_url, lambda _: json_response(self.key_set()))
        self.http.on("POST", self.token_url, self._token)
        self.http.on("GET", self.userinfo_url, lambda _: json_response(self.userinfo))

    def key_set(self) -> dict[str, Any]:
        return {"keys": [jwk(key, kid) for kid, key in self.keys.items()]}

    def rotate(self, kid: str) -> None:
        """Sign with a new key; the old ones are gone."""
        self.keys = {kid: rsa_key(kid)}

    def authorize(self, url: str) -> IdpResponse:
        """What the browser brings back."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{len(self.codes) + 1}"
        self.codes[code] = asked
        return IdpResponse(binding=Binding.QUERY, fields={"code": code, "state": asked["state"], "iss": self.issuer})

    async def begin(self, transaction: TransactionId = TRANSACTION) -> tuple[IdpResponse, Memo]:
        request, memo = await self.provider.begin(transaction, self.strength)
        assert isinstance(request, Redirect)
        return self.authorize(request.url), memo

    async def login(self, transaction: TransactionId = TRANSACTION) -> VerifiedIdentity:
        answer, memo = await self.begin(transaction)
        return await self.provider.finish(answer, transaction, memo, self.strength)

    def fetches(self, url: str) -> int:
        return len(self.http.sent(url))

    def refreshed(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        return [(e.added, e.removed) for e in self.journal.events if isinstance(e, KeysRefreshed)]

    def troubles(self) -> list[tuple[str, str]]:
        return [(e.code, e.detail) for e in self.journal.events if isinstance(e, ProviderTrouble)]

    def _token(self, request: HttpRequest) -> HttpResponse:
        sent = {name: value for name, (value,) in parse_qs((request.body or b"").decode()).items()}
        asked = self.codes.pop(sent["code"], None)
        challenge = base64url(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != sent["redirect_uri"]:
            return json_response({"error": "invalid_grant"}, 400)
        now = int(self.clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        kid, key = next(iter(self.keys.items()))
        token = good_token(key=key, header={"kid": kid} | self.header, **claims | self.claims)
        return json_response({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": str(token)})
