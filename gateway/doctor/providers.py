"""Identity providers: everything that the first login would ask of them, asked now."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final

from gateway.config.settings import OidcSettings, OutboundSettings, SamlSettings
from gateway.doctor.findings import FindingCode
from gateway.doctor.network import look_up, permitted, place, shown_certificate
from gateway.doctor.notes import Dated, Ended, Notes
from gateway.errors import ProviderUnreachable
from gateway.events import Event
from gateway.idp.saml_metadata import Publication, Published, certificates_known
from gateway.outbound import AddressPolicy, OutboundClient, policy_for
from gateway.ports import Entropy
from gateway.protocol import oidc, saml

RENEW: Final = "ask the provider's administrators to renew it"
_TLS_HINT: Final = "name the root of your own certificates in outbound.ca; look whether something between breaks TLS up"


class Unheard:
    """A journal that nobody reads: what the adapters report stands in the findings."""

    def record(self, event: Event) -> None:
        del event


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What all ways out have in common."""

    outbound: OutboundSettings
    tls: ssl.SSLContext
    entropy: Entropy


class Way:
    """The way to one provider, as the gateway itself would go it."""

    def __init__(self, outside: Outside, url: str) -> None:
        self.tls = outside.tls
        self.direct = outside.outbound.proxy is None
        self.policy: AddressPolicy = policy_for([url], outside.outbound.allow_private)
        self.client = OutboundClient(policy=self.policy, tls=outside.tls, proxy=outside.outbound.proxy)

    async def look(self, notes: Notes, url: str) -> None:
        """Name and certificate. Through a forward proxy neither is ours to see."""
        if not self.direct:
            notes.ok("name", f"{place(url)[0]} is left to the forward proxy")
            return
        found = await look_up(notes, url, ProviderUnreachable)
        async with notes.step("name", ProviderUnreachable):
            allowed = permitted(found, self.policy)
        if url.startswith("https://"):
            await self._look_at_certificate(notes, url, allowed[0])

    async def _look_at_certificate(self, notes: Notes, url: str, address: str) -> None:
        host, port = place(url)
        async with notes.step("certificate", ProviderUnreachable):
            try:
                certificate = await shown_certificate(address, port, self.tls, host)
            except ssl.SSLError as error:
                notes.fail("certificate", ProviderUnreachable.code, f"{host}: {told(error)}", _TLS_HINT)
                raise Ended from error
            except OSError as error:
                raise ProviderUnreachable(f"{host} at {address}, port {port}: {error.strerror or type(error).__name__}") from error
        notes.certificate("certificate", f"the certificate of {host}", certificate.not_valid_after_utc, RENEW)


def told(error: ssl.SSLError) -> str:
    """OpenSSL's reason: what it says of a certificate, or the name of the alert."""
    return str(getattr(error, "verify_message", None) or error.reason or type(error).__name__)


async def examine_openid(notes: Notes, settings: OidcSettings, outside: Outside) -> None:
    """Discovery and keys (Discovery 1.0 §4, RFC 7517 §5). Raises `Ended`."""
    rp = settings.relying_party
    way = Way(outside, rp.issuer)
    http = Dated(way.client, notes.clock)
    try:
        await way.look(notes, rp.issuer)
        async with notes.step("discovery", ProviderUnreachable):
            metadata = oidc.read_metadata(await http.send(oidc.discovery_request(rp)), rp)
        notes.ok("discovery", f"describes the issuer {rp.issuer}")
        notes.clocks(http.ahead, rp.clock_skew)
        async with notes.step("keys", ProviderUnreachable):
            keys = oidc.read_jwks(await http.send(oidc.jwks_request(metadata.jwks_uri)))
        _look_at_keys(notes, keys, rp.id_token_algorithms)
        for endpoint in elsewhere(rp.issuer, metadata):
            await way.look(notes, endpoint)
    finally:
        await way.client.close()


def elsewhere(issuer: str, metadata: oidc.Metadata) -> tuple[str, ...]:
    """What a login needs of other servers than the issuer's own: one address for each. Nothing is sent there."""
    endpoints = [metadata.token_endpoint, *([metadata.userinfo_endpoint] if metadata.userinfo_endpoint else [])]
    others = {place(url): url for url in endpoints if place(url) != place(issuer)}
    return tuple(others.values())


def _look_at_keys(notes: Notes, keys: oidc.PublicKeys, algorithms: tuple[str, ...]) -> None:
    """One of the pinned algorithms needs a key; which one the provider uses, only a token tells."""
    missing = [algorithm for algorithm in algorithms if not keys.serve(algorithm)]
    if not missing:
        notes.ok("keys", f"keys for {', '.join(algorithms)}")
        return
    message = f"no published key fits {', '.join(missing)}"
    hint = "compare id_token_algorithms with what the provider signs with"
    (notes.fail if len(missing) == len(algorithms) else notes.caution)("keys", FindingCode.NO_KEY, message, hint)


async def examine_saml(notes: Notes, settings: SamlSettings, outside: Outside) -> None:
    """Metadata where it is published, and every certificate's end. Raises `Ended`."""
    described = settings.metadata.fixed
    if settings.metadata.url is not None:
        described = await _published(notes, settings, settings.metadata.url, outside)
    elif settings.metadata.document is not None:
        async with notes.step("metadata", ProviderUnreachable):
            described = saml.verify_metadata(
                settings.metadata.document,
                entity_id=settings.service_provider.idp_entity_id,
                now=notes.clock.now(),
                signing_certificate=settings.metadata.signing_certificate,
                allow_loopback=True,
            )
        notes.ok("metadata", "from its file")
    for label, ends in certificates_known(settings.name, settings.service_provider, described, notes.clock.now()).ends:
        ours = label.startswith("sp-")
        hint = "make the next one: qlikgw keygen saml, sp.next_certificate" if ours else RENEW
        notes.certificate("signing certificate", f"{'our' if ours else 'its'} certificate {label}", ends, hint)


async def _published(notes: Notes, settings: SamlSettings, url: str, outside: Outside) -> saml.IdentityProviderMetadata:
    way = Way(outside, url)
    http = Dated(way.client, notes.clock)
    publication = Publication(
        url=url,
        entity_id=settings.service_provider.idp_entity_id,
        signing_certificate=settings.metadata.signing_certificate,
        allow_loopback=url.startswith("http://"),
    )
    source = Published(publication, name=settings.name, http=http, clock=notes.clock, entropy=outside.entropy, journal=Unheard())
    try:
        await way.look(notes, url)
        async with notes.step("metadata", ProviderUnreachable):
            described = await source.current()
    finally:
        await way.client.close()
    until = "" if described.valid_until is None else f", valid until {described.valid_until:%Y-%m-%d %H:%M} UTC"
    notes.ok("metadata", f"describes {described.entity_id}{until}")
    notes.clocks(http.ahead, settings.service_provider.clock_skew)
    return described
