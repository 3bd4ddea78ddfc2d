"""Reading an identity provider's metadata (SAML Metadata §2): hostile until its signature or its transport says otherwise.

The document must describe the configured entity, once. With a signing certificate configured, the signature of the *root* must
verify, and what is read was parsed from the bytes that it covers. Metadata never changes what we ask for or accept: it gives
addresses, keys and dates, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar
from urllib.parse import urlsplit

from gateway.errors import (
    GatewayError,
    MetadataEntity,
    MetadataMalformed,
    MetadataSignature,
    MetadataUnusable,
)
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.keys import Certificate, read_base64_certificate
from gateway.protocol.saml.parameters import IdentityProviderMetadata, LogoutService, check_current
from gateway.protocol.saml.signature import read_signature, verify_signature
from gateway.protocol.saml.times import read_optional_instant
from gateway.protocol.saml.xml import Element, Limits

MAX_METADATA: Final = 2 * 1024 * 1024
MAX_CERTIFICATES: Final = 32
"""Certificates that are looked at: a rollover needs two."""
LIMITS: Final = Limits(size=MAX_METADATA, tags=60_000, forbidden=re.compile(rb"<!(?:DOCTYPE|ENTITY)"))
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
T = TypeVar("T", datetime, timedelta)
_DURATION: Final = re.compile(
    r"P(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,6})D)?(?:T(?=[0-9])(?:([0-9]{1,6})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,9})(?:\.[0-9]+)?S)?)?"
)


def verify_metadata(
    document: bytes,
    *,
    entity_id: str,
    now: datetime,
    signing_certificate: Certificate | None,
    allow_loopback: bool = False,
) -> IdentityProviderMetadata:
    """The configured entity's description. `now`: aware, UTC. Raises `MetadataError`; whatever the bytes, nothing else.

    `allow_loopback`: http addresses on loopback may be used, because the configuration itself names one.
    """
    try:
        root = xml.read_document(document, LIMITS)
        if signing_certificate is not None:
            root = verify_root(root, signing_certificate)
        entity = read_entity(root, entity_id)
        role = read_role(entity)
        described = IdentityProviderMetadata(
            entity_id=entity_id,
            certificates=tuple({one.base64: one for one in islice(read_certificates(role), MAX_CERTIFICATES)}.values()),
            sso_redirect=read_address(role, names.HTTP_REDIRECT, allow_loopback=allow_loopback),
            sso_post=read_address(role, names.HTTP_POST, allow_loopback=allow_loopback),
            valid_until=earliest(read_optional_instant(one.get("validUntil"), MetadataMalformed) for one in lineage(role)),
            cache_for=earliest(read_duration(one.get("cacheDuration")) for one in lineage(role)),
            wants_signed_requests=role.get("WantAuthnRequestsSigned") in {"true", "1"},
            logout=read_logout_service(role, allow_loopback=allow_loopback),
        )
    except (MetadataMalformed, MetadataSignature, MetadataEntity, MetadataUnusable):
        raise
    except GatewayError as error:
        raise MetadataMalformed(error.detail or type(error).__name__) from error
    check_usable(described)
    check_current(described, now)
    return described


def verify_root(root: Element, certificate: Certificate) -> Element:
    """The root as the configured certificate's key signed it (Metadata §3.1). Raises `MetadataSignature`."""
    signatures = list(root.iterchildren(names.SIGNATURE))
    if len(signatures) != 1:
        raise MetadataSignature(f"{len(signatures)} signatures of the document's root")
    try:
        return verify_signature(read_signature(signatures[0], root), (certificate,))
    except GatewayError as error:
        raise MetadataSignature(error.detail) from error


def read_entity(root: Element, entity_id: str) -> Element:
    """The one EntityDescriptor of that entityID: the root, or somewhere under an EntitiesDescriptor. Raises `MetadataEntity`."""
    if root.tag not in {names.ENTITY_DESCRIPTOR, names.ENTITIES_DESCRIPTOR}:
        raise MetadataMalformed(f"a {xml.local_name(root)} instead of metadata")
    entities = list(root.iter(names.ENTITY_DESCRIPTOR))
    ours = [entity for entity in entities if entity.get("entityID") == entity_id]
    if len(ours) != 1:
        described = ", ".join(repr((entity.get("entityID") or "")[:120]) for entity in entities[:3])
        raise MetadataEntity(f"{len(ours)} descriptions of {entity_id!r}; the document describes {described or 'nobody'}")
    return ours[0]


