"""Makes SAML messages, good and bad, with libxmlsec: another implementation of signatures and encryption than the one under test.

A message begins as a `Shape` (what it says), becomes a tree, is signed and encrypted, and ends as the posted parameter.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from lxml import etree

from gateway.protocol.saml import Certificate, IdentityProviderMetadata, KeyPair, SentRequest, ServiceProvider, read_certificate
from tests.fakes import NOON

P = "urn:oasis:names:tc:SAML:2.0:protocol"
A = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}  # noqa: S303
NS = {"samlp": P, "saml": A, "ds": DS, "xenc": XENC}
ACS = "https://gateway.example.com/idp/corp/acs"
SP = "https://gateway.example.com/idp/corp/metadata"
IDP = "https://idp.example.com/metadata"
REQUEST = "_c0ffee0123456789c0ffee0123456789"
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"

ATTRIBUTES = (
    ("mail", ("alice@example.com",)),
    ("groups", ("qlik-users", "finance")),
    ("displayName", ("Alice Exämple",)),
    ("department", ("R&D <core>",)),
)


@dataclass(frozen=True)
class Party:
    """A name with a key and a self-signed certificate."""

    name: str
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def trusted_base64(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def trusted(self) -> Certificate:
        return read_certificate(self.certificate_pem)

    @property
    def pair(self) -> KeyPair:
        return KeyPair(key=self.key, certificate=self.trusted)

    def signing_key(self) -> Any:
        key = xmlsec.Key.from_memory(self.key_pem, xmlsec.KeyFormat.PEM, None)
        key.load_cert_from_memory(self.certificate_pem, xmlsec.KeyFormat.PEM)
        return key


@cache
def party(name: str, *, bits: int = 2048, curve: str | None = None, ended: bool = False) -> Party:
    """The party of that name; keys are made once for each process. `ended`: its certificate is no longer valid at noon."""
    key = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[curve] if curve else None
    private = ec.generate_private_key(key) if key else rsa.generate_private_key(65537, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=365))
        .not_valid_after(NOON + timedelta(days=-1 if ended else 3650))
        .sign(private, hashes.SHA256())
    )
    return Party(name, private, certificate)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a Response says. Offsets are seconds from `now`; None leaves the part out."""

    now: datetime = NOON
    response_id: str = "_response"
    assertion_id: str = "_assertion"
    in_response_to: str | None = REQUEST
    confirmed_for: str | None = REQUEST
    destination: str | None = ACS
    recipient: str | None = ACS
    issuer: str | None = IDP
    response_issuer: str | None = IDP
    version: str = "2.0"
    assertion_version: str = "2.0"
    issued: int = 0
    response_issued: int = 0
    not_before: int | None = -60
    not_on_or_after: int | None = 300
    confirmed_from: int | None = None
    confirmed_until: int | None = 300
    session_until: int | None = 28800
    signed_in: int = 0
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    audience: str = f"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>"
    extra_conditions: str = ""
    name_id: str = "alice@example.com"
    name_id_attributes: str = f'Format="{EMAIL_FORMAT}"'
    name_id_element: str | None = None
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    other_confirmations: str = ""
    context: str = PASSWORD
    session_index: str | None = "_session"
    attributes: Sequence[tuple[str, Sequence[str]]] = ATTRIBUTES
    extra_attributes: str = ""
    extensions: str = ""
    response_namespaces: str = ""

    def at(self, offset: int) -> str:
        return (self.now + timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def xml(self) -> str:
        """The unsigned Response."""
        issuer = f"<saml:Issuer>{self.response_issuer}</saml:Issuer>" if self.response_issuer is not None else ""
        return (
            f'<samlp:Response xmlns:samlp="{P}" xmlns:saml="{A}"{self.response_namespaces} ID="{self.response_id}"'
            f' Version="{self.version}" IssueInstant="{self.at(self.response_issued)}"{_attribute("Destination", self.destination)}'
            f"{_attribute('InResponseTo', self.in_response_to)}>{issuer}{self.extensions}"
            f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status>{self.assertion()}</samlp:Response>'
        )

    def assertion(self) -> str:
        issuer = f"<saml:Issuer>{self.issuer}</saml:Issuer>" if self.issuer is not None else ""
        name_id = self.name_id_element
        if name_id is None:
            name_id = f"<saml:NameID {self.name_id_attributes}>{self.name_id}</saml:NameID>"
        return (
            f'<saml:Assertion ID="{self.assertion_id}" Version="{self.assertion_version}" IssueInstant="{self.at(self.issued)}">{issuer}'
            f'<saml:Subject>{name_id}{self.other_confirmations}<saml:SubjectConfirmation Method="{self.method}">'
            f"<saml:SubjectConfirmationData"
            f"{self._time('NotBefore', self.confirmed_from)}{self._time('NotOnOrAfter', self.confirmed_until)}"
            f"{_attribute('Recipient', self.recipient)}{_attribute('InResponseTo', self.confirmed_for)}/>"
            "</saml:SubjectConfirmation></saml:Subject>"
            f"<saml:Conditions{self._time('NotBefore', self.not_before)}{self._time('NotOnOrAfter', self.not_on_or_after)}>"
            f"{self.audience}{self.extra_conditions}</saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{self.at(self.signed_in)}"{self._time("SessionNotOnOrAfter", self.session_until)}'
            f"{_attribute('SessionIndex', self.session_index)}><saml:AuthnContext><saml:AuthnContextClassRef>{self.context}"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f"{self.attribute_statement()}</saml:Assertion>"
        )

    def attribute_statement(self) -> str:
        inside = "".join(attribute(name, *values) for name, values in self.attributes) + self.extra_attributes
        return f"<saml:AttributeStatement>{inside}</saml:AttributeStatement>" if inside else ""

    def _time(self, name: str, offset: int | None) -> str:
        return "" if offset is None else _attribute(name, self.at(offset))


def attribute(name: str, *values: str, friendly: str | None = None, typed: bool = True) -> str:
    """One attribute; `values` are XML text, escaped here."""
    kind = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"'
    inside = "".join(f"<saml:AttributeValue{kind if typed else ''}>{escape(one)}</saml:AttributeValue>" for one in values)
    return f'<saml:Attribute Name="{name}" NameFormat="{BASIC}"{_attribute("FriendlyName", friendly)}>{inside}</saml:Attribute>'


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def tree(xml: str | bytes) -> Any:
    """Parse without any of the limits of the code under test."""
    data = xml.encode() if isinstance(xml, str) else xml
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def sign(
    element: Any,
    by: Party,
    *,
    method: Any = xmlsec.Transform.RSA_SHA256,
    digest: Any = xmlsec.Transform.SHA256,
    canonicalization: Any = xmlsec.Transform.EXCL_C14N,
    key: Any = None,
    uri: str | None = None,
    prefixes: Sequence[str] = (),
    position: int = 1,
    tail: str | None = None,
    key_info: bool = True,
    transforms: Callable[[Any], None] | None = None,
) -> Any:
    """Put an enveloped signature into an element, behind its Issuer."""
    signature = xmlsec.template.create(element, canonicalization, method, ns="ds")
    element.insert(position, signature)
    signature.tail = tail
    reference = xmlsec.template.add_reference(signature, digest, uri="#" + element.get("ID") if uri is None else uri)
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    if transforms is not None:
        transforms(reference)
    exclusive = xmlsec.template.add_transform(reference, canonicalization)
    if prefixes:
        xmlsec.template.transform_add_c14n_inclusive_namespaces(exclusive, list(prefixes))
    if key_info:
        xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.tree.add_ids(element.getroottree().getroot(), ["ID"])
    context = xmlsec.SignatureContext()
    context.key = key or by.signing_key()
    context.sign(signature)
    return signature


def signed(shape: Shape | None = None, which: str = "assertion", by: Party | None = None, **how: Any) -> Any:
    """The tree of a Response whose `assertion`, `response` or `both` are signed, or `none`."""
    root = tree((shape or Shape()).xml())
    signer = by or party("idp")
    if which in {"assertion", "both"}:
        sign(root.find("saml:Assertion", NS), signer, **how)
    if which in {"response", "both"}:
        sign(root, signer, **how)
    return fresh(root)


def signed_text(xml: str) -> Any:
    """A Response written by hand, its assertion signed."""
    root = tree(xml)
    sign(root.find("saml:Assertion", NS), party("idp"))
    return root


def fresh(root: Any) -> Any:
    """The same tree parsed anew: lxml does not find what libxmlsec has put in under names that were not in the document before."""
    return tree(etree.tostring(root))


def encrypt(
    root: Any,
    *,
    to: Party | None = None,
    block: Any = xmlsec.Transform.AES256_GCM,
    wrapping: Any = xmlsec.Transform.RSA_OAEP,
    bits: int = 256,
    kind: Any = xmlsec.KeyData.AES,
    alone: bool = True,
) -> Any:
    """Encrypt the assertion in place. `alone`: it carries its own namespace declarations."""
    assertion = root.find("saml:Assertion", NS)
    place = root.index(assertion)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory((to or party("sp")).certificate_pem, xmlsec.KeyFormat.CERT_PEM, None))
    data = xmlsec.template.encrypted_data_create(assertion, block, type=xmlsec.EncryptionType.ELEMENT, ns="xenc")
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    xmlsec.template.encrypted_data_ensure_cipher_value(xmlsec.template.add_encrypted_key(info, wrapping))
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(kind, bits, xmlsec.KeyDataType.SESSION)
    done = context.encrypt_xml(data, etree.fromstring(etree.tostring(assertion)) if alone else assertion)
    if alone:
        root.remove(assertion)
    else:
        done.getparent().remove(done)
    around = etree.Element(f"{{{A}}}EncryptedAssertion", nsmap={"saml": A})
    around.append(done)
    root.insert(place, around)
    return fresh(root)


