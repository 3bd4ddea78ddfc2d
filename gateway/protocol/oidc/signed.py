"""A signed JWT, verified as a JWS (RFC 7515 §5.2) before a word of it is believed.

joserfc verifies; what may be verified, and with which key, is decided here: the algorithm by the registration, the key
by the provider's published set. Nothing is ever taken from the token's own header but two names to compare, `alg` and
`kid`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import Final

from joserfc.errors import JoseError

from gateway.digests import from_base64url
from gateway.errors import TokenAlgorithm, TokenKeyUnknown, TokenMalformed, TokenSignature, TokenType
from gateway.model import Claims, JsonValue, Secret
from gateway.noun import noun
from gateway.protocol.oidc.keys import PublicKeys
from gateway.protocol.oidc.schemes import SCHEMES, Scheme, schemes_for
from gateway.protocol.oidc.strict_json import NotStrictJson, read_object

_MAX_TOKEN: Final = 64_000
_MAX_HEADER: Final = 4096  # characters: an x5c chain
_MAX_SIGNATURE: Final = 1400  # characters: RSA-8192
_MEMBERS: Final = SCHEMES["RS256"].registry  # knows which member is of which type; any scheme's would do
JWT: Final = frozenset({"jwt", "application/jwt"})
"""What `typ` may say of a token that is of no special kind; in lower case."""


@noun
class SignedClaims:
    """Claims that the provider has signed. Whether they are meant for us, and for this login, is not known yet."""

    claims: Claims = field(repr=False)
    scheme: Scheme


def verify_signed(token: Secret, *, keys: PublicKeys, algorithms: tuple[str, ...], types: frozenset[str] = JWT) -> SignedClaims:
    """The claims of a token that one of `keys` signed under one of the pinned `algorithms`. Raises `TokenError`.

    `types`: what its header may say that it is, in lower case.
    """
    header, payload, signature = split_token(token)
    claims = decoded(payload)
    schemes, kid = read_header(header, algorithms, types)
    signed = f"{header}.{payload}".encode("ascii")
    scheme = check_signature(signed, signature, schemes, kid=kid, keys=keys)
    return SignedClaims(claims=_object(claims, "payload"), scheme=scheme)


def split_token(token: Secret) -> tuple[str, str, str]:
    """RFC 7515 §7.1: header, payload and signature, each still in base64url."""
    text = token.reveal()
    if len(text) > _MAX_TOKEN:
        raise TokenMalformed(f"the token has {len(text)} characters; at most {_MAX_TOKEN} are accepted")
    header, first, rest = text.partition(".")  # a search: it goes through a long text much faster than a split
    payload, second, signature = rest.partition(".")
    if not (first and second) or "." in signature or len(header) > _MAX_HEADER or len(signature) > _MAX_SIGNATURE:
        raise TokenMalformed("not a compact JWS of three parts, each of a size that can be")
    return header, payload, signature


def decoded(part: str) -> bytes:
    """RFC 7515 §2: base64url without padding, written in the one canonical way."""
    try:
        return from_base64url(part)
    except ValueError as error:
        raise TokenMalformed("a part is not base64url in its canonical form") from error


@lru_cache(maxsize=64)
def read_header(part: str, algorithms: tuple[str, ...], types: frozenset[str]) -> tuple[tuple[Scheme, ...], str | None]:
    """What may verify the token, and the id of the key, from the header (RFC 7515 §4), which thousands of a provider's tokens share."""
    header = _object(decoded(part), "header")
    check_critical(header)
    schemes = check_algorithm(header, algorithms)
    check_type(header, types)
    check_members(header)
    kid = header.get("kid")
    return schemes, kid if isinstance(kid, str) else None


def check_critical(header: Mapping[str, JsonValue]) -> None:
    """RFC 7515 §4.1.11: an extension that must be understood; none is (nor RFC 7797's `b64`)."""
    if "crit" in header or "b64" in header:
        raise TokenMalformed("the header demands an extension")


def check_algorithm(header: Mapping[str, JsonValue], pinned: tuple[str, ...]) -> tuple[Scheme, ...]:
    """OIDC Core §3.1.3.7 rule 7: the algorithm that was agreed, never the one that the token or the metadata proposes."""
    if "alg" not in header:
        raise TokenMalformed("alg is missing")
    algorithm = header["alg"]
    schemes = schemes_for(algorithm, pinned) if isinstance(algorithm, str) else ()
    if not schemes:
        raise TokenAlgorithm(f"alg is {str(algorithm)[:50]!r}, the registration pins {', '.join(pinned)}")
    return schemes


def check_type(header: Mapping[str, JsonValue], types: frozenset[str]) -> None:
    """RFC 8725 §3.11: of the kind that is wanted, or one that does not say what it is; never one that says it is another."""
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in types:
        raise TokenType(f"typ is {str(kind)[:50]!r}")


def check_members(header: dict[str, JsonValue]) -> None:
    """RFC 7515 §4.1: every registered member is of its type."""
    try:
        _MEMBERS.check_header(header)
    except JoseError as error:
        raise TokenMalformed(f"the header cannot be used ({type(error).__name__})") from error


def check_signature(signed: bytes, signature: str, schemes: tuple[Scheme, ...], *, kid: str | None, keys: PublicKeys) -> Scheme:
    """RFC 7515 §5.2: one of the provider's keys, of that id and fit for the scheme, signed these very bytes."""
    candidates = [(scheme, key) for scheme in schemes for key in keys.candidates(scheme, kid)]
    if not candidates:
        raise TokenKeyUnknown(f"no key for {'/'.join(s.name for s in schemes)} with id {(kid or 'none')[:100]!r}")
    try:
        raw = decoded(signature)
    except TokenMalformed as error:
        raise TokenSignature("the signature is not base64url") from error
    for scheme, key in candidates:
        if scheme.model.verify(signed, raw, key):
            return scheme
    raise TokenSignature(f"the signature does not verify with {len(candidates)} key(s) of id {(kid or 'none')[:100]!r}")


def _object(data: bytes, part: str) -> dict[str, JsonValue]:
    try:
        return read_object(data)
    except NotStrictJson as error:
        raise TokenMalformed(f"the {part} is not one strict JSON object: {error}") from error
