"""Signature schemes: which names in `alg` mean which key and which hash.

A *scheme* is fully specified (RFC 9864): key type, curve and hash follow from its name. `EdDSA` is not a scheme but an
old name that leaves the curve open, so it stands for both Edwards curves; a registration that pins `EdDSA` therefore
accepts tokens that say `Ed25519`, and one that pins `Ed25519` accepts tokens that say `EdDSA` under an Ed25519 key.
Providers change from one name to the other with an update, and the key decides either way. (RFC 9864 gives JOSE no new
names for ECDSA: `ESP256` is for COSE, `ES256` already names its curve.)

There is no `none` and no HMAC here, and nothing outside this table can verify anything.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from joserfc.jwa import JWS_ALGORITHMS, JWSAlgModel
from joserfc.jws import JWSRegistry


class _OneScheme(JWSRegistry):
    """joserfc's rules for headers, tied to one algorithm: whatever name stands in a header, only this one signs.

    It also spares the warning that joserfc gives each time it meets the old name `EdDSA`.
    """

    def __init__(self, model: JWSAlgModel) -> None:
        super().__init__(algorithms=[model.name], strict_check_header=False)
        self._model = model

    def get_alg(self, name: str) -> JWSAlgModel:  # noqa: ARG002 - the name was compared before; the scheme decides
        return self._model


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One way to sign. `curve` is None for RSA; `digest` is the hash of `at_hash` (OIDC Core §3.1.3.6).

    `model` verifies; `registry` signs with it, and knows the types of header members.
    """

    name: str
    key_type: str
    curve: str | None
    digest: Callable[[bytes], bytes]
    model: JWSAlgModel
    registry: JWSRegistry

    def fits(self, key_type: str, curve: str | None) -> bool:
        """Whether a key of this kind can sign so."""
        return (self.key_type, self.curve) == (key_type, curve)

    def half_hash(self, value: str) -> str:
        """The left half of the hash of an ASCII value, in base64url without padding (OIDC Core §3.1.3.6)."""
        digest = self.digest(value.encode("ascii"))
        return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode("ascii")


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _sha512(value: bytes) -> bytes:
    return hashlib.sha512(value).digest()


def _shake256(value: bytes) -> bytes:
    return hashlib.shake_256(value).digest(114)  # as long as Ed448 itself uses it (RFC 8032 §5.2)


def _schemes() -> Mapping[str, Scheme]:
    models = {model.name: model for model in JWS_ALGORITHMS}
    rows: tuple[tuple[str, str, str | None, Callable[[bytes], bytes]], ...] = (
        ("RS256", "RSA", None, _sha256),
        ("PS256", "RSA", None, _sha256),
        ("ES256", "EC", "P-256", _sha256),
        ("Ed25519", "OKP", "Ed25519", _sha512),
        ("Ed448", "OKP", "Ed448", _shake256),
    )
    return MappingProxyType(
        {
            name: Scheme(name=name, key_type=kty, curve=curve, digest=digest, model=models[name], registry=_OneScheme(models[name]))
            for name, kty, curve, digest in rows
        }
    )


SCHEMES: Final = _schemes()
ALGORITHMS: Final[Mapping[str, tuple[Scheme, ...]]] = MappingProxyType(
    {**{name: (scheme,) for name, scheme in SCHEMES.items()}, "EdDSA": (SCHEMES["Ed25519"], SCHEMES["Ed448"])}
)
"""Every name that may stand in `alg`, with the schemes that it may mean."""

SUPPORTED_ALGORITHMS: Final = frozenset(ALGORITHMS)
"""What a registration may pin."""


def schemes_for(algorithm: str, pinned: tuple[str, ...]) -> tuple[Scheme, ...]:
    """The schemes that a header's `algorithm` may mean under the pinned names; none: it may not be used."""
    allowed = {scheme.name for pin in pinned for scheme in ALGORITHMS[pin]}
    return tuple(scheme for scheme in ALGORITHMS.get(algorithm, ()) if scheme.name in allowed)
