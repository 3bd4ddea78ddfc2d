"""The identity provider of the driver: answers the browser in process, and the system under test by HTTPS.

ID tokens are signed one by one, for each holds its login's nonce. SAML responses are written in
exclusive canonical form, so that a digest is a hash of the text: no XML library slows the driver down.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from string import Template
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import serialization

from tests.bench import wire
from tests.bench.signing import Signing

USERS = 10_000
CLIENT_ID, CLIENT_SECRET = "bench", "bench-secret"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
PROTOCOL, ASSERTION = "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:assertion"
BINDINGS = "urn:oasis:names:tc:SAML:2.0:bindings"

SIGNED_INFO = Template(
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="$method"></ds:SignatureMethod>'
    '<ds:Reference URI="#$id"><ds:Transforms>'
    '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>'
    '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms>'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
    "<ds:DigestValue>$digest</ds:DigestValue></ds:Reference>"
)
HEAD = Template(f'<saml:Assertion xmlns:saml="{ASSERTION}" ID="$id" IssueInstant="$now" Version="2.0"><saml:Issuer>$entity</saml:Issuer>')
TAIL = Template(
    '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">$user</saml:NameID>'
    '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
    'InResponseTo="$request" NotOnOrAfter="$until" Recipient="$acs"></saml:SubjectConfirmationData></saml:SubjectConfirmation>'
    '</saml:Subject><saml:Conditions NotBefore="$since" NotOnOrAfter="$until"><saml:AudienceRestriction>'
    "<saml:Audience>$audience</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
    '<saml:AuthnStatement AuthnInstant="$now" SessionIndex="$session"><saml:AuthnContext><saml:AuthnContextClassRef>'
    "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext>"
    "</saml:AuthnStatement><saml:AttributeStatement>$attributes</saml:AttributeStatement></saml:Assertion>"
)
RESPONSE = Template(
    f'<samlp:Response xmlns:samlp="{PROTOCOL}" Destination="$acs" ID="$id" InResponseTo="$request" IssueInstant="$now" Version="2.0">'
    f'<saml:Issuer xmlns:saml="{ASSERTION}">$entity</saml:Issuer><samlp:Status><samlp:StatusCode '
    'Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>$assertion</samlp:Response>'
)
METADATA = Template(
    f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="$entity"><md:IDPSSODescriptor '
    f'WantAuthnRequestsSigned="false" protocolSupportEnumeration="{PROTOCOL}"><md:KeyDescriptor use="signing">'
    f'<ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>$certificate</ds:X509Certificate></ds:X509Data></ds:KeyInfo>'
    f'</md:KeyDescriptor><md:SingleSignOnService Binding="{BINDINGS}:HTTP-Redirect" Location="$issuer/saml/sso"/>'
    f'<md:SingleSignOnService Binding="{BINDINGS}:HTTP-POST" Location="$issuer/saml/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
)
REQUEST_ID, REQUEST_ISSUER = re.compile(r'\bID="([^"]+)'), re.compile(r"<(?:\w+:)?Issuer[^>]*>([^<]+)<")
REQUEST_ACS = re.compile(r'AssertionConsumerServiceURL="([^"]+)')


@dataclass(frozen=True, slots=True)
class Step:
    """What the browser does next. `form`: the urlencoded fields of a POST."""

    url: str
    form: str | None = None


@dataclass(slots=True)
class IdentityProvider:
    """OpenID provider and SAML identity provider at one `issuer`. Everybody is in all of `groups`."""

    issuer: str
    signing: Signing
    groups: Sequence[str]
    counts: Counter[str] = field(default_factory=Counter)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _certificate: str = field(init=False)

    def __post_init__(self) -> None:
        self._certificate = base64.b64encode(self.signing.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def entity_id(self) -> str:
        return f"{self.issuer}/saml/metadata"

    @property
    def jwks(self) -> bytes:
        return json.dumps({"keys": [{"use": "sig", "alg": self.signing.alg, "kid": "bench", **self.signing.jwk}]}).encode()

    @property
    def metadata(self) -> str:
        return METADATA.substitute(entity=self.entity_id, issuer=self.issuer, certificate=self._certificate)

    def continues(self, step: Step) -> Step:
        """A browser came: it leaves signed in. OIDC Core §3.1.2, SAML Bindings §3.4 and §3.5."""
        path, _, query = step.url.partition("?")
        fields = dict(parse_qsl(query if step.form is None else step.form))
        return self._respond(fields, posted=step.form is not None) if path.endswith("/saml/sso") else self._authorize(fields)

    def serve(self, message: wire.Message) -> bytes:
        """The back channel."""
        _, target, _ = message.first.split(" ", 2)
        path = target.partition("?")[0]
        self.counts[path] += 1
        if path == "/token":
            return wire.answer(*self.token(message.body), **{"Cache-Control": "no-store"})
        if path == "/jwks":
            return wire.answer(200, self.jwks)
        if path == "/.well-known/openid-configuration":
            return wire.answer(200, self._discovery())
        if path == "/saml/metadata":
            return wire.answer(200, self.metadata.encode(), "application/samlmetadata+xml")
        return wire.answer(404)

    def _discovery(self) -> bytes:
        issuer = self.issuer
        document = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.signing.alg],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "email"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
        return json.dumps(document).encode()

    def _authorize(self, fields: dict[str, str]) -> Step:
        code = secrets.token_urlsafe(18)
        self._codes[code] = fields
        answer = urlencode({"code": code, "state": fields.get("state", ""), "iss": self.issuer})
        to = fields["redirect_uri"]
        return Step(to, answer) if fields.get("response_mode") == "form_post" else Step(f"{to}{'&' if '?' in to else '?'}{answer}")

    def token(self, body: bytes) -> tuple[int, bytes]:
        fields = dict(parse_qsl(body.decode()))
        asked = self._codes.pop(fields.get("code", ""), {})
        challenge = asked.get("code_challenge")
        if not asked or (challenge and wire.encoded(hashlib.sha256(fields.get("code_verifier", "").encode()).digest()) != challenge):
            return 400, b'{"error":"invalid_grant"}'
        now, user = int(time.time()), self._next_user()
        claims: dict[str, object] = {"iss": self.issuer, "sub": user, "aud": asked["client_id"], "iat": now, "exp": now + 300}
        claims |= {"email": f"{user}@example.com", "name": user, "groups": self.groups}
        claims |= {"nonce": asked["nonce"]} if "nonce" in asked else {}
        header = {"alg": self.signing.alg, "kid": "bench"}
        signed = ".".join(wire.encoded(json.dumps(part).encode()) for part in (header, claims))
        token = f"{signed}.{wire.encoded(self.signing.sign(signed.encode()))}"
        access = secrets.token_urlsafe(12)
        return 200, json.dumps({"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token}).encode()

    def _respond(self, fields: dict[str, str], *, posted: bool) -> Step:
        raw = base64.b64decode(fields["SAMLRequest"])
        request = (raw if posted else zlib.decompress(raw, -15)).decode()
        acs = html.unescape(found(REQUEST_ACS, request))
        response = self._response(
            acs=escape(acs), audience=found(REQUEST_ISSUER, request).strip(), request=found(REQUEST_ID, request), user=self._next_user()
        )
        form = f"SAMLResponse={quoted(base64.b64encode(response.encode()).decode())}"
        return Step(acs, form + (f"&{urlencode({'RelayState': fields['RelayState']})}" if "RelayState" in fields else ""))

    def _response(self, **of: str) -> str:
        now, name = datetime.now(UTC), "_" + secrets.token_hex(16)
        at = {name: (now + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%SZ") for name, s in (("since", -60), ("now", 0), ("until", 300))}
        values = of | at | {"id": name, "entity": escape(self.entity_id), "session": secrets.token_hex(8)}
        head = HEAD.substitute(values)
        tail = TAIL.substitute(values, attributes=attributes({"email": [f"{of['user']}@example.com"], "groups": self.groups}))
        assertion = f"{head}{self._signature(name, head + tail)}{tail}"
        return RESPONSE.substitute(values | {"id": "_" + secrets.token_hex(16)}, assertion=assertion)

    def _signature(self, name: str, canonical: str) -> str:
        digest = base64.b64encode(hashlib.sha256(canonical.encode()).digest()).decode()
        info = SIGNED_INFO.substitute(id=name, digest=digest, method=self.signing.method)
        signed = f'<ds:SignedInfo xmlns:ds="{DSIG}">{info}</ds:SignedInfo>'
        value = base64.b64encode(self.signing.sign(signed.encode())).decode()
        return (
            f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo>{info}</ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue>'
            f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{self._certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
        )

    def _next_user(self) -> str:
        self.counts["sign-ins"] += 1
        return f"user{self.counts['sign-ins'] % USERS}"


def attributes(values: dict[str, Sequence[str]]) -> str:
    """The statement's content."""
    return "".join(
        f'<saml:Attribute Name="{name}">'
        + "".join(f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue>" for value in several)
        + "</saml:Attribute>"
        for name, several in values.items()
    )


def quoted(text: str) -> str:
    """Base64 in a form. The standard library looks at each character, which cost more than all else that is done for a response."""
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def found(pattern: re.Pattern[str], text: str) -> str:
    """What a request of the system under test must say."""
    match = pattern.search(text)
    if match is None:
        raise ValueError(f"an AuthnRequest without {pattern.pattern}")
    return match[1]
