"""From a hostile tree to the assertion that the provider signed.

Structure first (one assertion in its place, every signature where it belongs), then the signatures, then, where the assertion
is encrypted, the same once more inside. What comes out was parsed from signed bytes; the tree that came in is not read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.errors import GatewayError, SamlDecryption, SamlStructure, SamlUnsigned
from gateway.noun import noun
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.encryption import decrypt_assertion
from gateway.protocol.saml.opinion import Evidence, rebuilt_response
from gateway.protocol.saml.parameters import IdentityProviderMetadata, ServiceProvider
from gateway.protocol.saml.signature import SignatureParts, read_signature, verify_signature
from gateway.protocol.saml.xml import Element

_NO_EVIDENCE: Final = Evidence(document=b"", signed=True)


@noun
class Proven:
    """A proven assertion. `envelope` is the Response around it: believed only where `response_signed`.

    `evidence`: for the second opinion; empty, so that it would be refused, where none is asked for.
    """

    assertion: Element
    envelope: Element
    response_signed: bool
    evidence: Evidence


def verify_signatures(root: Element, *, sp: ServiceProvider, idp: IdentityProviderMetadata) -> Proven:
    """Prove the one assertion of a Response. Raises `SamlError`s of structure, signature and encryption."""
    enclosed = read_only_assertion(root)
    check_signature_places(root, enclosed)
    if enclosed.tag == names.ENCRYPTED_ASSERTION:
        return _verify_encrypted(root, enclosed, sp=sp, idp=idp)
    outer, inner = read_signature_of(root), read_signature_of(enclosed)
    if outer is None and inner is None:
        raise SamlUnsigned
    evidence = _evidence_in_clear(root, outer, enclosed, inner, sp)
    envelope = verify_signature(outer, idp.certificates) if outer else root
    assertion = verify_signature(inner, idp.certificates) if inner else read_only_assertion(envelope)
    return Proven(assertion=assertion, envelope=envelope, response_signed=outer is not None, evidence=evidence)


def _verify_encrypted(root: Element, encrypted: Element, *, sp: ServiceProvider, idp: IdentityProviderMetadata) -> Proven:
    outer = read_signature_of(root)
    sealed = _as_it_came(root, outer) if outer and sp.second_opinion else None
    envelope = verify_signature(outer, idp.certificates) if outer else root
    ciphertext = read_only_assertion(envelope)
    plain = decrypt_assertion(ciphertext, sp.decryption_keys, allow_cbc=sp.allow_cbc_encryption, response_signed=outer is not None)
    clear = read_plaintext(plain, encrypted.nsmap)
    inner = read_signature_of(clear)
    evidence = _evidence_of_plaintext(clear, inner, sealed, sp)
    if inner:
        assertion = verify_signature(inner, idp.certificates)
    elif outer:  # covered by the Response's signature, so its prefixes must be those that were signed
        assertion = read_plaintext(plain, ciphertext.nsmap)
    else:
        raise SamlUnsigned
    return Proven(assertion=assertion, envelope=envelope, response_signed=outer is not None, evidence=evidence)


def read_only_assertion(root: Element) -> Element:
    """The one assertion, clear or encrypted, of the whole document: a child of the Response (Profiles §4.1.4.2). Raises `SamlStructure`.

    More than one would leave room for reading another than was signed.
    """
    found = list(root.iter(names.ASSERTION_ELEMENT, names.ENCRYPTED_ASSERTION))
    if len(found) != 1 or found[0].getparent() is not root:
        raise SamlStructure(f"{len(found)} assertions, or one in a wrong place")
    return found[0]


def check_signature_places(root: Element, assertion: Element) -> None:
    """Every signature is a child of the Response or of the assertion, one each (SAML Core §5.4.1). Raises `SamlStructure`."""
    parents = [signature.getparent() for signature in root.iter(names.SIGNATURE)]
    allowed = (root,) if assertion.tag == names.ENCRYPTED_ASSERTION else (root, assertion)
    if any(parent not in allowed for parent in parents) or len(parents) != len({id(parent) for parent in parents}):
        raise SamlStructure("a signature in a wrong place, or two in one")


def read_signature_of(owner: Element) -> SignatureParts | None:
    """The signature among an element's children; `check_signature_places` allows one. Raises `SamlSignatureMethod`."""
    signature = next(owner.iterchildren(names.SIGNATURE), None)
    return None if signature is None else read_signature(signature, owner)


def read_plaintext(plain: bytes, namespaces: Mapping[str | None, str]) -> Element:
    """One assertion from a plaintext, with the same rules of structure. Raises `SamlDecryption`, whatever was wrong with the bytes."""
    try:
        clear = xml.read_fragment(plain, namespaces)
    except GatewayError:
        raise SamlDecryption("the plaintext cannot be read") from None
    if clear.tag != names.ASSERTION_ELEMENT:
        raise SamlDecryption("the plaintext is not an assertion")
    if sum(1 for _ in clear.iter(names.ASSERTION_ELEMENT, names.ENCRYPTED_ASSERTION)) != 1:
        raise SamlStructure("an assertion inside the encrypted one")
    check_signature_places(clear, clear)
    return clear


def _evidence_in_clear(
    root: Element, outer: SignatureParts | None, assertion: Element, inner: SignatureParts | None, sp: ServiceProvider
) -> Evidence:
    """Written before the signatures are verified, for that takes them out of the tree."""
    if not sp.second_opinion:
        return _NO_EVIDENCE
    document = _as_it_came(root, outer) if outer else _in_our_envelope(assertion, inner, sp.idp_entity_id)
    return Evidence(document=document, signed=True)


def _evidence_of_plaintext(clear: Element, inner: SignatureParts | None, sealed: bytes | None, sp: ServiceProvider) -> Evidence:
    if not sp.second_opinion:
        return _NO_EVIDENCE
    return Evidence(document=_in_our_envelope(clear, inner, sp.idp_entity_id), signed=inner is not None, sealed=sealed)


def _in_our_envelope(assertion: Element, signature: SignatureParts | None, issuer: str) -> bytes:
    """The assertion with its signature, in an envelope of ours."""
    clear = _as_it_came(assertion, signature)
    return rebuilt_response(clear, identifier=assertion.get("ID") or "", instant=assertion.get("IssueInstant") or "", issuer=issuer)


def _as_it_came(owner: Element, signature: SignatureParts | None) -> bytes:
    """`owner`, but for its signature's KeyInfo: no signature covers that, and it may name any URI."""
    if signature is not None:
        for info in list(signature.signature.iterchildren(names.KEY_INFO)):
            xml.detach(info, signature.signature)
    return xml.serialized(owner)