def read_role(entity: Element) -> Element:
    """Its identity provider role for SAML 2.0 (Metadata §2.4.3). Raises `MetadataUnusable`."""
    for role in entity.iterchildren(names.IDP_DESCRIPTOR):
        if names.PROTOCOL in (role.get("protocolSupportEnumeration") or "").split():
            return role
    raise MetadataUnusable("the entity is not an identity provider for SAML 2.0")


def read_certificates(role: Element) -> Iterator[Certificate]:
    """Every certificate for signing, or for no named use (Metadata §2.4.1.1). One that cannot be used is left out."""
    for descriptor in role.iterchildren(names.KEY_DESCRIPTOR):
        if descriptor.get("use") in {None, "signing"}:
            for certificate in descriptor.iter(names.X509_CERTIFICATE):
                try:
                    yield read_base64_certificate(xml.leaf_text(certificate))
                except ValueError:
                    continue


def read_address(role: Element, binding: str, *, allow_loopback: bool) -> str | None:
    """Where users are sent by that binding, None when it is not offered. Raises `MetadataUnusable` if it is not https."""
    for service in role.iterchildren(names.SINGLE_SIGN_ON_SERVICE):
        if service.get("Binding") == binding:
            address = service.get("Location") or ""
            check_address(address, allow_loopback=allow_loopback)
            return address
    return None


def read_logout_service(role: Element, *, allow_loopback: bool) -> LogoutService:
    """Its single logout service (Metadata §2.4.2). An address that cannot be used is left out: no login shall fail for it."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for service in role.iterchildren(names.SINGLE_LOGOUT_SERVICE):
        where, answers = (usable_address(service.get(name), allow_loopback=allow_loopback) for name in ("Location", "ResponseLocation"))
        if where is not None:
            found.setdefault(service.get("Binding") or "", (where, answers or where))
    redirect, post = (found.get(binding, (None, None)) for binding in (names.HTTP_REDIRECT, names.HTTP_POST))
    return LogoutService(redirect=redirect[0], post=post[0], redirect_answers=redirect[1], post_answers=post[1])


def usable_address(address: str | None, *, allow_loopback: bool) -> str | None:
    """The address if `check_address` lets it pass, else None."""
    try:
        check_address(address or "", allow_loopback=allow_loopback)
    except MetadataUnusable:
        return None
    return address


def check_address(address: str, *, allow_loopback: bool) -> None:
    """An https URL with a host and without blanks, user or fragment; http on loopback where that is allowed. Raises `MetadataUnusable`."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise MetadataUnusable(f"not a URL: {address[:200]!r}") from None
    secure = parts.scheme == "https" or (allow_loopback and parts.scheme == "http" and host in LOOPBACK)
    if (
        not secure
        or not host
        or parts.username is not None
        or parts.fragment
        or not address.isascii()
        or not address.isprintable()
        or " " in address
    ):
        raise MetadataUnusable(f"not an https address that can be used: {address[:200]!r}")


def check_usable(described: IdentityProviderMetadata) -> None:
    """At least one certificate and one address. Raises `MetadataUnusable`."""
    if not described.certificates:
        raise MetadataUnusable("no signing certificate that can be used")
    if described.sso_redirect is None and described.sso_post is None:
        raise MetadataUnusable("no single sign-on service by redirect or POST")


def read_duration(text: str | None) -> timedelta | None:
    """An xs:duration, a year as 365 days and a month as 30; None when absent. Raises `MetadataMalformed`."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise MetadataMalformed(f"not a duration: {text[:40]!r}")
    years, months, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=365 * years + 30 * months + days, hours=hours, minutes=minutes, seconds=seconds)


def lineage(element: Element) -> Iterator[Element]:
    """The element and all its ancestors: each may limit how long the description may be used."""
    one: Element | None = element
    while one is not None:
        yield one
        one = one.getparent()


def earliest(values: Iterable[T | None]) -> T | None:
    """The smallest of those that are there."""
    return min((value for value in values if value is not None), default=None)
