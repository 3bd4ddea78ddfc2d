"""What the protocol code must know about the two parties: ourselves, and one identity provider.

Plain values with loaded keys; paths, references and refresh schedules are other rooms' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.errors import MetadataExpired
from gateway.protocol.saml.keys import Certificate, KeyPair

MAX_CLOCK_SKEW: Final = timedelta(seconds=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    """Us, as one identity provider sees us: one registration.

    `keys` sign our requests and metadata (the first one) and decrypt assertions (every RSA one, in turn); decryption is tried
    whenever there is a key, `offer_encryption` decides only what our metadata says. `next_certificate` is published ahead of a
    rollover. `force_authn`, `authn_contexts` (Comparison exact; None: any) and `max_age` are what a sign-in must be
    like, and differ from login to login: the first two are asked for, all are enforced. `allow_cbc_encryption` weakens:
    it accepts AES-CBC, but only under a verified Response signature. `second_opinion=False` lets our own engine decide alone.
    `slo_url`, with a key, lets sessions end on both sides at once; None, or no key: the provider's session is its own matter.
    `short_names` maps attribute Names to second names under which mapping finds them too (`presets`).
    """

    entity_id: str
    acs_url: str
    slo_url: str | None = None
    idp_entity_id: str
    keys: tuple[KeyPair, ...] = ()
    next_certificate: Certificate | None = None
    sign_requests: bool = False
    offer_encryption: bool = False
    force_authn: bool = False
    authn_contexts: tuple[str, ...] | None = None
    max_age: timedelta | None = None
    name_id_format: str | None = None
    allow_cbc_encryption: bool = False
    second_opinion: bool = True
    short_names: Mapping[str, str] = field(default_factory=dict)
    clock_skew: timedelta = timedelta(seconds=60)

    @property
    def logs_out(self) -> bool:
        """Whether single logout is possible: its messages must be signed (Profiles §4.4.4)."""
        return self.slo_url is not None and bool(self.keys)

    @property
    def decryption_keys(self) -> tuple[rsa.RSAPrivateKey, ...]:
        return tuple(pair.key for pair in self.keys if isinstance(pair.key, rsa.RSAPrivateKey))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutService:
    """Where the provider takes requests to end a session, and answers to its own (SAML Metadata §2.2.2, §2.4.2); None: not that way."""

    redirect: str | None = None
    post: str | None = None
    redirect_answers: str | None = None
    post_answers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProviderMetadata:
    """The identity provider: where users are sent, and which keys its signatures are verified with.

    At least one of the two addresses is there. `cache_for` is its wish how long a copy may be used (SAML Metadata §2.3.2).
    """

    entity_id: str
    certificates: tuple[Certificate, ...]
    sso_redirect: str | None = None
    sso_post: str | None = None
    valid_until: datetime | None = None
    cache_for: timedelta | None = None
    wants_signed_requests: bool = False
    logout: LogoutService = LogoutService()


def registration(sp: ServiceProvider) -> str:
    """A short digest of both entity ids: a login begun in one registration is never finished in another."""
    return hashlib.sha256(f"saml\n{sp.idp_entity_id}\n{sp.entity_id}".encode()).hexdigest()[:16]


def check_current(idp: IdentityProviderMetadata, now: datetime) -> None:
    """Raises `MetadataExpired` past `validUntil` (SAML Metadata §2.3.2)."""
    if idp.valid_until is not None and idp.valid_until <= now:
        raise MetadataExpired(f"it was valid until {idp.valid_until.isoformat()}")
