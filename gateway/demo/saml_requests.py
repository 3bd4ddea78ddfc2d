"""What the demo SAML provider is asked, read strictly: one AuthnRequest of a known service provider.

SAML Core §3.4.1, Bindings §3.4 (redirect) and §3.5 (POST). Shares no code with `gateway.protocol.saml`, not even the parser,
so that a misreading there cannot agree with itself here. Requests are not signed in the demo; a signature is not looked at.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from xml.etree import ElementTree as ET

from gateway.demo.openid_requests import Pairs

PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
NO_METHOD = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
MOST_BYTES = 65536
MOST_RELAY_STATE = 80
OLDEST = timedelta(minutes=5)

ServiceProviders: TypeAlias = Mapping[str, str]
"""The address that answers go to, by entity id."""


class Unanswerable(Exception):
    """A request that cannot be read, or whose service provider or address is not known: the user is told, nothing is sent anywhere."""


class Refusal(Exception):
    """What the service provider is told instead of a name: the second-level status code (Core §3.2.2.2), without its prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthnRequest:
    """A request of a known service provider; `acs_url` is the address that is registered for it."""

    id: str
    entity_id: str
    acs_url: str
    relay_state: str
    name_id_format: str
    passive: bool
    methods: tuple[str, ...]


def read_authn_request(pairs: Pairs, *, deflated: bool, service_providers: ServiceProviders, location: str, now: datetime) -> AuthnRequest:
    """Read a request. `deflated`: it came by redirect; `location`: our own address. Raises `Unanswerable`."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unanswerable("A parameter of the request came twice.")
    root = parse(decode(fields.get("SAMLRequest", ""), deflated=deflated))
    entity_id = root.findtext(f"{ASSERTION}Issuer", "")
    acs_url = service_providers.get(entity_id)
    if acs_url is None:
        raise Unanswerable("The service provider that asks is not registered here.")
    _check(root, acs_url=acs_url, location=location, now=now)
    relay_state = fields.get("RelayState", "")
    if len(relay_state.encode()) > MOST_RELAY_STATE:
        raise Unanswerable("The request's RelayState is longer than 80 bytes.")
    policy = root.find(f"{PROTOCOL}NameIDPolicy")
    return AuthnRequest(
        id=root.get("ID", ""),
        entity_id=entity_id,
        acs_url=acs_url,
        relay_state=relay_state,
        name_id_format=UNSPECIFIED if policy is None else policy.get("Format", UNSPECIFIED),
        passive=root.get("IsPassive") in {"true", "1"},
        methods=tuple(method.text or "" for method in root.iterfind(f"{PROTOCOL}RequestedAuthnContext/{ASSERTION}AuthnContextClassRef")),
    )


def check_can_be_met(request: AuthnRequest) -> None:
    """What we can do is ask who the user is, without a password, and name them by name or by address. Raises `Refusal`."""
    if request.passive:
        raise Refusal("NoPassive")
    if request.name_id_format not in {UNSPECIFIED, EMAIL}:
        raise Refusal("InvalidNameIDPolicy")
    if request.methods and NO_METHOD not in request.methods:
        raise Refusal("NoAuthnContext")


def decode(text: str, *, deflated: bool) -> bytes:
    """A message from its parameter. Raises `Unanswerable`."""
    try:
        raw = base64.b64decode(text, validate=True)
        if not deflated:
            return raw
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = inflater.decompress(raw, MOST_BYTES)
    except (ValueError, zlib.error):
        raise Unanswerable("The request is damaged: not base64, or not compressed as it should be.") from None
    if not inflater.eof or inflater.unused_data:
        raise Unanswerable("The request is too large, or something follows it.")
    return inflated


def parse(document: bytes) -> ET.Element:
    """Raises `Unanswerable`."""
    if b"<!" in document:
        raise Unanswerable("The request holds a document type or a comment.")
    try:
        return ET.fromstring(document)  # noqa: S314  without a document type there are no entities to expand or to fetch
    except (ET.ParseError, ValueError):
        raise Unanswerable("The request is not well-formed XML.") from None


def _check(root: ET.Element, *, acs_url: str, location: str, now: datetime) -> None:
    """What every request must be, and must not say otherwise (Core §3.2.1, §3.4.1)."""
    if root.tag != f"{PROTOCOL}AuthnRequest" or root.get("Version") != "2.0" or not root.get("ID"):
        raise Unanswerable("This is not an AuthnRequest of SAML 2.0.")
    if root.get("Destination", location) != location:
        raise Unanswerable("The request was meant for another address.")
    if root.get("AssertionConsumerServiceURL", acs_url) != acs_url:
        raise Unanswerable("The request wants its answer at another address than the registered one.")
    if root.get("ProtocolBinding", POST) != POST:
        raise Unanswerable("The request wants its answer by another way than POST.")
    try:
        issued = datetime.fromisoformat(root.get("IssueInstant", ""))
        age = abs(now - issued)
    except (ValueError, TypeError):
        raise Unanswerable("The request does not say when it was made.") from None
    if age > OLDEST:
        raise Unanswerable("The request is older than five minutes, or a clock is wrong.")
