from __future__ import annotations

import base64
import zlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import xmlsec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from gateway.errors import ConfigError, InternalError, MetadataExpired, MetadataUnusable, UnreadableLogin
from gateway.model import FormPost, IdpRequest, Memo, Redirect, TransactionId
from gateway.protocol.saml import SentRequest, authn_request, draft_request, read_memo, registration
from gateway.protocol.saml.bindings import deflated_between, framed
from tests.fakes import NOON
from tests.peers.saml_forge import ACS, NS, SP, A, party, them, us

RANDOM = bytes(range(20))
TRANSACTION = TransactionId("transaction-0123456789_-abcdef")
SSO = "https://idp.example.com/sso"
SCHEMA = etree.XMLSchema(etree.parse(__import__("onelogin.saml2", fromlist=["x"]).__path__[0] + "/schemas/saml-schema-protocol-2.0.xsd"))


def ask(*, sp: Any = None, idp: Any = None, transaction: TransactionId = TRANSACTION) -> tuple[IdpRequest, SentRequest]:
    draft = draft_request(sp or us(), idp or them())
    request, memo = authn_request(transaction, draft=draft, random=RANDOM, now=NOON + timedelta(microseconds=5))
    return request, read_memo(memo)


def query_of(request: IdpRequest) -> dict[str, str]:
    assert isinstance(request, Redirect)
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query, strict_parsing=True).items()}


def inflated(request: IdpRequest) -> Any:
    return etree.fromstring(zlib.decompress(base64.b64decode(query_of(request)["SAMLRequest"]), wbits=-15))


def posted(request: IdpRequest) -> Any:
    assert isinstance(request, FormPost)
    return etree.fromstring(base64.b64decode(request.fields["SAMLRequest"]))


def test_a_plain_request_says_who_asks_and_where_the_answer_goes() -> None:
    request, sent = ask()
    asked = inflated(request)
    assert SCHEMA.validate(asked), SCHEMA.error_log
    assert dict(asked.attrib) == {
        "ID": sent.id,
        "Version": "2.0",
        "IssueInstant": "2026-03-02T12:00:00Z",
        "Destination": SSO,
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        "AssertionConsumerServiceURL": ACS,
    }
    assert [(child.tag, child.text) for child in asked] == [(f"{{{A}}}Issuer", SP)]


def test_the_memo_holds_the_request_and_its_time() -> None:
    _, sent = ask()
    assert sent == SentRequest(id="_" + RANDOM.hex(), at=NOON)


def test_relay_state_is_the_transaction_and_nothing_else() -> None:
    request, _ = ask()
    assert query_of(request).keys() == {"SAMLRequest", "RelayState"}
    assert query_of(request)["RelayState"] == TRANSACTION


def test_a_relay_state_over_80_bytes_is_never_sent() -> None:
    assert ask(transaction=TransactionId("x" * 80))
    with pytest.raises(InternalError):
        ask(transaction=TransactionId("x" * 81))


def test_an_address_that_has_a_query_keeps_it() -> None:
    request, _ = ask(idp=them(sso_redirect=SSO + "?tenant=a%20b"))
    assert isinstance(request, Redirect)
    assert request.url.startswith(SSO + "?tenant=a%20b&SAMLRequest=")


def test_redirect_is_preferred_and_post_is_used_where_it_is_the_only_one() -> None:
    assert isinstance(ask(idp=them(sso_post=SSO + "/post"))[0], Redirect)
    request, _ = ask(idp=them(sso_redirect=None, sso_post=SSO + "/post"))
    assert isinstance(request, FormPost)
    assert request.action == SSO + "/post"
    assert request.fields["RelayState"] == TRANSACTION
    assert posted(request).get("Destination") == SSO + "/post"


def test_what_is_configured_is_asked_for() -> None:
    sp = us(force_authn=True, name_id_format="urn:persistent", authn_contexts=("urn:mfa", "urn:smartcard"))
    request, _ = ask(sp=sp)
    asked = inflated(request)
    assert SCHEMA.validate(asked), SCHEMA.error_log
    assert asked.get("ForceAuthn") == "true"
    assert dict(asked.find("samlp:NameIDPolicy", NS).attrib) == {"Format": "urn:persistent", "AllowCreate": "true"}
    context = asked.find("samlp:RequestedAuthnContext", NS)
    assert context.get("Comparison") == "exact"
    assert [one.text for one in context] == ["urn:mfa", "urn:smartcard"]


