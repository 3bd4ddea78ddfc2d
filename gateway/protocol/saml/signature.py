"""Verifying one enveloped XML signature (XML Signature 1.1 §4.4, SAML Core §5.4).

The profile is the one that SAML asks for and nothing else: exclusive canonicalisation, one reference to the parent's ID,
the two transforms that a SAML signature may have. What a signature says is read only to be compared with that list; no
URI in it is ever followed, and KeyInfo is not looked at: keys come from the provider's metadata.

The order matters: shape, then the signature value, then the digest. Content is canonicalised and hashed only under a
SignedInfo that the provider did sign. What `verify_signature` returns was parsed anew from the very bytes that were hashed.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gateway.errors import GatewayError, SamlSignature, SamlSignatureMethod
from gateway.noun import noun
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.base64 import from_base64
from gateway.protocol.saml.keys import Certificate, PublicKey
from gateway.protocol.saml.xml import Element

MAX_PREFIXES: Final = 8

DIGESTS: Final[Mapping[str, Callable[[bytes], hashlib._Hash]]] = {
    names.SHA256: hashlib.sha256,
    names.SHA384: hashlib.sha384,
    names.SHA512: hashlib.sha512,
}
RSA_METHODS: Final[Mapping[str, hashes.HashAlgorithm]] = {
    names.RSA_SHA256: hashes.SHA256(),
    names.RSA_SHA384: hashes.SHA384(),
    names.RSA_SHA512: hashes.SHA512(),
}
ECDSA_METHODS: Final[Mapping[str, ec.ECDSA]] = {
    names.ECDSA_SHA256: ec.ECDSA(hashes.SHA256()),
    names.ECDSA_SHA384: ec.ECDSA(hashes.SHA384()),
    names.ECDSA_SHA512: ec.ECDSA(hashes.SHA512()),
}
SIGNATURE_METHODS: Final = frozenset(RSA_METHODS.keys() | ECDSA_METHODS.keys())
_PKCS1: Final = padding.PKCS1v15()

Rule: TypeAlias = tuple[frozenset[str], frozenset[str]]
"""The attributes that an element may have, and the algorithms that it must name one of; none: it names no algorithm."""
Node: TypeAlias = tuple[str, int, Rule]

_NOTHING: Final[frozenset[str]] = frozenset()
_LIST = ((names.INCLUSIVE_NAMESPACES, 0, (frozenset({"PrefixList"}), _NOTHING)),)


def _named(*algorithms: str) -> Rule:
    return frozenset({"Algorithm"}), frozenset(algorithms)


def _shape(canonicalization: tuple[Node, ...], transform: tuple[Node, ...]) -> tuple[Node, ...]:
    """The elements of a SignedInfo in document order, each with its number of children and what its attributes may be.

    Never SHA-1, never HMAC, never inclusive canonicalisation; enveloped signature, then exclusive canonicalisation (SAML Core §5.4.4).
    """
    return (
        (names.SIGNED_INFO, 3, (frozenset({"Id"}), _NOTHING)),
        (names.CANONICALIZATION_METHOD, len(canonicalization), _named(names.EXCLUSIVE_C14N)),
        *canonicalization,
        (names.SIGNATURE_METHOD, 0, _named(*SIGNATURE_METHODS)),
        (names.REFERENCE, 3, (frozenset({"Id", "URI", "Type"}), _NOTHING)),
        (names.TRANSFORMS, 2, (_NOTHING, _NOTHING)),
        (names.TRANSFORM, 0, _named(names.ENVELOPED_SIGNATURE)),
        (names.TRANSFORM, len(transform), _named(names.EXCLUSIVE_C14N)),
        *transform,
        (names.DIGEST_METHOD, 0, _named(*DIGESTS)),
        (names.DIGEST_VALUE, 0, (_NOTHING, _NOTHING)),
    )


# A sequence in document order with numbers of children stands for one tree only.
_SHAPES: Final[Mapping[tuple[tuple[str, int], ...], tuple[Rule, ...]]] = {
    tuple((tag, children) for tag, children, _ in shape): tuple(rule for _, _, rule in shape)
    for shape in (_shape((), ()), _shape(_LIST, ()), _shape((), _LIST), _shape(_LIST, _LIST))
}


def _plain_text() -> re.Pattern[bytes]:
    """A SignedInfo in canonical form, with nothing that may be left out: one namespace, every element and attribute in its place."""
    exclusive, enveloped = re.escape(names.EXCLUSIVE_C14N), re.escape(names.ENVELOPED_SIGNATURE)
    method, digest_method = ("|".join(map(re.escape, sorted(allowed))) for allowed in (SIGNATURE_METHODS, DIGESTS))
    base64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
    parts = (
        rf'<(?P<p>(?:\w+:)?)SignedInfo xmlns(?::\w+)?="{re.escape(names.DSIG)}">',
        f'<(?P=p)CanonicalizationMethod Algorithm="{exclusive}"></(?P=p)CanonicalizationMethod>',
        f'<(?P=p)SignatureMethod Algorithm="(?P<method>{method})"></(?P=p)SignatureMethod>',
        '<(?P=p)Reference URI="#(?P<id>[A-Za-z0-9_.-]+)">',
        "<(?P=p)Transforms>",
        f'<(?P=p)Transform Algorithm="{enveloped}"></(?P=p)Transform>',
        f'<(?P=p)Transform Algorithm="{exclusive}"></(?P=p)Transform>',
        "</(?P=p)Transforms>",
        f'<(?P=p)DigestMethod Algorithm="(?P<digest_method>{digest_method})"></(?P=p)DigestMethod>',
        f"<(?P=p)DigestValue>(?P<digest>{base64})</(?P=p)DigestValue>",
        "</(?P=p)Reference>",
        "</(?P=p)SignedInfo>",
    )
    return re.compile(r"\s*".join(parts).encode())


_PLAIN: Final = _plain_text()
_PLAIN_ELEMENTS: Final = 9


@noun
class SignatureParts:
    """What a signature of the one allowed shape says. `signed`: the canonical form of its SignedInfo."""

    signature: Element
    owner: Element
    signed: bytes
    method: str
    content_prefixes: tuple[str, ...]
    digest_method: str
    digest: bytes
    value: bytes


def verify_signature(parts: SignatureParts, certificates: Sequence[Certificate]) -> Element:
    """Prove the signature's parent, and return it parsed anew from the bytes that were hashed, without the signature.

    The tree that it was read from loses the signature. Raises `SamlSignature`.
    """
    check_value(parts, certificates)
    xml.detach(parts.signature, parts.owner)
    content = xml.canonical_bytes(parts.owner, parts.content_prefixes)
    check_digest(parts, content)
    return xml.read_canonical(content)


def read_signature(signature: Element, owner: Element) -> SignatureParts:
    """Read a signature of the allowed shape, a child of `owner` (SAML Core §5.4).

    Raises `SamlSignatureMethod`, and `SamlSignature` for a value or digest that cannot be read.
    """
    check_children(signature)
    return read_plain_signature(signature, owner) or read_any_signature(signature, owner)


def read_plain_signature(signature: Element, owner: Element) -> SignatureParts | None:
    """As most providers write it, recognised as one text; None: to be looked at piece by piece. Raises `SamlSignature`.

    Its size comes first: nothing large is canonicalised before its shape is known.
    """
    if len([*signature[0].iter()]) != _PLAIN_ELEMENTS:
        return None
    try:
        signed = xml.canonical_bytes(signature[0], ())
    except SamlSignature:
        return None
    plain = _PLAIN.fullmatch(signed)
    if plain is None or plain["id"].decode() != owner.get("ID"):
        return None
    return SignatureParts(
        signature=signature,
        owner=owner,
        signed=signed,
        method=plain["method"].decode(),
        content_prefixes=(),
        digest_method=plain["digest_method"].decode(),
        digest=binascii.a2b_base64(plain["digest"]),
        value=read_base64(signature[1], SamlSignature),
    )


def read_any_signature(signature: Element, owner: Element) -> SignatureParts:
    """The same for every allowed shape. Raises like `read_signature`."""
    signed_info, value = signature[0], signature[1]
    check_shape(signed_info)
    canonicalization, method, reference = signed_info
    transforms, digest_method, digest = reference
    check_reference(reference, owner)
    return SignatureParts(
        signature=signature,
        owner=owner,
        signed=xml.canonical_bytes(signed_info, read_prefixes(canonicalization)),
        method=method.get("Algorithm") or "",
        content_prefixes=read_prefixes(transforms[1]),
        digest_method=digest_method.get("Algorithm") or "",
        digest=read_base64(digest, SamlSignature),
        value=read_base64(value, SamlSignature),
    )


def check_children(signature: Element) -> None:
    """No Object; KeyInfo is not looked into (XML Signature 1.1 §4.1). Raises `SamlSignatureMethod`."""
    children = [child.tag for child in signature]
    if children[:2] != [names.SIGNED_INFO, names.SIGNATURE_VALUE] or children[2:] not in ([], [names.KEY_INFO]):
        raise SamlSignatureMethod("unexpected elements in Signature")


def check_shape(signed_info: Element) -> None:
    """Exactly the elements, attributes and algorithms of a SAML signature. Raises `SamlSignatureMethod`.

    One Reference, two Transforms, no Manifest, no HMAC length, no XPath (XML Signature 1.1 §4.4).
    """
    elements = [*signed_info.iter()]
    rules = _SHAPES.get(tuple([(element.tag, len(element)) for element in elements]))
    if rules is None:
        raise SamlSignatureMethod("unexpected elements in SignedInfo")
    for element, (attributes, algorithms) in zip(elements, rules, strict=True):
        if not attributes.issuperset(element.keys()):
            raise SamlSignatureMethod(f"unexpected attributes on {xml.local_name(element)}")
        if algorithms and element.get("Algorithm") not in algorithms:
            raise SamlSignatureMethod(f"{xml.local_name(element)} {(element.get('Algorithm') or 'nothing')[:120]}")


def check_reference(reference: Element, owner: Element) -> None:
    """The reference is the ID of the signature's own parent (SAML Core §5.4.2). Raises `SamlSignatureMethod`."""
    identifier = owner.get("ID")
    if not identifier or reference.get("URI") != "#" + identifier:
        raise SamlSignatureMethod(f"a reference to {(reference.get('URI') or 'nothing')[:120]!r} instead of the parent's ID")


