"""How the driver's identity provider signs: with RSA, as most do, or on P-256, which takes it an eighth of the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.bench import wire

SHA256, PKCS1 = hashes.SHA256(), padding.PKCS1v15()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """`alg`: its name for tokens (RFC 7518 §3.1). `method`: for XML (RFC 6931 §2.3). `jwk`: the public key (RFC 7518 §6)."""

    alg: str
    method: str
    jwk: Mapping[str, str]
    certificate: x509.Certificate
    sign: Callable[[bytes], bytes]


def by_rsa() -> Signing:
    """RSA-2048."""
    key, certificate = rsa_pair()
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": wire.encoded(numbers.n.to_bytes(256, "big")), "e": wire.encoded(numbers.e.to_bytes(3, "big"))}
    method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    return Signing(alg="RS256", method=method, jwk=jwk, certificate=certificate, sign=lambda data: key.sign(data, PKCS1, SHA256))


def by_p256() -> Signing:
    """ECDSA: tokens and XML have the signature's two numbers side by side (RFC 7518 §3.4, XML Signature §6.4.3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers, algorithm = key.public_key().public_numbers(), ec.ECDSA(SHA256)

    def sign(data: bytes) -> bytes:
        return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(key.sign(data, algorithm)))

    jwk = {"kty": "EC", "crv": "P-256", **{name: wire.encoded(getattr(numbers, name).to_bytes(32, "big")) for name in "xy"}}
    method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    return Signing(alg="ES256", method=method, jwk=jwk, certificate=_certificate(key), sign=sign)


def rsa_pair() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """A key and its self-signed certificate."""
    key = rsa.generate_private_key(65537, 2048)
    return key, _certificate(key)


def write_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    """For peers that want a key of their own."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now, name = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    since, until = now - timedelta(days=1), now + timedelta(days=90)
    return x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), since, until).sign(key, SHA256)
