"""`qlikgw keygen`: keys, fresh from the system's randomness, alone on standard output."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from gateway.sealing import KEY_SIZE

SAML_KEY_BITS = 3072
SAML_VALIDITY = timedelta(days=3 * 365)
BACKDATED = timedelta(minutes=5)  # for peers whose clocks are a little behind


@click.group()
def keygen() -> None:
    """Make a key and print it, and nothing else. Keep it from others: umask 077; qlikgw keygen cookie > certs/cookie.key."""


@keygen.command()
def cookie() -> None:
    """Print a key for cookie_keys: 32 random bytes in base64url."""
    click.echo(urlsafe_b64encode(secrets.token_bytes(KEY_SIZE)).rstrip(b"=").decode("ascii"))


@keygen.command()
def jwk() -> None:
    """Print a private JWK (P-256, ES256) for client_auth: {method: private_key_jwt, key: PATH}."""
    key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": "ES256"}, private=True)
    click.echo(json.dumps({**key.as_dict(private=True), "kid": key.thumbprint()}))


@keygen.command()
def saml() -> None:
    """Print a key (RSA 3072) and a certificate for it (three years), both PEM, for a SAML service provider."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=SAML_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "qlikgw SAML service provider")])
    start = datetime.now(UTC) - BACKDATED
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + SAML_VALIDITY)
        .sign(key, hashes.SHA256())
    )
    click.echo(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"), nl=False)
    click.echo(certificate.public_bytes(Encoding.PEM).decode("ascii"), nl=False)
