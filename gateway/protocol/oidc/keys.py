"""A provider's published keys: a JWK set read key by key (RFC 7517 §5, OIDC Core §10.1).

A set is what the provider happens to publish, and one key in it that we cannot use must not cost the others. So each
key is looked at by itself and left out when it is symmetric, not for signatures, on an unknown curve, too short, too
long or broken. What remains is found by scheme and key id: an RSA and an EC key may share an id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.errors import ProviderAnswer
from gateway.model import HttpRequest, HttpResponse, JsonValue
from gateway.protocol.oidc.answers import document_request, read_document
from gateway.protocol.oidc.jwk import curve_of, import_public_key
from gateway.protocol.oidc.schemes import ALGORITHMS, SCHEMES, Scheme

_MAX_KEYS: Final = 100
_MAX_KID: Final = 512
_MAX_CANDIDATES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeys:
    """The keys of one provider that can verify something here. `kids` names them for the journal."""

    table: Mapping[tuple[str, str | None], tuple[RSAKey | ECKey | OKPKey, ...]] = field(repr=False)
    kids: frozenset[str]

    def candidates(self, scheme: Scheme, kid: str | None) -> tuple[RSAKey | ECKey | OKPKey, ...]:
        """The keys to try: those of that id, or, for a token without an id, the first four that fit the scheme."""
        return self.table.get((scheme.name, kid), ())[:_MAX_CANDIDATES]

    def serve(self, algorithm: str) -> bool:
        """Whether a token of that algorithm could be verified with one of them."""
        return any(self.candidates(scheme, None) for scheme in ALGORITHMS[algorithm])


def jwks_request(jwks_uri: str) -> HttpRequest:
    """Fetch the key set."""
    return document_request(jwks_uri)


def read_jwks(response: HttpResponse) -> PublicKeys:
    """The usable keys of a set. Raises `ProviderAnswer` when it is no JWK set or holds none of them."""
    listed = read_document(response).get("keys")
    if not isinstance(listed, list):
        raise ProviderAnswer("the key set has no list of keys")
    table: dict[tuple[str, str | None], tuple[RSAKey | ECKey | OKPKey, ...]] = {}
    for jwk in listed[:_MAX_KEYS]:
        for scheme, kid, key in _read_key(jwk):
            for name in {kid, None}:
                table[scheme.name, name] = (*table.get((scheme.name, name), ()), key)
    if not table:
        raise ProviderAnswer(f"the key set holds no key that can be used ({len(listed)} listed)")
    return PublicKeys(table=table, kids=frozenset(kid for _, kid in table if kid is not None))


def _read_key(jwk: JsonValue) -> list[tuple[Scheme, str | None, RSAKey | ECKey | OKPKey]]:
    """One key with each scheme that it may verify; empty for a key that is not for us."""
    if not isinstance(jwk, dict) or not _is_for_signatures(jwk):
        return []
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not (kid is None or (isinstance(kid, str) and len(kid) <= _MAX_KID)):
        return []
    if not (algorithm is None or (isinstance(algorithm, str) and algorithm in ALGORITHMS)):
        return []
    try:
        key = import_public_key(jwk)
    except ValueError:
        return []
    schemes = SCHEMES.values() if algorithm is None else ALGORITHMS[algorithm]
    return [(scheme, kid, key) for scheme in schemes if scheme.fits(key.key_type, curve_of(key))]


def _is_for_signatures(jwk: Mapping[str, JsonValue]) -> bool:
    """RFC 7517 §4.2 and §4.3: `use` and `key_ops` both allow it where they are given."""
    operations = jwk.get("key_ops")
    return jwk.get("use") in (None, "sig") and (operations is None or (isinstance(operations, list) and "verify" in operations))
