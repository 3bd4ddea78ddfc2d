"""A logout message as the browser brought it: proven to be the provider's, then parsed (Bindings §3.4.4, §3.5.4).

By redirect, the signature stands in the query and is verified over the query as it came, before a byte is decoded or inflated.
By POST it is the enveloped one of the message's root. An unsigned message is never read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import SamlMalformed, SamlSignature, SamlSignatureMethod, SamlStructure, SamlTooLarge, SamlUnsigned
from gateway.model import Channel, LogoutMessage
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.base64 import from_base64, unwrapped
from gateway.protocol.saml.bindings import Parameter
from gateway.protocol.saml.keys import Certificate, PublicKey
from gateway.protocol.saml.signature import ECDSA_METHODS, SIGNATURE_METHODS, is_signed_by, read_signature, verify_signature
from gateway.protocol.saml.xml import Element

MAX_MESSAGE: Final = 64 * 1024
"""Bytes of a logout message, inflated."""

_MAX_ENCODED: Final = 2 * MAX_MESSAGE  # base64, and some escapes
_PARAMETERS: Final = frozenset({"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that the provider signed. `relay_state` came with it; a POST's is covered by no signature."""

    root: Element
    relay_state: str | None


def verify_message(message: LogoutMessage, parameter: Parameter, certificates: Sequence[Certificate]) -> Received:
    """The message that `parameter` carries, signed by the provider. Raises `SamlError`s of size, form, structure and signature."""
    if message.channel is Channel.REDIRECT:
        return verify_redirect(message.raw_query, parameter, certificates)
    if message.channel is Channel.POST:
        return verify_post(message.fields, parameter, certificates)
    raise SamlMalformed(f"a SAML message by the {message.channel} channel")


def verify_redirect(raw_query: str, parameter: Parameter, certificates: Sequence[Certificate]) -> Received:
    """Signature first, over the escaped values as they came (Bindings §3.4.4.1). Raises `SamlError`."""
    values = read_query(raw_query, parameter)
    check_encoding(values)
    check_query_signature(values, parameter, certificates)
    document = inflate(read_base64(unquote(values[parameter]), SamlMalformed))
    return Received(root=xml.read_document(document), relay_state=_relay_state(values))


def verify_post(fields: Mapping[str, str], parameter: Parameter, certificates: Sequence[Certificate]) -> Received:
    """What is read was parsed from the bytes that the root's signature covers (Bindings §3.5.4). Raises `SamlError`."""
    check_one_message(fields, parameter)
    check_length(fields[parameter])
    document = read_base64(fields[parameter], SamlMalformed)
    if len(document) > MAX_MESSAGE:
        raise SamlTooLarge(f"{len(document)} bytes, limit {MAX_MESSAGE}")
    root = xml.read_document(document)
    proven = verify_signature(read_signature(only_signature(root), root), certificates)
    return Received(root=proven, relay_state=fields.get("RelayState"))


def read_query(raw_query: str, parameter: Parameter) -> Mapping[str, str]:
    """The parameters of the binding, still escaped; each at most once. Raises `SamlTooLarge`, `SamlMalformed`."""
    check_length(raw_query)
    if not raw_query.isascii():
        raise SamlMalformed("a query that is not ASCII")
    values: dict[str, str] = {}
    for pair in raw_query.split("&"):
        name, _, value = pair.partition("=")
        if name in values:
            raise SamlMalformed(f"{name} comes twice")
        if name in _PARAMETERS:
            values[name] = value
    check_one_message(values, parameter)
    return values


def check_one_message(values: Mapping[str, str], parameter: Parameter) -> None:
    """The one wanted, and not one of the other kind beside it. Raises `SamlMalformed`."""
    if not values.get(parameter) or {"SAMLRequest", "SAMLResponse"} <= values.keys():
        raise SamlMalformed(f"not exactly one message, a {parameter}")


def check_length(text: str) -> None:
    """Raises `SamlTooLarge`."""
    if len(text) > _MAX_ENCODED:
        raise SamlTooLarge(f"{len(text)} characters, limit {_MAX_ENCODED}")


def check_encoding(values: Mapping[str, str]) -> None:
    """DEFLATE, which is what its absence means, too (Bindings §3.4.4). Raises `SamlMalformed`."""
    if unquote(values.get("SAMLEncoding", names.DEFLATE)) != names.DEFLATE:
        raise SamlMalformed("an encoding other than DEFLATE")


def check_query_signature(values: Mapping[str, str], parameter: Parameter, certificates: Sequence[Certificate]) -> None:
    """Message, RelayState and algorithm, escaped as they came, in this order (Bindings §3.4.4.1).

    Raises `SamlUnsigned`, `SamlSignatureMethod`, `SamlSignature`.
    """
    if not values.get("Signature") or not values.get("SigAlg"):
        raise SamlUnsigned("the query is not signed")
    method = unquote(values["SigAlg"])
    if method not in SIGNATURE_METHODS:
        raise SamlSignatureMethod(f"SigAlg {method[:120]}")
    signed = "&".join(f"{name}={values[name]}" for name in (parameter, "RelayState", "SigAlg") if name in values).encode()
    value = read_base64(unquote(values["Signature"]), SamlSignature)
    if not any(is_query_signed_by(certificate.key, method, value, signed) for certificate in certificates):
        raise SamlSignature("the query verifies with none of the provider's certificates")


def is_query_signed_by(key: PublicKey, method: str, value: bytes, signed: bytes) -> bool:
    """Whether `value` is this key's signature.

    How an ECDSA value is written the binding does not say: as in XML Signature, two numbers side by side, or as DER, which is what
    Java's libraries make of it.
    """
    if is_signed_by(key, method, value, signed):
        return True
    if not isinstance(key, ec.EllipticCurvePublicKey) or method not in ECDSA_METHODS:
        return False
    try:
        key.verify(value, signed, ECDSA_METHODS[method])
    except InvalidSignature:
        return False
    return True


def only_signature(root: Element) -> Element:
    """The one signature of the whole document, a child of its root (Core §5.4.1). Raises `SamlUnsigned`, `SamlStructure`."""
    found = list(root.iter(names.SIGNATURE))
    if not found:
        raise SamlUnsigned("the message is not signed")
    if len(found) > 1 or found[0].getparent() is not root:
        raise SamlStructure("a signature in a wrong place, or more than one")
    return found[0]


def inflate(data: bytes) -> bytes:
    """Raw DEFLATE, whole, and no more than a message may have (RFC 1951). Raises `SamlTooLarge`, `SamlMalformed`."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        document = stream.decompress(data, MAX_MESSAGE + 1)
    except zlib.error:
        raise SamlMalformed("not in DEFLATE") from None
    if len(document) > MAX_MESSAGE:
        raise SamlTooLarge(f"more than {MAX_MESSAGE} bytes when inflated")
    if not stream.eof or stream.unused_data:
        raise SamlMalformed("the DEFLATE data is cut short, or something follows it")
    return document


def read_base64(text: str, error: type[SamlMalformed | SamlSignature]) -> bytes:
    """Base64, which may be wrapped into lines. Raises `error`."""
    try:
        return from_base64(unwrapped(text))
    except ValueError:
        raise error("not in base64") from None


def _relay_state(values: Mapping[str, str]) -> str | None:
    """As the form encoding means it: a plus is a blank."""
    return None if "RelayState" not in values else unquote_plus(values["RelayState"])
