"""One OpenID provider: the steps of `protocol.oidc`, joined by HTTP (OIDC Core §3.1).

Starting needs no network: the provider's metadata is fetched by the first login. Its keys are refreshed hourly, and at
once when a token names one that we do not know, so that a rotation in the middle of a login goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from gateway.errors import GatewayError, TokenKeyUnknown, TokenSignature
from gateway.events import KeysRefreshed, ProviderTrouble
from gateway.idp.kept import Bucket, Kept
from gateway.idp.oidc_logout import OidcLogout
from gateway.model import Binding, IdpRequest, IdpResponse, JsonValue, Memo, TransactionId, VerifiedIdentity
from gateway.ports import Clock, Entropy, HttpClient, Journal, SingleLogout
from gateway.protocol import oidc
from gateway.strength import Strength

T = TypeVar("T")

_METADATA_FRESH: Final = timedelta(days=1)
_KEYS_FRESH: Final = timedelta(hours=1)  # a withdrawn key is trusted for that long
_KEYS_USABLE: Final = timedelta(hours=24)  # and for that long when the provider does not give its keys
_UNKNOWN_KEY_BURST: Final = 3
_UNKNOWN_KEY_REFILL: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Description:
    """The provider's metadata, with the part of the authorization URL that follows from it."""

    metadata: oidc.Metadata
    authorization_base: str


