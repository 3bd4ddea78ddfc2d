"""Throw-away certificates for the simulated Qlik site and for https in tests and in the demo.

`make_site` gives what the QMC exports, in the shape that real installations have (Qlik "Certificates"): a root without
BasicConstraints and KeyUsage, servers named by their common name alone, and a client called `QlikClient`, all RSA 2048 with
SHA-256, valid for ten years and a week. `make_web` gives what browsers expect instead: an ordinary CA and servers with a
subjectAltName. Keys are made here and live as long as their caller; nothing is written anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SITE_VALIDITY = timedelta(days=3652 + 7)
WEB_VALIDITY = timedelta(days=90)
BACKDATED = timedelta(hours=1)  # peers whose clocks are a little behind accept the certificates all the same

QLIK_ROLE = x509.ObjectIdentifier("1.3.6.1.5.5.7.13.3")
"""The private extension in which Qlik notes what a certificate is: Root, Service or Client."""

Pair = tuple[bytes, bytes]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCertificates:
    """One Qlik site's certificates as PEM. `servers`: host -> (certificate, key)."""

    root: bytes
    servers: Mapping[str, Pair] = field(repr=False)
    client: bytes
    client_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCertificates:
    """An ordinary CA and its servers as PEM. `servers`: host -> (certificate, key)."""

    ca: bytes
    servers: Mapping[str, Pair] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issuer:
    name: x509.Name
    key: Key
    not_before: datetime
    validity: timedelta

    def builder(self, subject: x509.Name, key: Key) -> x509.CertificateBuilder:
        """What every certificate of this issuer has in common."""
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=self.name, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_before + self.validity)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def sign(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def make_site(hosts: Sequence[str], *, host_of_root: str, not_before: datetime | None = None) -> SiteCertificates:
    """Make the certificates of a site whose central node is `host_of_root` and whose proxy nodes are `hosts` (names or addresses)."""
    issuer = _Issuer(
        name=_common_name(f"{host_of_root}-CA"),
        key=_rsa_key(),
        not_before=not_before or datetime.now(UTC) - BACKDATED,
        validity=SITE_VALIDITY,
    )
    client_key = _rsa_key()
    return SiteCertificates(
        root=issuer.sign(_with_role(issuer.builder(issuer.name, issuer.key), "Root")),
        servers={host: _site_server(issuer, host) for host in hosts},
        client=issuer.sign(_with_role(issuer.builder(_common_name("QlikClient"), client_key), "Client")),
        client_key=_pkcs1(client_key),
    )


def make_web(hosts: Sequence[str], *, not_before: datetime | None = None) -> WebCertificates:
    """Make an ordinary CA and one certificate for each of `hosts` (names or addresses)."""
    issuer = _Issuer(
        name=_common_name("qlikgw throw-away CA"),
        key=_ec_key(),
        not_before=not_before or datetime.now(UTC) - BACKDATED,
        validity=WEB_VALIDITY,
    )
    ca = (
        issuer.builder(issuer.name, issuer.key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(cert_sign=True), critical=True)
    )
    return WebCertificates(ca=issuer.sign(ca), servers={host: _web_server(issuer, host) for host in hosts})


def make_service_provider(*, not_before: datetime | None = None) -> Pair:
    """A SAML service provider's certificate, signed by itself, and its key; RSA."""
    name, key = _common_name("Demo service provider"), _rsa_key()
    issuer = _Issuer(name=name, key=key, not_before=not_before or datetime.now(UTC) - BACKDATED, validity=WEB_VALIDITY)
    return issuer.sign(issuer.builder(name, key)), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _site_server(issuer: _Issuer, host: str) -> Pair:
    key = _rsa_key()
    return issuer.sign(_with_role(issuer.builder(_common_name(host), key), "Service")), _pkcs1(key)


def _web_server(issuer: _Issuer, host: str) -> Pair:
    key = _ec_key()
    certificate = (
        issuer.builder(_common_name(host), key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(cert_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
    )
    return issuer.sign(certificate), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _with_role(builder: x509.CertificateBuilder, role: str) -> x509.CertificateBuilder:
    # That the value is a DER UTF8String is inferred; nobody reads it.
    value = bytes([0x0C, len(role)]) + role.encode("ascii")
    return builder.add_extension(x509.UnrecognizedExtension(QLIK_ROLE, value), critical=False)


def _common_name(value: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=cert_sign,
        crl_sign=cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pkcs1(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
