"""What the second engine gets to see, and what a disagreement leads to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import xmlsec
from lxml import etree

from gateway.errors import OpinionsDiffer
from gateway.idp.second_opinion import Python3Saml
from gateway.model import VerifiedIdentity
from gateway.protocol.saml import Evidence, IdentityProviderMetadata, Reading, verify_response
from tests.fakes import NOON
from tests.peers.saml_forge import (
    DS,
    EMAIL_FORMAT,
    NS,
    SENT,
    A,
    Shape,
    attribute,
    encrypt,
    fresh,
    party,
    post,
    sign,
    signed,
    them,
    us,
)

T = xmlsec.Transform
HONEST = Reading(name_id="alice@example.com", name_id_format=EMAIL_FORMAT, attributes={"mail": ("alice@example.com",)})
PLAIN = Shape(attributes=(("mail", ("alice@example.com",)),))


def both(message: Any, idp: IdentityProviderMetadata | None = None, **sp: Any) -> VerifiedIdentity:
    provider = us(second_opinion=True, **sp)
    idp = idp or them()
    return verify_response(post(message), sp=provider, idp=idp, sent=SENT, now=NOON, second_opinion=Python3Saml(provider, idp))


def seen(message: Any) -> Evidence:
    """What the second engine would get."""
    shown: list[Evidence] = []

    def look(evidence: Evidence) -> Reading:
        shown.append(evidence)
        raise OpinionsDiffer

    with pytest.raises(OpinionsDiffer):
        verify_response(post(message), sp=us(second_opinion=True), idp=them(), sent=SENT, now=NOON, second_opinion=look)
    return shown[0]


def sealed(which: str, *, alone: bool = True) -> Any:
    root = encrypt(signed(which=which), alone=alone)
    sign(root, party("idp"))
    return fresh(root)


NAMED = '<saml:Attribute Name="t"><saml:AttributeValue><saml:NameID>x</saml:NameID></saml:AttributeValue></saml:Attribute>'
MESSAGES: dict[str, Callable[[], Any]] = {
    "a signed assertion": signed,
    "a signed Response": lambda: signed(which="response"),
    "both signed": lambda: signed(which="both"),
    "SHA-512": lambda: signed(method=T.RSA_SHA512, digest=T.SHA512),
    "SHA-384": lambda: signed(method=T.RSA_SHA384, digest=T.SHA384),
    "a list of prefixes": lambda: signed(prefixes=["xs", "#default", "saml"]),
    "no KeyInfo": lambda: signed(key_info=False),
    "an encrypted, signed assertion": lambda: encrypt(signed()),
    "an encrypted, signed assertion that borrows prefixes": lambda: encrypt(signed(), alone=False),
    "an encrypted, unsigned assertion in a signed Response": lambda: sealed("none"),
    "an encrypted, signed assertion in a signed Response": lambda: sealed("assertion"),
    "an encrypted, unsigned assertion that borrows prefixes": lambda: sealed("none", alone=False),
    "many groups": lambda: signed(Shape(attributes=(("groups", tuple(f"g{n}" for n in range(200))),))),
    "no attributes": lambda: signed(Shape(attributes=())),
    "doubled and empty attributes": lambda: signed(
        Shape(extra_attributes=attribute("groups", "more", "") + attribute("none") + attribute("mail", " padded "))
    ),
    "a NameID as a value": lambda: signed(Shape(extra_attributes=NAMED)),
    "line breaks and escapes": lambda: signed(Shape(extra_attributes=attribute("x", "a\n b", "<&\">'", "\u00fc\U0001f600", "&#13;&#9;"))),
    "no format of the NameID": lambda: signed(Shape(name_id_attributes="")),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_both_engines_agree_on_a_good_message(name: str) -> None:
    assert both(MESSAGES[name]()).name_id == "alice@example.com"


def test_both_engines_agree_during_a_rollover() -> None:
    idp = them(party("idp-old"), party("idp"))
    assert both(signed(), idp).name_id == both(signed(by=party("idp-old")), idp).name_id


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_both_engines_agree_on_elliptic_curves(curve: str) -> None:
    method = {"P-256": T.ECDSA_SHA256, "P-384": T.ECDSA_SHA384, "P-521": T.ECDSA_SHA512}[curve]
    signer = party("idp-ec", curve=curve)
    assert both(signed(by=signer, method=method), them(signer)).name_id


def test_both_engines_agree_on_cbc_by_opt_in_in_a_signed_response() -> None:
    root = encrypt(signed(), block=T.AES128, bits=128)
    sign(root, party("idp"))
    assert both(fresh(root), allow_cbc_encryption=True).name_id == "alice@example.com"


def test_a_certificate_that_has_ended_still_verifies_for_both() -> None:
    signer = party("idp-ended", ended=True)
    assert both(signed(by=signer), them(signer)).name_id


@pytest.mark.parametrize(
    "lie",
    [
        {"name_id": "mallory@example.com"},
        {"name_id": "alice@example.com "},
        {"name_id_format": None},
        {"attributes": {}},
        {"attributes": {"mail": ()}},
        {"attributes": {"mail": ("alice@example.com", "alice@example.com")}},
        {"attributes": {"mail": ("mallory@example.com",)}},
        {"attributes": {"mail": ("alice@example.com",), "admin": ("true",)}},
    ],
    ids=str,
)
def test_a_disagreement_is_a_refused_login(lie: dict[str, Any]) -> None:
    told = {"name_id": HONEST.name_id, "name_id_format": HONEST.name_id_format, "attributes": HONEST.attributes} | lie
    with pytest.raises(OpinionsDiffer):
        verify_response(
            post(signed(PLAIN)), sp=us(second_opinion=True), idp=them(), sent=SENT, now=NOON, second_opinion=lambda _: Reading(**told)
        )


def test_what_differs_is_named_without_its_values() -> None:
    other = Reading(name_id=HONEST.name_id, name_id_format=HONEST.name_id_format, attributes={"mail": ("secret@example.com",)})
    with pytest.raises(OpinionsDiffer) as refused:
        verify_response(post(signed(PLAIN)), sp=us(second_opinion=True), idp=them(), sent=SENT, now=NOON, second_opinion=lambda _: other)
    assert "mail" in refused.value.detail
    assert "example.com" not in refused.value.detail


def test_without_a_second_opinion_nobody_is_asked() -> None:
    def refuse(_evidence: Evidence) -> Reading:
        raise AssertionError

    assert verify_response(post(signed()), sp=us(), idp=them(), sent=SENT, now=NOON, second_opinion=refuse).name_id


def test_an_unsigned_envelope_is_rebuilt() -> None:
    root = signed(Shape(extensions="<samlp:Extensions><x>planted</x></samlp:Extensions>"))
    root.set("Consent", "planted")
    shown = etree.fromstring(seen(root).document)
    assert [etree.QName(child).localname for child in shown] == ["Issuer", "Status", "Assertion"]
    assert b"planted" not in seen(root).document


def test_a_signed_envelope_stays_as_it_was_signed() -> None:
    shown = seen(signed(Shape(extensions="<samlp:Extensions><x>signed</x></samlp:Extensions>"), "response"))
    assert b"signed</x>" in shown.document


@pytest.mark.parametrize("which", ["assertion", "response"])
def test_key_info_that_no_signature_covers_is_not_shown(which: str) -> None:
    root = signed(which=which)
    info = next(root.iter(f"{{{DS}}}KeyInfo"))
    info.append(etree.fromstring(f'<ds:RetrievalMethod xmlns:ds="{DS}" URI="file:///etc/hostname"/>'))
    shown = seen(root)
    assert b"KeyInfo" not in shown.document
    assert both(root).name_id == "alice@example.com"


def test_a_ciphertext_is_shown_only_under_a_verified_response_signature() -> None:
    assert seen(encrypt(signed())).sealed is None
    assert b"EncryptedData" not in seen(encrypt(signed())).document
    assert seen(sealed("none")).sealed is not None


def refusal(evidence: Evidence) -> str:
    with pytest.raises(OpinionsDiffer) as refused:
        Python3Saml(us(), them())(evidence)
    return refused.value.detail


def test_the_second_engine_refuses_by_itself_what_is_badly_signed() -> None:
    root = signed()
    next(root.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    assert "signature" in refusal(Evidence(document=etree.tostring(root), signed=True))
    assert refusal(Evidence(document=etree.tostring(signed(by=party("mallory"))), signed=True))
    assert refusal(Evidence(document=etree.tostring(signed(which="none")), signed=True))


def test_the_second_engine_refuses_a_badly_signed_envelope_around_a_ciphertext() -> None:
    clear = etree.tostring(signed(which="none"))
    good = etree.tostring(sealed("none"))
    engine = Python3Saml(us(), them())
    assert engine(Evidence(document=clear, signed=False, sealed=good)).name_id == "alice@example.com"
    assert refusal(Evidence(document=clear, signed=False, sealed=good.replace(b'InResponseTo="_c', b'InResponseTo="_d', 1)))


@pytest.mark.parametrize("document", [b"", b"<", b"<!DOCTYPE a><a/>", b"<a/>", b"\xff", b"<Response/>"], ids=repr)
def test_whatever_the_second_engine_stumbles_over_is_a_refusal(document: bytes) -> None:
    assert refusal(Evidence(document=document, signed=True))


def test_the_second_engine_reads_a_text_whole_that_a_comment_divides() -> None:
    raw = etree.tostring(signed(which="none")).replace(b"alice@example.com</saml:NameID>", b"alice@example.com<!-- -->.evil</saml:NameID>")
    assert Python3Saml(us(), them())(Evidence(document=raw, signed=False)).name_id == "alice@example.com.evil"


def test_the_second_engine_gives_one_verdict_from_many_threads() -> None:
    engine, good, bad = Python3Saml(us(), them()), seen(signed()), seen(signed())
    bad = replace(bad, document=bad.document.replace(b"alice@", b"malice@", 1))

    def verdict(evidence: Evidence) -> str:
        try:
            return engine(evidence).name_id
        except OpinionsDiffer:
            return "refused"

    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(verdict, [good, bad] * 100))
    assert verdicts == ["alice@example.com", "refused"] * 100


def test_what_is_not_valid_by_the_schema_is_refused() -> None:
    root = signed(which="none")
    etree.SubElement(root.find("saml:Assertion", NS), f"{{{A}}}Surprise")
    assert "schema" in refusal(Evidence(document=etree.tostring(root), signed=False))


def test_a_disagreement_about_the_schema_names_no_value() -> None:
    root = signed(
        Shape(
            extra_attributes='<saml:Attribute Name="n"><saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:integer">CANARY</saml:AttributeValue></saml:Attribute>'
        )
    )
    detail = refusal(Evidence(document=etree.tostring(root), signed=True))
    assert "schema" in detail
    assert "CANARY" not in detail
