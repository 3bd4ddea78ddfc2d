"""Makes a provider's logout messages, good and bad: by POST signed with libxmlsec, by redirect with `cryptography` alone."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from gateway.model import Channel, LogoutMessage
from gateway.protocol.saml import IdentityProviderMetadata, LogoutService, ServiceProvider
from tests.fakes import NOON
from tests.peers import saml_forge
from tests.peers.saml_forge import EMAIL_FORMAT, IDP, A, P, Party, fresh, party, post, sign, tree

SLO = "https://gateway.example.com/idp/corp/slo"
IDP_SLO = "https://idp.example.com/slo"
OUR_REQUEST = "_0ur5e1f"
RELAY = "relay-state-of-the-provider"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"


@dataclass(frozen=True)
class Logout:
    """What a message says. Offsets are seconds from `now`; None leaves the part out."""

    kind: str = "LogoutRequest"
    now: datetime = NOON
    id: str | None = "_logout"
    version: str = "2.0"
    issued: int = 0
    destination: str | None = SLO
    until: int | None = 300
    issuer: str | None = IDP
    name_id: str = f'<saml:NameID Format="{EMAIL_FORMAT}">alice@example.com</saml:NameID>'
    sessions: Sequence[str] = ("_session",)
    in_response_to: str | None = OUR_REQUEST
    status: str = f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'
    more: str = ""

    def xml(self) -> str:
        """The unsigned message."""
        request = self.kind == "LogoutRequest"
        attributes = {
            "ID": self.id,
            "Version": self.version,
            "IssueInstant": self._at(self.issued),
            "Destination": self.destination,
            "NotOnOrAfter": self._at(self.until) if request and self.until is not None else None,
            "InResponseTo": None if request else self.in_response_to,
        }
        start = "".join(f' {name}="{value}"' for name, value in attributes.items() if value is not None)
        issuer = "" if self.issuer is None else f"<saml:Issuer>{self.issuer}</saml:Issuer>"
        sessions = "".join(f"<samlp:SessionIndex>{one}</samlp:SessionIndex>" for one in self.sessions)
        inside = self.name_id + sessions if request else self.status
        return f'<samlp:{self.kind} xmlns:samlp="{P}" xmlns:saml="{A}"{start}>{issuer}{self.more}{inside}</samlp:{self.kind}>'

    @property
    def parameter(self) -> str:
        return "SAMLRequest" if self.kind == "LogoutRequest" else "SAMLResponse"

    def _at(self, offset: int) -> str:
        return (self.now + timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(**changes: Any) -> Logout:
    """A good LogoutResponse to our request."""
    return replace(Logout(kind="LogoutResponse"), **changes)


def posted(message: Logout, by: Party | None = None, relay_state: str | None = RELAY, **how: Any) -> LogoutMessage:
    """By POST, signed."""
    return as_posted(signed(message, by, **how), message.parameter, relay_state)


def signed(message: Logout, by: Party | None = None, **how: Any) -> Any:
    """The tree with a signature of the root."""
    signer = by or party("idp")
    methods = {"method": xmlsec.Transform.ECDSA_SHA256} if isinstance(signer.key, ec.EllipticCurvePrivateKey) else {}
    root = tree(message.xml())
    sign(root, signer, **methods | how)
    return fresh(root)


def as_posted(message: Any, parameter: str = "SAMLRequest", relay_state: str | None = RELAY) -> LogoutMessage:
    """A tree, text or bytes as a form brings it."""
    fields = {parameter: post(message)} | ({} if relay_state is None else {"RelayState": relay_state})
    return LogoutMessage(channel=Channel.POST, fields=fields)


def deflated(document: bytes) -> str:
    """The DEFLATE encoding, escaped."""
    compressor = zlib.compressobj(9, wbits=-15)
    return escaped(compressor.compress(document) + compressor.flush())


def escaped(data: bytes) -> str:
    return quote(base64.b64encode(data), safe="")


def query(message: Logout | str, by: Party | None = None, relay_state: str | None = RELAY, **how: Any) -> str:
    """A signed query. `message`: what it says, or the escaped parameter; `how`: `method`, `der`, `parameter`."""
    parameter = how.get("parameter") or (message.parameter if isinstance(message, Logout) else "SAMLRequest")
    content = message if isinstance(message, str) else deflated(message.xml().encode())
    signer = by or party("idp")
    method = how.get("method") or (ECDSA_SHA256 if isinstance(signer.key, ec.EllipticCurvePrivateKey) else RSA_SHA256)
    pieces = [f"{parameter}={content}"]
    if relay_state is not None:
        pieces.append(f"RelayState={quote(relay_state, safe='')}")
    text = "&".join([*pieces, f"SigAlg={quote(method, safe='')}"])
    return f"{text}&Signature={escaped(value(signer, text.encode(), der=how.get('der', False)))}"


def value(signer: Party, data: bytes, *, der: bool = False) -> bytes:
    """A signature value over SHA-256; an elliptic one as two numbers side by side, or as DER."""
    if not isinstance(signer.key, ec.EllipticCurvePrivateKey):
        return signer.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    made = signer.key.sign(data, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(made)
    size = (signer.key.key_size + 7) // 8
    return made if der else r.to_bytes(size, "big") + s.to_bytes(size, "big")


def redirected(raw_query: str) -> LogoutMessage:
    """As a redirect brings it; the fields are not looked at."""
    return LogoutMessage(channel=Channel.REDIRECT, fields={"SAMLRequest": "never looked at"}, raw_query=raw_query)


def us(**changes: Any) -> ServiceProvider:
    return saml_forge.us(**{"slo_url": SLO} | changes)


def them(*signers: Party, **changes: Any) -> IdentityProviderMetadata:
    everywhere = LogoutService(
        redirect=IDP_SLO, post=f"{IDP_SLO}/post", redirect_answers=f"{IDP_SLO}/done", post_answers=f"{IDP_SLO}/post/done"
    )
    return saml_forge.them(*signers, **{"logout": everywhere} | changes)


def text_of(root: Any) -> str:
    return etree.tostring(root, encoding="unicode")
