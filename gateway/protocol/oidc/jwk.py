"""One JSON Web Key, imported warily (RFC 7517, RFC 7518 §6, RFC 8037 §2).

Only the members that make the key are handed to joserfc: not `x5c` and its kin (a certificate proves nothing here), not
`use`, `key_ops` and `alg` (whoever publishes contradictions there must not stop logins; the caller looks at them), and
no private member where a public key is expected.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey

from gateway.model import JsonValue

AsymmetricKey: TypeAlias = RSAKey | ECKey | OKPKey

PUBLIC_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("d", "p", "q", "dp", "dq", "qi"), "EC": ("d",), "OKP": ("d",)}

MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192  # a verification grows with the square of it
_MAX_EXPONENT_BITS: Final = 64  # and with the length of the exponent
_MAX_MEMBER: Final = 1400  # an RSA-8192 modulus in base64url


def import_public_key(jwk: Mapping[str, JsonValue]) -> AsymmetricKey:
    """A public key that can be used. Raises `ValueError` with the reason."""
    return _import(jwk, PUBLIC_MEMBERS)


def import_private_key(jwk: Mapping[str, JsonValue]) -> AsymmetricKey:
    """A private key that can be used. Raises `ValueError` with the reason."""
    key = _import(jwk, {kty: PUBLIC_MEMBERS[kty] + _PRIVATE_MEMBERS[kty] for kty in PUBLIC_MEMBERS})
    if not key.is_private:
        raise ValueError("no private key")
    return key


def curve_of(key: AsymmetricKey) -> str | None:
    """The curve's name, as in `crv`; None for RSA."""
    return None if isinstance(key, RSAKey) else key.curve_name


def _import(jwk: Mapping[str, JsonValue], wanted: Mapping[str, tuple[str, ...]]) -> AsymmetricKey:
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in wanted:
        raise ValueError("a kind of key that is not used here")
    members: dict[str, str | list[str]] = {"kty": kty}
    for name in wanted[kty]:
        value = jwk.get(name)
        if isinstance(value, str) and len(value) <= _MAX_MEMBER:
            members[name] = value
    if kty == "RSA":
        _check_modulus(str(members.get("n", "")))
    try:
        key = JWKRegistry.import_key(members)
    except (JoseError, ValueError, KeyError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("a member is missing or damaged") from error
    if isinstance(key, OctKey) or (isinstance(key, RSAKey) and _exponent_bits(key) > _MAX_EXPONENT_BITS):
        raise ValueError("a key that would be too slow or too weak")
    return key


def _check_modulus(modulus: str) -> None:
    """The size comes first: joserfc only warns of a short key, and OpenSSL would already work on a long one."""
    try:
        bits = int.from_bytes(urlsafe_b64decode(f"{modulus}==")).bit_length()
    except ValueError as error:
        raise ValueError("n is damaged") from error
    if not MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise ValueError(f"an RSA key of {bits} bits; {MIN_RSA_BITS} to {_MAX_RSA_BITS} are accepted")


def _exponent_bits(key: RSAKey) -> int:
    return key.public_key.public_numbers().e.bit_length()
