"""A signature that is recognised as one text says what it says when it is looked at piece by piece."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import xmlsec
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import GatewayError, SamlError
from gateway.protocol.saml import names
from gateway.protocol.saml.signature import check_children, read_any_signature, read_plain_signature, read_signature
from gateway.protocol.saml.xml import Element, read_document
from tests.peers.saml_forge import signed

T = xmlsec.Transform
PLAIN = {
    "as signed": etree.tostring(signed()),
    "other hashes": etree.tostring(signed(method=T.RSA_SHA512, digest=T.SHA384)),
    "no prefix": etree.tostring(signed()).replace(b"ds:", b"").replace(b"xmlns:ds=", b"xmlns="),
    "pretty": etree.tostring(signed()).replace(b"<ds:", b"\n  <ds:"),
}
OTHERWISE = {
    "a list of prefixes": etree.tostring(signed(prefixes=["xs", "saml"])),
    "an Id": etree.tostring(signed()).replace(b"<ds:Reference ", b'<ds:Reference Id="r" '),
    "a Type": etree.tostring(signed()).replace(b"<ds:Reference ", b'<ds:Reference Type="t" '),
    "text": etree.tostring(signed()).replace(b"<ds:Transforms>", b"<ds:Transforms>x"),
}
PIECES = st.sampled_from(
    [
        *rb"""< > / " ' = x = + / & ds: <x/> &#10; &#13; &amp; xmlns="u" xmlns:q="q" Id="" Algorithm="" URI="#_assertion" """.split(),
        *(uri.encode() for uri in (names.EXCLUSIVE_C14N, names.ENVELOPED_SIGNATURE, names.SHA1, names.SHA512, names.RSA_SHA384)),
        b"http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        b"http://www.w3.org/TR/1999/REC-xpath-19991116",
        b"<ds:Transform/>",
        b"\n",
        b" ",
        b"",
    ]
)


def parts(raw: bytes) -> tuple[Element, Element]:
    """The signature and the assertion around it. Raises `SamlError`."""
    signature: Any = next(read_document(raw).iter(names.SIGNATURE), None)
    if signature is None or signature.getparent() is None:
        raise SamlError
    check_children(signature)
    return signature, signature.getparent()


@pytest.mark.parametrize("which", PLAIN)
def test_a_plain_signature_is_recognised(which: str) -> None:
    signature, owner = parts(PLAIN[which])
    assert read_plain_signature(signature, owner) == read_any_signature(signature, owner)


@pytest.mark.parametrize("which", OTHERWISE)
def test_a_signature_with_more_in_it_is_read_piece_by_piece(which: str) -> None:
    signature, owner = parts(OTHERWISE[which])
    assert read_plain_signature(signature, owner) is None
    assert read_signature(signature, owner) == read_any_signature(signature, owner)


@settings(max_examples=1500, deadline=None, database=None)
@given(st.sampled_from(sorted(PLAIN)), PIECES | st.binary(max_size=3), st.integers(0, 12), st.data())
def test_whatever_is_recognised_is_read_the_same_way_piece_by_piece(which: str, piece: bytes, cut: int, data: st.DataObject) -> None:
    raw = bytearray(PLAIN[which])
    at = data.draw(st.integers(raw.index(b"SignedInfo") - 4, raw.rindex(b"SignatureValue")))
    raw[at : at + cut] = piece
    with suppress(GatewayError):
        signature, owner = parts(bytes(raw))
        plain = read_plain_signature(signature, owner)
        if plain is not None:
            assert plain == read_any_signature(signature, owner)