def test_names_with_markup_stay_text() -> None:
    sp = us(entity_id="urn:\"<&>'", acs_url="https://gateway.example.com/a?b=1&c=2", name_id_format='"<&>')
    asked = inflated(ask(sp=sp)[0])
    assert asked.find("saml:Issuer", NS).text == "urn:\"<&>'"
    assert asked.get("AssertionConsumerServiceURL") == "https://gateway.example.com/a?b=1&c=2"
    assert asked.find("samlp:NameIDPolicy", NS).get("Format") == '"<&>'


def test_a_redirect_is_signed_over_the_query_as_it_is_sent() -> None:
    request, _ = ask(sp=us(sign_requests=True))
    assert isinstance(request, Redirect)
    signed, _, value = urlsplit(request.url).query.partition("&Signature=")
    assert [part.split("=")[0] for part in signed.split("&")] == ["SAMLRequest", "RelayState", "SigAlg"]
    assert query_of(request)["SigAlg"] == "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    key = party("sp").key.public_key()
    signature = base64.b64decode(query_of(request)["Signature"])
    key.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr,call-arg,arg-type]
    with pytest.raises(InvalidSignature):
        key.verify(signature, signed.encode() + b"x", padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr,call-arg,arg-type]
    assert value


@pytest.mark.parametrize(("curve", "bits"), [("P-256", 256), ("P-384", 384), ("P-521", 512)])
def test_an_elliptic_key_signs_with_the_hash_of_its_curve(curve: str, bits: int) -> None:
    us_ec = party("sp-ec", curve=curve)
    request, _ = ask(sp=us(sign_requests=True, keys=(us_ec.pair,)))
    assert isinstance(request, Redirect)
    query = query_of(request)
    assert query["SigAlg"] == f"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha{bits}"
    value = base64.b64decode(query["Signature"])
    half = len(value) // 2
    der = encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
    used = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[bits]
    us_ec.key.public_key().verify(der, urlsplit(request.url).query.partition("&Signature=")[0].encode(), ec.ECDSA(used))  # type: ignore[call-arg,arg-type]


@pytest.mark.parametrize("name", ["sp", "sp-ec"])
def test_a_posted_request_is_signed_so_that_another_library_verifies_it(name: str) -> None:
    signer = party(name, curve="P-256" if name == "sp-ec" else None)
    request, _ = ask(sp=us(sign_requests=True, keys=(signer.pair,)), idp=them(sso_redirect=None, sso_post=SSO))
    asked = posted(request)
    assert SCHEMA.validate(asked), SCHEMA.error_log
    xmlsec.tree.add_ids(asked, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(signer.certificate_pem, xmlsec.KeyFormat.CERT_PEM, None)
    context.verify(asked.find("ds:Signature", NS))
    asked.set("ForceAuthn", "true")
    with pytest.raises(xmlsec.Error):
        context.verify(asked.find("ds:Signature", NS))


def test_signing_without_a_key_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        ask(sp=us(sign_requests=True, keys=()))


def test_nobody_is_sent_away_on_stale_or_empty_metadata() -> None:
    with pytest.raises(MetadataExpired):
        ask(idp=them(valid_until=NOON))
    with pytest.raises(MetadataUnusable):
        ask(idp=them(sso_redirect=None))


def test_the_reader_of_memos_keeps_no_text_of_a_login() -> None:
    memo = Memo('{"request": "_a", "at": 1}')
    assert read_memo(memo).id is not read_memo(memo).id


@pytest.mark.parametrize("memo", ["", "{}", "[]", "1", '{"request": "_a"}', '{"request": "_a", "at": "x"}'])
def test_a_foreign_memo_is_not_read(memo: str) -> None:
    with pytest.raises(UnreadableLogin):
        read_memo(Memo(memo))


def test_a_registration_changes_with_either_party() -> None:
    names = {registration(us()), registration(us(entity_id="x")), registration(us(idp_entity_id="x"))}
    assert len(names) == 3
    assert registration(us()) == registration(us(force_authn=True))


@pytest.mark.parametrize("own", ["", "x", ' ID="_0"', "é" * 30_000])
def test_what_is_said_between_a_frame_arrives_as_if_the_message_had_been_deflated_whole(own: str) -> None:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    document = stream.decompress(deflated_between(framed("<before" * 9, ">behind" * 9), own))
    assert document.decode() == "<before" * 9 + own + ">behind" * 9
    assert stream.eof
    assert not stream.unused_data


def test_a_draft_serves_every_login_with_an_id_of_its_own() -> None:
    draft = draft_request(us(), them())
    asked = [inflated(authn_request(TRANSACTION, draft=draft, random=bytes([n]) * 20, now=NOON)[0]).get("ID") for n in range(3)]
    assert asked == [f"_{n:02}" + f"{n:02}" * 19 for n in range(3)]
