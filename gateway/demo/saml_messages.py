"""What the demo SAML provider says: its metadata, and Responses whose assertion and envelope are both signed (RSA-SHA256).

Messages are written from templates. Canonical form is the standard library's (C14N 2.0, which gives the bytes of exclusive
canonicalisation for documents like these), so that the gateway's own is held against another implementation.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from xml.etree.ElementTree import canonicalize

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.demo.pages import render
from gateway.demo.saml_requests import EMAIL, AuthnRequest
from gateway.demo.users import DemoUser

LIFETIME = timedelta(minutes=5)
CERTIFICATE_LIFETIME = timedelta(days=90)
ISSUER_END = "</saml:Issuer>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key and its self-signed certificate, as base64 of DER."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: str

    @classmethod
    def new(cls, now: datetime) -> Self:
        """Make one, valid from `now` (aware, UTC)."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo SAML provider")])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + CERTIFICATE_LIFETIME)
            .sign(key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )
        return cls(key=key, certificate=_base64(certificate))

    def signed(self, document: str, identifier: str) -> str:
        """The document in canonical form with an enveloped signature behind its own Issuer (SAML Core §5.4)."""
        content = canonicalize(document)
        digest = _base64(hashlib.sha256(content.encode()).digest())
        info = canonicalize(render("saml_signed_info.xml", id=identifier, digest=digest))
        value = _base64(self.key.sign(info.encode(), padding.PKCS1v15(), hashes.SHA256()))
        signature = render("saml_signature.xml", signed_info=info, value=value, certificate=self.certificate)
        head, end, tail = content.partition(ISSUER_END)
        return head + end + signature + tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who writes Responses, with which key, and when (aware, UTC)."""

    issuer: str
    signer: Signer
    now: datetime

    def answer(self, request: AuthnRequest, user: DemoUser, session_index: str) -> str:
        """Who the user is (Profiles §4.1.4.2)."""
        identifier = _name()
        assertion = render(
            "saml_assertion.xml",
            id=identifier,
            session_index=session_index,
            issuer=self.issuer,
            request=request,
            name_id=name_of(user, request),
            attributes=attributes_of(user),
            now=instant(self.now),
            until=instant(self.now + LIFETIME),
        )
        return self._respond(request, assertion=self.signer.signed(assertion, identifier))

    def refusal(self, request: AuthnRequest, status: str) -> str:
        """Why there is no name: a second-level status code without its prefix (Core §3.2.2.2)."""
        return self._respond(request, status=status)

    def _respond(self, request: AuthnRequest, *, assertion: str = "", status: str = "") -> str:
        identifier, now = _name(), instant(self.now)
        document = render(
            "saml_response.xml", id=identifier, issuer=self.issuer, request=request, refusal=status, assertion=assertion, now=now
        )
        return self.signer.signed(document, identifier)


def metadata(*, entity_id: str, location: str, logout: str, signers: Sequence[Signer]) -> str:
    """Our EntityDescriptor, unsigned (SAML Metadata §2.4.3)."""
    certificates = [signer.certificate for signer in signers]
    return render("saml_metadata.xml", entity_id=entity_id, location=location, logout=logout, certificates=certificates)


def name_of(user: DemoUser, request: AuthnRequest) -> str:
    """The user's name in the format that was asked for."""
    return user.email if request.name_id_format == EMAIL else user.sub


def attributes_of(user: DemoUser) -> Mapping[str, Sequence[str]]:
    """What every answer says of the user."""
    return {"name": (user.name,), "email": (user.email,), "groups": user.groups}


def _name() -> str:
    """Unguessable, and an XML ID: it may not begin with a digit."""
    return f"_{secrets.token_hex(16)}"


def instant(time: datetime) -> str:
    """As SAML writes it (Core §1.3.3)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
