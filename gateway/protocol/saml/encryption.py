"""Decrypting an assertion (XML Encryption 1.1, SAML Core §6).

AES-GCM under RSA-OAEP always. AES-CBC has no integrity of its own: whoever can send altered ciphertext and tell one answer
from another reads the plaintext. So it needs an opt-in *and* a verified Response signature over the ciphertext. RSA 1.5 and
3DES never. Every failure to decrypt is one error without a reason.

No URI is followed: a CipherReference or a RetrievalMethod is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import SamlDecryption, SamlEncryptionMethod
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.signature import read_base64
from gateway.protocol.saml.xml import Element

NONCE: Final = 12
BLOCK: Final = 16
GCM: Final[Mapping[str, int]] = {names.AES128_GCM: 16, names.AES192_GCM: 24, names.AES256_GCM: 32}
CBC: Final[Mapping[str, int]] = {names.AES128_CBC: 16, names.AES192_CBC: 24, names.AES256_CBC: 32}
HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    names.SHA1: hashes.SHA1(),  # noqa: S303  OAEP needs no collision resistance of its hash
    names.SHA256: hashes.SHA256(),
    names.SHA384: hashes.SHA384(),
    names.SHA512: hashes.SHA512(),
}
MASKS: Final[Mapping[str, hashes.HashAlgorithm]] = {
    names.MGF1_SHA1: hashes.SHA1(),  # noqa: S303  likewise
    names.MGF1_SHA256: hashes.SHA256(),
    names.MGF1_SHA384: hashes.SHA384(),
    names.MGF1_SHA512: hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """An EncryptedAssertion of the allowed shape."""

    method: str
    wrapping: rsa_padding.OAEP
    wrapped_key: bytes
    data: bytes


def decrypt_assertion(encrypted: Element, keys: Sequence[rsa.RSAPrivateKey], *, allow_cbc: bool, response_signed: bool) -> bytes:
    """The plaintext of an EncryptedAssertion: not believed yet. Raises `SamlEncryptionMethod` (not on the list), `SamlDecryption`."""
    ciphertext = read_ciphertext(encrypted)
    check_method(ciphertext.method, allow_cbc=allow_cbc, response_signed=response_signed)
    for key in keys:
        plain = try_key(ciphertext, key)
        if plain is not None:
            return plain
    raise SamlDecryption("with none of our keys" if keys else "no key is configured (sp.key)")


def read_ciphertext(encrypted: Element) -> Ciphertext:
    """EncryptedData with exactly one EncryptedKey, in its KeyInfo or beside it (SAML Core §2.2.4). Raises `SamlEncryptionMethod`."""
    data = one_child(encrypted, names.ENCRYPTED_DATA)
    inside = [key for info in data.iterchildren(names.KEY_INFO) for key in info]
    beside = list(encrypted.iterchildren(names.ENCRYPTED_KEY))
    wrapped = [*(key for key in inside if not points_to(key, beside)), *beside]
    if len(wrapped) != 1 or wrapped[0].tag != names.ENCRYPTED_KEY:
        raise SamlEncryptionMethod("not exactly one EncryptedKey")
    return Ciphertext(
        method=one_child(data, names.ENCRYPTION_METHOD).get("Algorithm") or "",
        wrapping=read_wrapping(one_child(wrapped[0], names.ENCRYPTION_METHOD)),
        wrapped_key=read_cipher_value(wrapped[0]),
        data=read_cipher_value(data),
    )


def points_to(element: Element, beside: Sequence[Element]) -> bool:
    """A RetrievalMethod that says that the key stands beside the ciphertext (XML Encryption §3.5.2), where it is looked for anyway."""
    pointer = (element.tag, element.get("Type"), element.get("URI"), len(element))
    return any(pointer == (names.RETRIEVAL_METHOD, names.ENCRYPTED_KEY_TYPE, f"#{key.get('Id')}", 0) for key in beside)


def check_method(method: str, *, allow_cbc: bool, response_signed: bool) -> None:
    """AES-GCM; AES-CBC by opt-in and under a verified Response signature only. Raises `SamlEncryptionMethod`."""
    if method in GCM:
        return
    if method not in CBC:
        raise SamlEncryptionMethod(method[:120] or "no EncryptionMethod")
    if not allow_cbc:
        raise SamlEncryptionMethod("AES-CBC without allow_cbc_encryption")
    if not response_signed:
        raise SamlEncryptionMethod("AES-CBC needs a signed Response around it")


def read_wrapping(method: Element) -> rsa_padding.OAEP:
    """RSA-OAEP and its hashes (XML Encryption 1.1 §5.5.2). Raises `SamlEncryptionMethod`."""
    algorithm, digest, mask = method.get("Algorithm"), names.SHA1, names.MGF1_SHA1
    if algorithm not in {names.OAEP, names.OAEP_SHA1_MASK}:
        raise SamlEncryptionMethod((algorithm or "no EncryptionMethod")[:120])
    for child in method:
        if child.tag == names.DIGEST_METHOD:
            digest = child.get("Algorithm") or ""
        elif child.tag == names.MASK_FUNCTION and algorithm == names.OAEP:
            mask = child.get("Algorithm") or ""
        else:
            raise SamlEncryptionMethod(f"{xml.local_name(child)} in the EncryptionMethod")
    if digest not in HASHES or mask not in MASKS:
        raise SamlEncryptionMethod("a hash of RSA-OAEP that is not on the list")
    return rsa_padding.OAEP(mgf=rsa_padding.MGF1(MASKS[mask]), algorithm=HASHES[digest], label=None)


def read_cipher_value(parent: Element) -> bytes:
    """The bytes themselves; a reference to bytes elsewhere is refused. Raises `SamlEncryptionMethod`, `SamlDecryption`."""
    cipher = one_child(parent, names.CIPHER_DATA)
    return read_base64(one_child(cipher, names.CIPHER_VALUE), SamlDecryption)


def one_child(parent: Element, tag: str) -> Element:
    """The only child of that name. Raises `SamlEncryptionMethod`."""
    found = list(parent.iterchildren(tag))
    if len(found) != 1:
        raise SamlEncryptionMethod(f"{len(found)} children {tag.rpartition('}')[2]} in {xml.local_name(parent)}")
    return found[0]


def try_key(ciphertext: Ciphertext, key: rsa.RSAPrivateKey) -> bytes | None:
    """Decrypt with one of our keys; None for every failure."""
    try:
        session_key = key.decrypt(ciphertext.wrapped_key, ciphertext.wrapping)
        if ciphertext.method in GCM:
            return decrypt_gcm(ciphertext, session_key)
        return decrypt_cbc(ciphertext, session_key)
    except (ValueError, InvalidTag):
        return None


def decrypt_gcm(ciphertext: Ciphertext, key: bytes) -> bytes:
    """XML Encryption 1.1 §5.2.4. Raises `ValueError`, `InvalidTag`."""
    check_length(key, GCM[ciphertext.method])
    return AESGCM(key).decrypt(ciphertext.data[:NONCE], ciphertext.data[NONCE:], None)


def decrypt_cbc(ciphertext: Ciphertext, key: bytes) -> bytes:
    """XML Encryption 1.1 §5.2.2; of the padding only the last byte counts. Raises `ValueError`."""
    check_length(key, CBC[ciphertext.method])
    decryptor = Cipher(algorithms.AES(key), modes.CBC(ciphertext.data[:BLOCK])).decryptor()
    plain = decryptor.update(ciphertext.data[BLOCK:]) + decryptor.finalize()
    if not plain or not 1 <= plain[-1] <= BLOCK:
        raise ValueError("padding")
    return plain[: -plain[-1]]


def check_length(key: bytes, expected: int) -> None:
    """The unwrapped key is as long as its algorithm wants it. Raises `ValueError`."""
    if len(key) != expected:
        raise ValueError("key length")