class OidcProvider:
    """An `IdentityProvider` that speaks OpenID Connect, authorization code flow."""

    def __init__(  # noqa: PLR0913 - a composition root's call: every collaborator is named and required
        self,
        *,
        name: str,
        display_name: str,
        relying_party: oidc.RelyingParty,
        http: HttpClient,
        clock: Clock,
        entropy: Entropy,
        journal: Journal,
    ) -> None:
        self._name = name
        self._display_name = display_name
        self._rp = relying_party
        self._http = http
        self._clock = clock
        self._entropy = entropy
        self._journal = journal
        self._registration = oidc.registration(relying_party)
        signs = isinstance(relying_party.client_auth, oidc.PrivateKeyJwt)
        self._credentials = None if signs else oidc.constant_credentials(relying_party)
        self._key_ids: frozenset[str] = frozenset()
        self._unknown_keys = Bucket(size=_UNKNOWN_KEY_BURST, refill=_UNKNOWN_KEY_REFILL)
        # Anybody can send a logout token: with permits of their own, they take none from sign-ins.
        self._unknown_logout_keys = Bucket(size=_UNKNOWN_KEY_BURST, refill=_UNKNOWN_KEY_REFILL)
        self._logout = OidcLogout(
            relying_party=relying_party,
            metadata=self._metadata,
            keys=lambda verify: self._with_keys(verify, self._unknown_logout_keys),
            clock=clock,
        )
        self._description = Kept(
            self._fetch_description,
            clock=clock,
            fresh_for=_METADATA_FRESH,
            usable_for=timedelta.max,
            on_trouble=self._trouble("metadata"),
        )
        self._keys = Kept(self._fetch_keys, clock=clock, fresh_for=_KEYS_FRESH, usable_for=_KEYS_USABLE, on_trouble=self._trouble("keys"))

    @property
    def name(self) -> str:
        return self._name

    @property
    def display_name(self) -> str:
        return self._display_name

    @property
    def registration(self) -> str:
        return self._registration

    @property
    def binding(self) -> Binding:
        return self._rp.response_mode

    @property
    def logout(self) -> SingleLogout:
        return self._logout

    def jwks(self) -> dict[str, JsonValue] | None:
        """The public half of our own signing key, for the provider to fetch; None where we have none."""
        auth = self._rp.client_auth
        return oidc.public_jwks(auth) if isinstance(auth, oidc.PrivateKeyJwt) else None

    def metadata_document(self) -> None:
        """OpenID Connect knows no metadata of a relying party."""

    def is_unsolicited(self, response: IdpResponse) -> bool:
        """Every answer must name a state of ours; the cookie decides."""
        del response
        return False

    def check_room(self, response: IdpResponse) -> None:
        """An ID token is a few kilobytes and judged at once."""

    async def begin(self, transaction: TransactionId, strength: Strength) -> tuple[IdpRequest, Memo]:
        """OIDC Core §3.1.2.1. `state` is the transaction's id; what must be remembered is one secret, and the time."""
        now = self._clock.now()
        description = self._description.fresh(now)
        if description is None:
            description, now = await self._description.current(), self._clock.now()
        secrets, base = oidc.login_secrets(self._entropy.token(oidc.SEED_SIZE)), description.authorization_base
        request = oidc.authorization_request(base, state=transaction, secrets=secrets, rp=self._rp, strength=strength)
        return request, oidc.write_memo(secrets, asked_at=now)

    async def finish(self, response: IdpResponse, transaction: TransactionId, memo: Memo, strength: Strength) -> VerifiedIdentity:
        """OIDC Core §3.1.2.7 to §3.1.3.7, and §5.3 where userinfo is asked for."""
        secrets, asked_at = oidc.read_memo(memo)
        description = self._description.fresh(self._clock.now()) or await self._description.current()
        metadata = description.metadata
        code = oidc.verify_authorization_response(response, state=transaction, rp=self._rp, metadata=metadata)
        credentials = self._credentials or self._new_credentials()
        request = oidc.token_request(self._rp, metadata, code=code, code_verifier=secrets.code_verifier, credentials=credentials)
        tokens = oidc.read_token_response(await self._http.send(request))
        expected = oidc.Expected(
            nonce=secrets.nonce,
            code=code,
            access_token=tokens.access_token,
            strength=strength,
            asked_at=asked_at,
            logout=metadata.end_session_endpoint is not None,
        )
        identity = await self._with_keys(
            lambda keys, now: oidc.verify_id_token(tokens.id_token, expected, rp=self._rp, keys=keys, now=now), self._unknown_keys
        )
        if metadata.userinfo_endpoint is None:
            return identity
        userinfo = await self._http.send(oidc.userinfo_request(metadata.userinfo_endpoint, tokens.access_token))
        return await self._with_keys(
            lambda keys, now: oidc.verify_userinfo(userinfo, identity, rp=self._rp, keys=keys, now=now), self._unknown_keys
        )

    def _new_credentials(self) -> oidc.Credentials:
        return oidc.credentials(self._rp, now=self._clock.now(), jti=self._entropy.token(oidc.JTI_SIZE))

    async def _with_keys(self, verify: Callable[[oidc.PublicKeys, datetime], T], permits: Bucket) -> T:
        """OIDC Core §10.1.1: verify; on an unknown key, or a signature that the known one did not make, look for newer keys."""
        now = self._clock.now()
        keys = self._keys.fresh(now)
        if keys is None:
            keys, now = await self._keys.current(), self._clock.now()
        try:
            return verify(keys, now)
        except (TokenKeyUnknown, TokenSignature):
            newer = await self._keys.newer(keys, allowed=lambda: permits.take(self._clock.now()))
            if newer is keys:
                raise
        return verify(newer, self._clock.now())

    async def _metadata(self) -> oidc.Metadata:
        return (await self._description.current()).metadata

    async def _fetch_description(self) -> _Description:
        metadata = oidc.read_metadata(await self._http.send(oidc.discovery_request(self._rp)), self._rp)
        return _Description(metadata=metadata, authorization_base=oidc.authorization_base(self._rp, metadata))

    async def _fetch_keys(self) -> oidc.PublicKeys:
        metadata = await self._metadata()
        keys = oidc.read_jwks(await self._http.send(oidc.jwks_request(metadata.jwks_uri)))
        added, removed = tuple(sorted(keys.kids - self._key_ids)), tuple(sorted(self._key_ids - keys.kids))
        self._key_ids = keys.kids
        self._journal.record(KeysRefreshed(idp=self._name, added=added, removed=removed))
        return keys

    def _trouble(self, what: str) -> Callable[[GatewayError], None]:
        def report(error: GatewayError) -> None:
            self._journal.record(ProviderTrouble(idp=self._name, code=error.code, detail=f"{what}: {error.detail}"))

        return report
