"""Our own signatures: the enveloped one of a document, and the one of a redirect's query.

RSA with SHA-256; ECDSA with the hash that fits its curve (RFC 6931 §2.3.6). The SignedInfo is written in its canonical form.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.protocol.saml import names, xml
from gateway.protocol.saml.keys import KeyPair, PrivateKey

_CURVE_METHODS: Final = {
    256: (names.ECDSA_SHA256, hashes.SHA256()),
    384: (names.ECDSA_SHA384, hashes.SHA384()),
    521: (names.ECDSA_SHA512, hashes.SHA512()),
}
_SIGNED_INFO: Final = (
    f'<ds:SignedInfo xmlns:ds="{names.DSIG}">'
    f'<ds:CanonicalizationMethod Algorithm="{names.EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>'
    '<ds:Reference URI="#{identifier}"><ds:Transforms>'
    f'<ds:Transform Algorithm="{names.ENVELOPED_SIGNATURE}"></ds:Transform>'
    f'<ds:Transform Algorithm="{names.EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{names.SHA256}"></ds:DigestMethod><ds:DigestValue>{{digest}}</ds:DigestValue>'
    "</ds:Reference></ds:SignedInfo>"
)
_SIGNATURE: Final = (
    f'<ds:Signature xmlns:ds="{names.DSIG}">{{info}}<ds:SignatureValue>{{value}}</ds:SignatureValue>'
    "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
)


def signature_method(key: PrivateKey) -> str:
    """The algorithm URI that `sign` uses with this key."""
    return names.RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else _CURVE_METHODS[key.curve.key_size][0]


def sign(key: PrivateKey, data: bytes) -> bytes:
    """A signature value; ECDSA's as two numbers side by side (XML Signature 1.1 §6.4.3)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    bits = key.curve.key_size
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVE_METHODS[bits][1])))
    half = (bits + 7) // 8
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


def signed_document(document: str, *, identifier: str, after: str, pair: KeyPair) -> str:
    """The document of ours with an enveloped signature behind the first `after`. `identifier`: the ID of its root."""
    content = xml.canonical_bytes(xml.read_document(document.encode()), ())
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    info = _SIGNED_INFO.format(method=signature_method(pair.key), identifier=identifier, digest=digest)
    signature = _SIGNATURE.format(
        info=info,
        value=base64.b64encode(sign(pair.key, info.encode())).decode(),
        certificate=pair.certificate.base64,
    )
    head, _, tail = document.partition(after)
    return head + after + signature + tail
