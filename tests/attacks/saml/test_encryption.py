"""Encrypted assertions: anybody can encrypt to us, so a ciphertext proves nothing, and an answer must not tell what was inside."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest
import xmlsec
from lxml import etree

from gateway.errors import GatewayError, SamlDecryption, SamlEncryptionMethod, SamlSignature, SamlStructure, SamlUnsigned
from gateway.protocol.saml import verify_response
from tests.attacks.saml.attack import Attack, assertion_of, cases, check, element, never_asked
from tests.fakes import NOON
from tests.peers.saml_forge import SENT, XENC, Shape, encrypt, fresh, party, post, sealed_by_hand, sign, signed, them, us

T = xmlsec.Transform


def encrypted(which: str = "assertion", *, around: bool = False, **how: Any) -> Callable[[], Any]:
    """A good message, encrypted in another way; `around`: and the Response signed after that."""

    def forge() -> Any:
        root = encrypt(signed(which=which), **how)
        if around:
            sign(root, party("idp"))
        return fresh(root)

    return forge


def altered(change: Callable[[Any], None], which: str = "assertion", *, around: bool = False, **how: Any) -> Callable[[], Any]:
    """A good encrypted message whose ciphertext is changed; `around`: and then signed by the provider."""

    def forge() -> Any:
        root = encrypt(signed(which=which), **how)
        change(root)
        if around:
            sign(root, party("idp"))
        return fresh(root)

    return forge


def sealed(plain: bytes) -> Callable[[], Any]:
    """Any plaintext, well encrypted to us, as everybody can do it."""
    return lambda: sealed_by_hand(signed(which="none"), plain=plain)


def values(root: Any) -> tuple[Any, Any]:
    """The CipherValues of the wrapped key and of the data."""
    wrapped, data = root.iter(f"{{{XENC}}}CipherValue")
    return wrapped, data


def flipped(index: int, at: int, mask: int = 1) -> Callable[[Any], None]:
    """One bit of the wrapped key (0) or of the data (1)."""

    def change(root: Any) -> None:
        value = values(root)[index]
        raw = bytearray(base64.b64decode(value.text))
        raw[at] ^= mask
        value.text = base64.b64encode(raw).decode()

    return change


def part(root: Any, name: str) -> Any:
    return next(root.iter(f"{{{XENC}}}{name}"))


def by_reference(root: Any) -> None:
    data = values(root)[1].getparent()
    data.remove(data[0])
    data.append(element('<xenc:CipherReference URI="file:///etc/hostname"/>'))


def by_retrieval(root: Any) -> None:
    info = part(root, "EncryptedKey").getparent()
    info.replace(part(root, "EncryptedKey"), element('<ds:RetrievalMethod URI="file:///etc/hostname"/>'))


def with_retrieval_too(root: Any) -> None:
    part(root, "EncryptedKey").addnext(element('<ds:RetrievalMethod URI="#x"/>'))


def with_two_keys(root: Any) -> None:
    part(root, "EncryptedKey").addnext(copy.deepcopy(part(root, "EncryptedKey")))


def without_key(root: Any) -> None:
    part(root, "EncryptedKey").getparent().remove(part(root, "EncryptedKey"))


def with_label(root: Any) -> None:
    part(part(root, "EncryptedKey"), "EncryptionMethod").append(element("<xenc:OAEPparams>AAAA</xenc:OAEPparams>"))


def with_unknown_hash(root: Any) -> None:
    part(part(root, "EncryptedKey"), "EncryptionMethod").append(element('<ds:DigestMethod Algorithm="urn:none"/>'))


def with_another_method(uri: str) -> Callable[[Any], None]:
    return lambda root: part(root, "EncryptionMethod").set("Algorithm", uri)


def twice(root: Any) -> None:
    part(root, "EncryptedData").addnext(copy.deepcopy(part(root, "EncryptedData")))


def with_signature_beside(root: Any) -> None:
    part(root, "EncryptedData").addnext(element("<ds:Signature/>"))


def nested(kind: str) -> bytes:
    return assertion_text(extra_conditions=f"<saml:{kind}Assertion/>")


def assertion_text(**changes: Any) -> bytes:
    return etree.tostring(assertion_of(signed(Shape(**changes), which="none")))


CBC = XENC + "aes128-cbc"
ALLOWED = {"allow_cbc_encryption": True}
AES128 = {"block": T.AES128, "bits": 128}
DES = {"block": T.DES3, "bits": 192, "kind": xmlsec.KeyData.DES}
METHODS = [
    Attack("RSA 1.5 around the key", SamlEncryptionMethod, encrypted(wrapping=T.RSA_PKCS1)),
    Attack(
        "the key wrapped with RSA 1.5, all signed, by opt-in",
        SamlEncryptionMethod,
        encrypted(around=True, wrapping=T.RSA_PKCS1),
        sp=ALLOWED,
    ),
    Attack("3DES", SamlEncryptionMethod, encrypted(**DES)),
    Attack(
        "3DES, all signed, by opt-in",
        SamlEncryptionMethod,
        encrypted(around=True, **DES),
        sp=ALLOWED,
    ),
    Attack("AES-CBC without opt-in", SamlEncryptionMethod, encrypted(**AES128)),
    Attack("AES-CBC without opt-in, all signed", SamlEncryptionMethod, encrypted(around=True, block=T.AES256)),
    Attack("AES-CBC by opt-in, the Response unsigned", SamlEncryptionMethod, encrypted(**AES128), sp=ALLOWED),
    Attack("AES-CBC by opt-in, the Response signed by another", SamlSignature, lambda: by_mallory(), sp=ALLOWED),  # noqa: PLW0108
    Attack("an unknown cipher", SamlEncryptionMethod, altered(with_another_method("urn:rot13"))),
    Attack("the data under a reference to a file", SamlEncryptionMethod, altered(by_reference)),
    Attack("the key under a reference to a file", SamlEncryptionMethod, altered(by_retrieval)),
    Attack("a reference beside the key", SamlEncryptionMethod, altered(with_retrieval_too)),
    Attack("two keys", SamlEncryptionMethod, altered(with_two_keys)),
    Attack("no key", SamlEncryptionMethod, altered(without_key)),
    Attack("a label of OAEP", SamlEncryptionMethod, altered(with_label)),
    Attack("an unknown hash of OAEP", SamlEncryptionMethod, altered(with_unknown_hash)),
    Attack("two EncryptedData", SamlEncryptionMethod, altered(twice)),
]
FAILURES = [
    Attack("encrypted to another key", SamlDecryption, encrypted(to=party("mallory"))),
    Attack("no key of ours", SamlDecryption, encrypted(), sp={"keys": ()}),
    Attack("a flipped bit in the wrapped key", SamlDecryption, altered(flipped(0, 10))),
    Attack("a flipped bit in the nonce", SamlDecryption, altered(flipped(1, 0))),
    Attack("a flipped bit in the data", SamlDecryption, altered(flipped(1, 100))),
    Attack("a flipped bit in the tag", SamlDecryption, altered(flipped(1, -1))),
    Attack("data that is too short", SamlDecryption, altered(lambda root: setattr(values(root)[1], "text", "AAAA"))),
    Attack("no data", SamlDecryption, altered(lambda root: setattr(values(root)[1], "text", ""))),
    Attack("data that is not base64", SamlDecryption, altered(lambda root: setattr(values(root)[1], "text", "%"))),
    Attack("the cipher's name changed", SamlDecryption, altered(with_another_method("http://www.w3.org/2009/xmlenc11#aes128-gcm"))),
    Attack("CBC's name over GCM data, in a signed Response", SamlDecryption, altered(with_another_method(CBC), around=True), sp=ALLOWED),
    Attack("broken CBC data in a signed Response", SamlDecryption, altered(flipped(1, -17), around=True, **AES128), sp=ALLOWED),
    Attack("impossible CBC padding", SamlDecryption, altered(flipped(1, -17, 128), around=True, **AES128), sp=ALLOWED),
    Attack("a plaintext of nothing", SamlDecryption, sealed(b"")),
    Attack("a plaintext that is not XML", SamlDecryption, sealed(b"hello")),
    Attack("a plaintext with a document type", SamlDecryption, sealed(b"<!DOCTYPE a><a/>")),
    Attack("a plaintext with a comment", SamlDecryption, sealed(b"<!-- --><a/>")),
    Attack("a plaintext that closes the frame", SamlDecryption, sealed(b"</frame><frame><a/>")),
    Attack("a plaintext of two elements", SamlDecryption, sealed(b"<a/><b/>")),
    Attack("a plaintext with text around the assertion", SamlDecryption, sealed(b"x" + assertion_text())),
    Attack("a plaintext that is a Response", SamlDecryption, sealed(etree.tostring(signed()))),
    Attack("a plaintext that is too deep", SamlDecryption, sealed(b"<a>" * 60 + b"</a>" * 60)),
]
UNPROVEN = [
    Attack("an unsigned assertion, well encrypted", SamlUnsigned, sealed(assertion_text(name_id="mallory@example.com"))),
    Attack("a signed Response, then encrypted", SamlSignature, encrypted("response")),
    Attack("an assertion inside the encrypted one", SamlStructure, sealed(nested(""))),
    Attack(
        "an encrypted assertion inside the encrypted one",
        SamlStructure,
        sealed(nested("Encrypted")),
    ),
    Attack(
        "a signature beside the ciphertext",
        SamlStructure,
        altered(with_signature_beside),
    ),
    Attack("signed by another, well encrypted", SamlSignature, lambda: encrypt(signed(by=party("mallory")))),
]


def by_mallory() -> Any:
    root = encrypt(signed(), **AES128)
    sign(root, party("mallory"))
    return fresh(root)


@cases(METHODS)
def test_an_encryption_that_is_not_on_the_list_is_refused(attack: Attack) -> None:
    check(attack)


@cases(FAILURES)
def test_every_failure_to_decrypt_is_the_same_error(attack: Attack) -> None:
    check(attack)


@cases(UNPROVEN)
def test_what_was_encrypted_to_us_is_not_believed_for_that(attack: Attack) -> None:
    check(attack)


@pytest.mark.parametrize("at", [0, 5, 15, 16, 40, -33, -17, -1])
def test_no_flipped_bit_of_an_unsigned_cbc_ciphertext_tells_anything(at: int) -> None:
    """The oracle of CBC: altered ciphertexts must not be told apart, so none is even looked at."""
    outcomes = set()
    for change in (lambda _root: None, flipped(1, at)):
        try:
            message = post(altered(change, **AES128)())
            verify_response(message, sp=us(**ALLOWED), idp=them(), sent=SENT, now=NOON, second_opinion=never_asked)
        except GatewayError as error:
            outcomes.add((type(error), error.detail))
    assert len(outcomes) == 1
