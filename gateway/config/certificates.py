"""Ordinary certificates: the pair of our own front, roots to trust, and how long any certificate is still valid. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from gateway.config.diagnostics import Code, Severity
from gateway.config.document import Document
from gateway.config.tree import Node
from gateway.config.values import Refusal

SOON = timedelta(days=30)


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """At least one certificate. Raises `Refusal`."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise Refusal(Code.MATERIAL, "this file holds no readable certificate", "PEM form: -----BEGIN CERTIFICATE-----") from None


def plain_pem(pem: bytes) -> bytes:
    """The certificates alone, without the comments between them, which may be of any encoding. Raises `Refusal`."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in read_certificates(pem))


def check_pair(certificate: x509.Certificate, key: bytes) -> None:
    """The key is this certificate's, and not encrypted. Raises `Refusal`."""
    try:
        private = load_pem_private_key(key, None)
    except TypeError:
        raise Refusal(Code.MATERIAL, "this key is encrypted: the gateway cannot open it", "openssl pkey removes the password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Refusal(Code.MATERIAL, "this file holds no readable private key", "PEM form: -----BEGIN PRIVATE KEY-----") from None
    if private.public_key() != certificate.public_key():
        raise Refusal(Code.MATERIAL, "this is not the key of the certificate")


def report_validity(document: Document, place: Node | None, problem: str | None, not_after: datetime, now: datetime) -> None:
    """An error for a certificate that is not valid now (`problem` says why), a warning for one that soon is not."""
    if problem is not None:
        document.report(Code.MATERIAL, place, problem)
    elif not_after - now < SOON:
        message = f"this certificate expires on {not_after:%Y-%m-%d}"
        document.report(Code.EXPIRES_SOON, place, message, "renew it before", severity=Severity.WARNING)


def validity_problem(certificate: x509.Certificate, now: datetime) -> str | None:
    """A sentence for a certificate that is not valid now."""
    if now > certificate.not_valid_after_utc:
        return f"this certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        return f"this certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    return None
