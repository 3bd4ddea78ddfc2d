"""Keys and certificates: loaded once, strong enough, and never taken from a message.

A certificate is a container for a key here: trust comes from the configuration or from the metadata that it stands in,
not from its issuer or its dates (SAML Metadata §2.4.1.1). An expired one still verifies; its dates are there to be shown.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

MIN_RSA_BITS: Final = 2048
CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and the key inside. `read_certificate` makes one."""

    x509: x509.Certificate
    key: PublicKey

    @property
    def fingerprint(self) -> str:
        """The first 64 bits of its SHA-256: a name for logs."""
        return self.x509.fingerprint(SHA256()).hex()[:16]

    @property
    def ends(self) -> datetime:
        """When it ends; aware, UTC."""
        return self.x509.not_valid_after_utc

    @property
    def base64(self) -> str:
        """As `ds:X509Certificate` holds it."""
        return base64.b64encode(self.x509.public_bytes(Encoding.DER)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Our own key with its certificate, by which two are compared."""

    key: PrivateKey = field(repr=False, compare=False)
    certificate: Certificate


def read_certificate(data: bytes) -> Certificate:
    """Load a certificate, PEM or DER. Raises `ValueError` with a sentence: unreadable, or a key that is too weak or of another kind."""
    try:
        loaded = x509.load_pem_x509_certificate(data) if b"-----BEGIN" in data else x509.load_der_x509_certificate(data)
        key = loaded.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError("this is not a certificate in PEM or DER form") from None
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        check_strength(key)
        return Certificate(x509=loaded, key=key)
    raise ValueError("the key in this certificate is neither RSA nor ECDSA")


def read_base64_certificate(text: str) -> Certificate:
    """Load the content of a `ds:X509Certificate`. Raises `ValueError` with a sentence."""
    try:
        data = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        raise ValueError("this certificate is not in base64") from None
    return read_certificate(data)


def read_key_pair(key: bytes, certificate: bytes, password: bytes | None = None) -> KeyPair:
    """Load our own key (PEM) and its certificate. Raises `ValueError` with a sentence, also when they do not belong together."""
    loaded, public = read_private_key(key, password), read_certificate(certificate)
    if loaded.public_key() != public.key:
        raise ValueError("the key does not belong to the certificate")
    return KeyPair(key=loaded, certificate=public)


def read_private_key(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """Load a private key, PEM. Raises `ValueError` with a sentence."""
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("this is not a private key in PEM form, or its password is wrong") from None
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        check_strength(key.public_key())
        return key
    raise ValueError("the key is neither RSA nor ECDSA")


def check_strength(key: PublicKey) -> None:
    """RSA from 2048 bits, ECDSA on P-256, P-384 or P-521. Raises `ValueError` with a sentence."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"an RSA key of {key.key_size} bits is too weak; at least {MIN_RSA_BITS} are needed")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CURVES:
        raise ValueError(f"the curve {key.curve.name} cannot be used; P-256, P-384 and P-521 can")
