"""A signed JWT, verified as a JWS (RFC 7515 §5.2) before a word of it is believed.

joserfc takes the token apart and verifies; what may be verified, and with which key, is decided here: the algorithm by
the registration, the key by the provider's published set. Nothing is ever taken from the token's own header but two
names to compare, `alg` and `kid`.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError

from gateway.errors import TokenAlgorithm, TokenKeyUnknown, TokenMalformed, TokenSignature, TokenType
from gateway.model import Claims, JsonValue, Secret
from gateway.protocol.oidc.keys import PublicKeys
from gateway.protocol.oidc.schemes import SCHEMES, Scheme, schemes_for
from gateway.protocol.oidc.strict_json import NotStrictJson, read_object

_MAX_TOKEN: Final = 64_000
_READER: Final = SCHEMES["RS256"].registry  # takes a token apart; any scheme's would do
JWT: Final = frozenset({"jwt", "application/jwt"})
"""What `typ` may say of a token that is of no special kind; in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedClaims:
    """Claims that the provider has signed. Whether they are meant for us, and for this login, is not known yet.

    `digest` names what was signed. The signature itself is left out of it: an ECDSA signature can be changed into
    another valid one, and a replay must not look like a new token.
    """

    claims: Claims = field(repr=False)
    scheme: Scheme
    digest: str


def verify_signed(token: Secret, *, keys: PublicKeys, algorithms: tuple[str, ...], types: frozenset[str] = JWT) -> SignedClaims:
    """The claims of a token that one of `keys` signed under one of the pinned `algorithms`. Raises `TokenError`.

    `types`: what its header may say that it is, in lower case.
    """
    compact = read_compact(token)
    header = read_header(compact)
    check_critical(header)
    schemes = check_algorithm(header, algorithms)
    check_type(header, types)
    scheme = check_signature(compact, schemes, kid=_kid(header), keys=keys)
    return SignedClaims(claims=_object(compact.payload, "payload"), scheme=scheme, digest=_digest(compact))


def read_compact(token: Secret) -> jws.CompactSignature:
    """RFC 7515 §7.1: three parts in base64url, each written in the one canonical way."""
    text = token.reveal()
    if len(text) > _MAX_TOKEN:
        raise TokenMalformed(f"the token has {len(text)} characters; at most {_MAX_TOKEN} are accepted")
    try:
        return jws.extract_compact(text.encode("ascii"), registry=_READER)
    except (JoseError, UnicodeEncodeError, RecursionError) as error:
        raise TokenMalformed(f"not a compact JWS ({type(error).__name__})") from error


def read_header(compact: jws.CompactSignature) -> dict[str, JsonValue]:
    """RFC 7515 §4: the header once more, strictly, for joserfc lets the last of two equal names win."""
    segment = compact.segments["header"]
    return _object(urlsafe_b64decode(segment + b"=="), "header")


def check_critical(header: Mapping[str, JsonValue]) -> None:
    """RFC 7515 §4.1.11: an extension that must be understood; none is (nor RFC 7797's `b64`)."""
    if "crit" in header or "b64" in header:
        raise TokenMalformed("the header demands an extension")


def check_algorithm(header: Mapping[str, JsonValue], pinned: tuple[str, ...]) -> tuple[Scheme, ...]:
    """OIDC Core §3.1.3.7 rule 7: the algorithm that was agreed, never the one that the token or the metadata proposes."""
    algorithm = header.get("alg")
    schemes = schemes_for(algorithm, pinned) if isinstance(algorithm, str) else ()
    if not schemes:
        raise TokenAlgorithm(f"alg is {str(algorithm)[:50]!r}, the registration pins {', '.join(pinned)}")
    return schemes


def check_type(header: Mapping[str, JsonValue], types: frozenset[str]) -> None:
    """RFC 8725 §3.11: of the kind that is wanted, or one that does not say what it is; never one that says it is another."""
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in types:
        raise TokenType(f"typ is {str(kind)[:50]!r}")


def check_signature(compact: jws.CompactSignature, schemes: tuple[Scheme, ...], *, kid: str | None, keys: PublicKeys) -> Scheme:
    """RFC 7515 §5.2: one of the provider's keys, of that id and fit for the scheme, signed these very bytes."""
    candidates = [(scheme, key) for scheme in schemes for key in keys.candidates(scheme, kid)]
    if not candidates:
        raise TokenKeyUnknown(f"no key for {'/'.join(s.name for s in schemes)} with id {(kid or 'none')[:100]!r}")
    for scheme, key in candidates:
        try:
            if jws.validate_compact(compact, key, registry=scheme.registry):
                return scheme
        except JoseError as error:  # a header member of a wrong type
            raise TokenMalformed(f"the header cannot be used ({type(error).__name__})") from error
    raise TokenSignature(f"the signature does not verify with {len(candidates)} key(s) of id {(kid or 'none')[:100]!r}")


def _kid(header: Mapping[str, JsonValue]) -> str | None:
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise TokenMalformed("kid is no string")
    return kid


def _object(data: bytes, part: str) -> dict[str, JsonValue]:
    try:
        return read_object(data)
    except NotStrictJson as error:
        raise TokenMalformed(f"the {part} is not one strict JSON object: {error}") from error


def _digest(compact: jws.CompactSignature) -> str:
    return hashlib.sha256(compact.segments["header"] + b"." + compact.segments["payload"]).hexdigest()
