"""Where a SAML provider's metadata comes from: the configuration, or an address that is asked again from time to time.

A published document is kept: in memory, and on disk across restarts, so that neither a failing address nor a restart stops
logins before the document's own `validUntil`. It is verified in the same way wherever it comes from.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from gateway.errors import GatewayError, ProviderAnswer
from gateway.events import CertificatesKnown, KeysRefreshed, ProviderTrouble
from gateway.idp.kept import Bucket, Kept
from gateway.model import HttpRequest
from gateway.ports import Clock, Entropy, HttpClient, Journal
from gateway.protocol import saml

_LONGEST: Final = timedelta(hours=6)
_SHORTEST: Final = timedelta(minutes=5)
_JITTER: Final = 0.2  # of the time, so that many replicas do not ask at once
_SOON: Final = timedelta(days=30)
_EARLY_REFRESH: Final = timedelta(minutes=5)  # between two refreshes that a bad signature asks for
_OK: Final = 200
_ACCEPT: Final = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.8"


class MetadataSource(Protocol):
    """Gives the provider's description."""

    async def current(self) -> saml.IdentityProviderMetadata:
        """One that may be used. Raises `GatewayError` when there is none."""

    async def newer(self, than: saml.IdentityProviderMetadata) -> saml.IdentityProviderMetadata:
        """One fetched after `than` if that can be had now, else `than`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A description from the configuration: a file or single settings. A reload of the configuration reads it anew."""

    metadata: saml.IdentityProviderMetadata

    async def current(self) -> saml.IdentityProviderMetadata:
        return self.metadata

    async def newer(self, than: saml.IdentityProviderMetadata) -> saml.IdentityProviderMetadata:
        return than


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What the configuration says about published metadata. `copy`: the file that keeps the last good document."""

    url: str
    entity_id: str
    signing_certificate: saml.Certificate | None = None
    allow_loopback: bool = False
    copy: Path | None = None


class Published:
    """A description that its provider publishes at an address."""

    def __init__(  # noqa: PLR0913  every collaborator is named and required
        self,
        publication: Publication,
        *,
        name: str,
        http: HttpClient,
        clock: Clock,
        entropy: Entropy,
        journal: Journal,
    ) -> None:
        self._publication = publication
        self._name = name
        self._http = http
        self._clock = clock
        self._entropy = entropy
        self._journal = journal
        self._fingerprints: frozenset[str] = frozenset()
        self._looked_for_copy = publication.copy is None
        self._early = Bucket(size=1, refill=_EARLY_REFRESH)
        self._kept = Kept(self._fetch, clock=clock, fresh_for=self._fresh_for, usable_for=timedelta.max, on_trouble=self._report)

    async def current(self) -> saml.IdentityProviderMetadata:
        await self._look_for_copy()
        return await self._kept.current()

    async def newer(self, than: saml.IdentityProviderMetadata) -> saml.IdentityProviderMetadata:
        """At most one fetch in five minutes: anybody can send a bad signature. A fetch that fails gives `than`."""
        try:
            return await self._kept.newer(than, allowed=lambda: self._early.take(self._clock.now()))
        except GatewayError:
            return than

    async def _fetch(self) -> saml.IdentityProviderMetadata:
        request = HttpRequest(method="GET", url=self._publication.url, headers={"accept": _ACCEPT}, limit=saml.MAX_METADATA)
        answer = await self._http.send(request)
        if answer.status != _OK:
            raise ProviderAnswer(f"metadata: status {answer.status}")
        described = self._verified(answer.body)
        self._tell(described)
        await self._keep(answer.body)
        return described

    def _verified(self, document: bytes) -> saml.IdentityProviderMetadata:
        return saml.verify_metadata(
            document,
            entity_id=self._publication.entity_id,
            now=self._clock.now(),
            signing_certificate=self._publication.signing_certificate,
            allow_loopback=self._publication.allow_loopback,
        )

    def _fresh_for(self, described: saml.IdentityProviderMetadata) -> timedelta:
        """As long as the provider wishes, within bounds, less some jitter; never past `validUntil`."""
        wished = _LONGEST if described.cache_for is None else max(_SHORTEST, min(_LONGEST, described.cache_for))
        jittered = wished * (1 - _JITTER * int.from_bytes(self._entropy.token(2), "big") / 0x10000)
        return jittered if described.valid_until is None else min(jittered, described.valid_until - self._clock.now())

    def _tell(self, described: saml.IdentityProviderMetadata) -> None:
        known = frozenset(certificate.fingerprint for certificate in described.certificates)
        added, removed = tuple(sorted(known - self._fingerprints)), tuple(sorted(self._fingerprints - known))
        self._fingerprints = known
        self._journal.record(KeysRefreshed(idp=self._name, added=added, removed=removed))

    async def _look_for_copy(self) -> None:
        """Once, before the first fetch: serve the last good document until a newer one is there."""
        if self._looked_for_copy or self._publication.copy is None:
            return
        self._looked_for_copy = True
        try:
            document = await asyncio.to_thread(read_copy, self._publication.copy)
            self._kept.seed(self._verified(document))
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(ProviderAnswer(f"the copy on disk: {type(error).__name__}"))
        except GatewayError as error:
            self._report(error)

    async def _keep(self, document: bytes) -> None:
        if self._publication.copy is None:
            return
        try:
            await asyncio.to_thread(write_copy, self._publication.copy, document)
        except OSError as error:
            self._report(ProviderAnswer(f"the copy on disk: {type(error).__name__}"))

    def _report(self, error: GatewayError) -> None:
        self._journal.record(ProviderTrouble(idp=self._name, code=error.code, detail=f"metadata: {error.detail}"))


def read_copy(path: Path) -> bytes:
    """The document, or as much of it as shows that it is too large. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(saml.MAX_METADATA + 1)


def write_copy(path: Path, document: bytes) -> None:
    """Replace the document in one step: a crash leaves the old one or the new one. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_bytes(document)
    half.replace(path)


def certificates_known(name: str, sp: saml.ServiceProvider, idp: saml.IdentityProviderMetadata | None, now: datetime) -> CertificatesKnown:
    """The dates of every certificate of a registration: ours, and the provider's where its metadata is known."""
    ours = [pair.certificate for pair in sp.keys] + ([sp.next_certificate] if sp.next_certificate else [])
    ends = [(f"sp-{number}", one.ends) for number, one in enumerate(ours, 1)]
    ends += [(f"idp-{number}", one.ends) for number, one in enumerate(idp.certificates if idp else (), 1)]
    soon = now + _SOON
    return CertificatesKnown(idp=name, ends=tuple(ends), soon=tuple(label for label, end in ends if end <= soon))
