"""Our own signing key at a provider: read from PEM or JWK, published as a JWK set (OIDC Core §9, RFC 7517)."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.model import JsonValue
from gateway.protocol.oidc.jwk import MIN_RSA_BITS, PUBLIC_MEMBERS, AsymmetricKey, curve_of, import_private_key
from gateway.protocol.oidc.registration import PrivateKeyJwt
from gateway.protocol.oidc.schemes import ALGORITHMS
from gateway.protocol.oidc.strict_json import read_object

_PREFERRED: Final = ("RS256", "ES256", "EdDSA")  # EdDSA: every provider knows the old name, some know the new ones too
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def read_client_key(pem: bytes, password: bytes | None = None) -> PrivateKeyJwt:
    """A private key in PEM (PKCS #8, PKCS #1, SEC 1) or as a private JWK.

    The algorithm follows from the key (RS256, ES256, EdDSA) unless a JWK names another one in `alg`. Without a `kid`
    the key's RFC 7638 thumbprint serves. Raises `ValueError` with a sentence.
    """
    if pem.lstrip()[:1] == b"{":
        return _read_jwk(pem)
    return _client_key(_read_pem(pem, password), algorithm=None, kid=None, certificate=_read_certificate(pem))


def public_jwks(key: PrivateKeyJwt) -> dict[str, JsonValue]:
    """The public half as a JWK set, for the provider to fetch (RFC 7517 §5)."""
    members = key.key.as_dict(private=False)
    public: dict[str, JsonValue] = {name: str(members[name]) for name in ("kty", *PUBLIC_MEMBERS[key.key.key_type])}
    return {"keys": [public | {"kid": key.kid, "alg": key.algorithm, "use": "sig"}]}


def _read_jwk(text: bytes) -> PrivateKeyJwt:
    try:
        members = read_object(text)
        key = import_private_key(members)
    except ValueError as error:
        raise ValueError(f"The JWK cannot be used: {error}.") from error
    algorithm, kid = members.get("alg"), members.get("kid")
    return _client_key(
        key,
        algorithm=algorithm if isinstance(algorithm, str) else None,
        kid=kid if isinstance(kid, str) else None,
        certificate=None,
    )


def _read_pem(pem: bytes, password: bytes | None) -> AsymmetricKey:
    if b"PRIVATE KEY-----" not in pem:
        raise ValueError("The file holds no private key: neither PEM nor a JWK.")
    try:
        raw = load_pem_private_key(pem, password)
    except TypeError as error:
        raise ValueError("The key is encrypted and no password is given, or the other way round.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("The private key cannot be read: it is damaged, or the password is wrong.") from error
    match raw:
        case RSAPrivateKey() if raw.key_size >= MIN_RSA_BITS:
            return RSAKey.import_key(raw)
        case EllipticCurvePrivateKey() if isinstance(raw.curve, SECP256R1):
            return ECKey.import_key(raw)
        case Ed25519PrivateKey() | Ed448PrivateKey():
            return OKPKey.import_key(raw)
        case _:
            raise ValueError(f"The key cannot sign here; use RSA ({MIN_RSA_BITS} bits or more), P-256 or Ed25519.")


def _read_certificate(pem: bytes) -> str | None:
    """The thumbprint of the first certificate beside the key, if any (RFC 7515 §4.1.8)."""
    found = _CERTIFICATE.search(pem)
    if found is None:
        return None
    try:
        der = load_pem_x509_certificate(found[0]).public_bytes(Encoding.DER)
    except ValueError as error:
        raise ValueError("The certificate beside the private key cannot be read.") from error
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")


def _client_key(key: AsymmetricKey, *, algorithm: str | None, kid: str | None, certificate: str | None) -> PrivateKeyJwt:
    fitting = [name for name, schemes in ALGORITHMS.items() if any(s.fits(key.key_type, curve_of(key)) for s in schemes)]
    if not fitting:
        raise ValueError(f"The key cannot sign here; use RSA ({MIN_RSA_BITS} bits or more), P-256 or Ed25519.")
    if algorithm is None:
        algorithm = next(name for name in _PREFERRED if name in fitting)
    if algorithm not in fitting:
        raise ValueError(f"The JWK names an algorithm that its key cannot sign with here; it could be {', '.join(fitting)}.")
    return PrivateKeyJwt(key=key, algorithm=algorithm, kid=kid or key.thumbprint(), certificate=certificate)