def check_value(parts: SignatureParts, certificates: Sequence[Certificate]) -> None:
    """The provider signed this SignedInfo with one of its keys (XML Signature 1.1 §3.2.2). Raises `SamlSignature`."""
    if not any(is_signed_by(certificate.key, parts.method, parts.value, parts.signed) for certificate in certificates):
        raise SamlSignature("verifies with none of the provider's certificates")


def check_digest(parts: SignatureParts, content: bytes) -> None:
    """The content has the digest that was signed (XML Signature 1.1 §3.2.1). Raises `SamlSignature`."""
    if not hmac.compare_digest(DIGESTS[parts.digest_method](content).digest(), parts.digest):
        raise SamlSignature("the signed part was altered")


def is_signed_by(key: PublicKey, method: str, value: bytes, signed: bytes) -> bool:
    """Whether `value` is this key's signature. A key of another kind than the method's never verifies."""
    try:
        if isinstance(key, rsa.RSAPublicKey) and method in RSA_METHODS:
            key.verify(value, signed, _PKCS1, RSA_METHODS[method])
        elif isinstance(key, ec.EllipticCurvePublicKey) and method in ECDSA_METHODS:
            key.verify(read_ecdsa_value(key, value), signed, ECDSA_METHODS[method])
        else:
            return False
    except InvalidSignature:
        return False
    return True


def read_ecdsa_value(key: ec.EllipticCurvePublicKey, value: bytes) -> bytes:
    """The two numbers side by side (XML Signature 1.1 §6.4.3) as DER. Raises `InvalidSignature` for another length."""
    half = (key.curve.key_size + 7) // 8
    if len(value) != 2 * half:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))


def read_prefixes(canonicalization: Element) -> tuple[str, ...]:
    """The PrefixList of exclusive canonicalisation (RFC 3741 §4). Raises `SamlSignatureMethod` for a long one: all pay for it."""
    if not len(canonicalization):
        return ()
    prefixes = tuple((canonicalization[0].get("PrefixList") or "").split())
    if len(prefixes) > MAX_PREFIXES:
        raise SamlSignatureMethod(f"more than {MAX_PREFIXES} prefixes")
    return prefixes


def read_base64(element: Element, error: type[GatewayError]) -> bytes:
    """A leaf's base64, which may be wrapped into lines. Raises `error`."""
    try:
        return from_base64("".join(xml.leaf_text(element, error).split()))
    except ValueError:
        raise error(f"{xml.local_name(element)} is not in base64") from None