def sealed_by_hand(root: Any, *, digest: str | None = None, mask: str | None = None, plain: bytes | None = None) -> Any:
    """Encrypt the assertion (or any other `plain`) with the RSA-OAEP of XML Encryption 1.1 and AES-GCM, without libxmlsec."""
    assertion = root.find("saml:Assertion", NS)
    key, nonce = os.urandom(32), os.urandom(12)
    public = party("sp").certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(HASHES[mask or "sha1"]), HASHES[digest or "sha1"], None)
    data = nonce + AESGCM(key).encrypt(nonce, etree.tostring(assertion) if plain is None else plain, None)
    uri = {"sha1": DS, "sha384": "http://www.w3.org/2001/04/xmldsig-more#"}.get(digest or "", XENC)
    methods = f'<ds:DigestMethod Algorithm="{uri}{digest}"/>' if digest else ""
    methods += f'<x:MGF xmlns:x="{XENC11}" Algorithm="{XENC11}mgf1{mask}"/>' if mask else ""
    sealed = tree(
        f'<saml:EncryptedAssertion xmlns:saml="{A}" xmlns:xenc="{XENC}" xmlns:ds="{DS}"><xenc:EncryptedData>'
        f'<xenc:EncryptionMethod Algorithm="{XENC11}aes256-gcm"/><ds:KeyInfo><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{XENC11}rsa-oaep">{methods}</xenc:EncryptionMethod>'
        f"{_cipher(public.encrypt(key, oaep))}</xenc:EncryptedKey></ds:KeyInfo>{_cipher(data)}</xenc:EncryptedData>"
        "</saml:EncryptedAssertion>"
    )
    root.replace(assertion, sealed)
    return root


def _cipher(data: bytes) -> str:
    return f"<xenc:CipherData><xenc:CipherValue>{base64.b64encode(data).decode()}</xenc:CipherValue></xenc:CipherData>"


def post(message: Any) -> str:
    """The parameter `SAMLResponse`, from a tree, text or bytes."""
    if isinstance(message, str):
        message = message.encode()
    raw = message if isinstance(message, bytes) else etree.tostring(message)
    return base64.b64encode(raw).decode()


def us(**changes: Any) -> ServiceProvider:
    """The service provider that every good message is for; its own engine decides alone unless `second_opinion=True`."""
    plain = ServiceProvider(entity_id=SP, acs_url=ACS, idp_entity_id=IDP, keys=(party("sp").pair,), second_opinion=False)
    return replace(plain, **changes)


def them(*signers: Party, **changes: Any) -> IdentityProviderMetadata:
    """The provider that signs every good message."""
    trusted = tuple(one.trusted for one in signers or (party("idp"),))
    plain = IdentityProviderMetadata(entity_id=IDP, certificates=trusted, sso_redirect="https://idp.example.com/sso")
    return replace(plain, **changes)


SENT = SentRequest(id=REQUEST, at=NOON - timedelta(seconds=30))


def _attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{value}"'
