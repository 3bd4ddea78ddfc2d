"""Whatever the bytes: a verified value or a `GatewayError`, and never an identity that was not signed."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import GatewayError, SamlError
from gateway.idp.second_opinion import Python3Saml
from gateway.model import VerifiedIdentity
from gateway.protocol.saml import Evidence, is_unsolicited, read_memo, verify_metadata, verify_response
from gateway.protocol.saml.xml import read_document
from tests.fakes import NOON
from tests.peers.saml_forge import DS, IDP, SENT, A, Shape, attribute, encrypt, fresh, party, post, sign, signed, them, us

SP = us(second_opinion=True, allow_cbc_encryption=True)
ENGINE = Python3Saml(SP, them())
UNTYPED = Shape(attributes=(), extra_attributes=attribute("mail", "alice@example.com", typed=False))


def sealed() -> Any:
    root = encrypt(signed())
    sign(root, party("idp"))
    return fresh(root)


GOOD = {which: etree.tostring(signed(UNTYPED, which)) for which in ("assertion", "response", "both")}
GOOD |= {"encrypted": etree.tostring(encrypt(signed())), "sealed": etree.tostring(sealed())}
ALGORITHMS = (
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "file:///dev/zero",
    "",
)
MARKUP = [*rb"""< > <a </a> <a/> x=" ' &amp; &#0; xmlns:a='u' <! <?x ]]>""".split(), b"\xef\xbb\xbf", b"\0", b"\xff", b" "]
pieces = st.sampled_from(MARKUP)
some = settings(max_examples=150, deadline=None, database=None)


def verified(message: Any) -> VerifiedIdentity:
    return verify_response(post(message), sp=SP, idp=them(), sent=SENT, now=NOON, second_opinion=ENGINE)


EXPECTED = {which: verified(message) for which, message in GOOD.items()}


def check_same_or_refused(message: Any, which: str) -> None:
    """A changed message is refused, or the change touched nothing that was signed and read."""
    with suppress(GatewayError):
        assert verified(message) == EXPECTED[which]


@some
@given(st.binary(max_size=300) | st.lists(pieces, max_size=40).map(b"".join))
def test_any_bytes_are_refused_with_an_error_of_ours(raw: bytes) -> None:
    for attempt in (verified, lambda message: is_unsolicited(post(message)), read_document):
        with suppress(GatewayError):
            attempt(raw)
    with suppress(GatewayError):
        verify_metadata(raw, entity_id=IDP, now=NOON, signing_certificate=party("idp").trusted)


@some
@given(st.text(max_size=300))
def test_any_parameter_is_refused_with_an_error_of_ours(parameter: str) -> None:
    for attempt in (is_unsolicited, lambda text: verify_response(text, sp=SP, idp=them(), sent=SENT, now=NOON, second_opinion=ENGINE)):
        try:
            attempt(parameter)
        except SamlError:
            continue
        raise AssertionError


@some
@given(st.text(max_size=80))
def test_any_memo_is_read_or_refused(memo: Any) -> None:
    with suppress(GatewayError):
        read_memo(memo)


@settings(max_examples=400, deadline=None, database=None)
@given(st.sampled_from(["assertion", "response", "both"]), st.data())
def test_any_flipped_bit_inside_a_signed_element_is_refused(which: str, data: st.DataObject) -> None:
    raw = bytearray(GOOD[which])
    start = raw.index(b"<saml:Subject>")
    at = data.draw(st.integers(start, raw.index(b"</saml:Assertion>") - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        verified(bytes(raw))
    except GatewayError:
        return
    raise AssertionError(bytes(raw))


@some
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_replaced_bytes_are_refused_or_change_nothing(which: str, data: st.DataObject) -> None:
    raw = bytearray(GOOD[which])
    at = data.draw(st.integers(0, len(raw)))
    raw[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=8) | pieces)
    check_same_or_refused(bytes(raw), which)


def elements(root: Any) -> list[Any]:
    return list(root.iter())


def move(root: Any, data: st.DataObject) -> None:
    one, to = data.draw(st.sampled_from(elements(root)[1:])), data.draw(st.sampled_from(elements(root)))
    if to not in list(one.iter()):
        to.insert(data.draw(st.integers(0, len(to))), one)


def duplicate(root: Any, data: st.DataObject) -> None:
    one, to = data.draw(st.sampled_from(elements(root)[1:])), data.draw(st.sampled_from(elements(root)))
    to.insert(data.draw(st.integers(0, len(to))), copy.deepcopy(one))


def remove(root: Any, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(elements(root)[1:]))
    one.getparent().remove(one)


def rename(root: Any, data: st.DataObject) -> None:
    one, like = data.draw(st.sampled_from(elements(root))), data.draw(st.sampled_from(elements(root)))
    one.tag = like.tag


def set_attribute(root: Any, data: st.DataObject) -> None:
    one, like = data.draw(st.sampled_from(elements(root))), data.draw(st.sampled_from(elements(root)))
    name = data.draw(st.sampled_from([*like.keys(), "ID", "Id", "URI", "Algorithm", "{http://www.w3.org/XML/1998/namespace}id"]))
    value = data.draw(st.sampled_from(["_assertion", "_response", "#_assertion", "#_response", "", *ALGORITHMS]))
    one.set(name, value)


def set_text(root: Any, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(elements(root)))
    setattr(one, data.draw(st.sampled_from(["text", "tail"])), data.draw(st.sampled_from(["", " ", "mallory@example.com", "AAAA", "\n"])))


MUTATIONS = (move, duplicate, remove, rename, set_attribute, set_text)


@settings(max_examples=500, deadline=None, database=None)
@given(st.sampled_from(sorted(GOOD)), st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=4), st.data())
def test_any_rearranged_message_is_refused_or_says_the_same(which: str, mutations: list[Any], data: st.DataObject) -> None:
    root = etree.fromstring(GOOD[which])
    for mutate in mutations:
        if len(elements(root)) > 1:
            mutate(root, data)
    check_same_or_refused(root, which)


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from(["assertion", "response"]), st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=6), st.data())
def test_any_fuzzed_signed_info_is_refused_or_says_the_same(which: str, mutations: list[Any], data: st.DataObject) -> None:
    root = etree.fromstring(GOOD[which])
    signature = next(root.iter(f"{{{DS}}}Signature"))
    for mutate in mutations:
        if len(elements(signature)) > 1:
            mutate(signature, data)
    check_same_or_refused(root, which)


@some
@given(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=3), st.data())
def test_whatever_the_provider_itself_signs_is_read_or_refused(mutations: list[Any], data: st.DataObject) -> None:
    """Nonsense under a good signature: an error of ours, or an identity that both engines read alike."""
    root = etree.fromstring(etree.tostring(signed(which="none")))
    assertion = next(root.iter(f"{{{A}}}Assertion"))
    for mutate in mutations:
        if len(elements(assertion)) > 1:
            mutate(assertion, data)
    if not assertion.get("ID") or assertion.getparent() is None:
        return
    sign(assertion, party("idp"), position=min(1, len(assertion)))
    with suppress(GatewayError):
        verified(root)


@some
@given(st.binary(max_size=200), st.booleans())
def test_the_second_engine_refuses_any_bytes_with_an_error_of_ours(raw: bytes, signed_document: bool) -> None:  # noqa: FBT001
    with suppress(GatewayError):
        ENGINE(Evidence(document=raw, signed=signed_document, sealed=raw))
