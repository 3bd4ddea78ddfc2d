from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from gateway.errors import InternalError, MetadataExpired, UnreadableLogin
from gateway.model import FormPost, IdpRequest, LogoutNotice, Memo, Redirect, TransactionId
from gateway.protocol.saml import (
    LogoutService,
    logout_request,
    logout_response,
    metadata_document,
    read_memo,
    stamp,
    verify_logout_request,
    verify_logout_response,
    verify_metadata,
    verify_response,
)
from tests.fakes import NOON
from tests.peers.saml_forge import EMAIL_FORMAT, IDP, NS, SENT, SP, Party, Shape, party, post, signed
from tests.peers.saml_logout import IDP_SLO, RELAY, SLO, SUCCESS, Logout, answer, posted, query, redirected, them, us
from tests.peers.saml_metadata import POST, REDIRECT, M, entity

TRANSACTION = TransactionId("t" * 22)
OURS = stamp(bytes(range(20)), NOON)
SCHEMAS = __import__("onelogin.saml2", fromlist=["x"]).__path__[0] + "/schemas/"
SCHEMA = etree.XMLSchema(etree.parse(SCHEMAS + "saml-schema-protocol-2.0.xsd"))
POST_ONLY = LogoutService(post=IDP_SLO, post_answers=IDP_SLO)
REDIRECT_ONLY = LogoutService(redirect=IDP_SLO, redirect_answers=IDP_SLO)


def memo_of(**changes: Any) -> Memo:
    """The logout memo of a login with such a response."""
    message = post(signed(Shape(**changes)))
    identity = verify_response(message, sp=us(), idp=them(), sent=SENT, now=NOON, second_opinion=lambda _: pytest.fail("not asked for"))
    assert identity.logout_memo is not None
    return identity.logout_memo


def opened(request: IdpRequest | None, parameter: str) -> Any:
    """The message of a request as a tree, valid by the schema."""
    if isinstance(request, Redirect):
        data = zlib.decompress(base64.b64decode(dict(parse_qsl(urlsplit(request.url).query))[parameter]), wbits=-15)
    else:
        assert isinstance(request, FormPost)
        data = base64.b64decode(request.fields[parameter])
    root = etree.fromstring(data)
    assert SCHEMA.validate(root), SCHEMA.error_log
    return root


def asked(memo: Memo | None = None, **changes: Any) -> tuple[IdpRequest, Memo]:
    how: dict[str, Any] = {"sp": us(), "idp": them(), "sent": OURS} | changes
    begun = logout_request(memo or memo_of(), TRANSACTION, **how)
    assert begun is not None
    return begun


def notice_of(message: Any = None, **changes: Any) -> LogoutNotice:
    return verify_logout_request(message or redirected(query(Logout())), **{"sp": us(), "idp": them(), "now": NOON} | changes)


def answered(notice: LogoutNotice, *, complete: bool = True, **changes: Any) -> IdpRequest | None:
    return logout_response(notice, complete=complete, **{"sp": us(), "idp": them(), "sent": OURS} | changes)


def check_query(url: str, signer: Party, hashing: Any = None) -> None:
    """Verified the way a provider would: over the query as it stands there."""
    text, _, rest = urlsplit(url).query.rpartition("&Signature=")
    value = base64.b64decode(dict(parse_qsl(f"s={rest}"))["s"])
    key = signer.key.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(value, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        half = len(value) // 2
        der = encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
        key.verify(der, text.encode(), ec.ECDSA(hashing))


def check_form(form: IdpRequest | None, parameter: str, signer: Party) -> None:
    """Verified by another library."""
    assert isinstance(form, FormPost)
    root = etree.fromstring(base64.b64decode(form.fields[parameter]))
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(signer.certificate_pem, xmlsec.KeyFormat.CERT_PEM, None)
    context.verify(root.find("ds:Signature", NS))


# ---- our request -----------------------------------------------------------------------------------------------------------


def test_the_request_names_whom_and_which_session_just_as_the_provider_did() -> None:
    """Core §3.7.1."""
    name_id = f'<saml:NameID Format="{EMAIL_FORMAT}" NameQualifier="urn:q" SPNameQualifier="{SP}">alice@example.com</saml:NameID>'
    request, memo = asked(memo_of(name_id_element=name_id))
    root = opened(request, "SAMLRequest")
    assert root.tag.endswith("LogoutRequest")
    assert root.get("Destination") == IDP_SLO
    assert root.get("IssueInstant") == "2026-03-02T12:00:00Z"
    assert root.get("NotOnOrAfter") == "2026-03-02T12:05:00Z"
    assert root.findtext("saml:Issuer", None, NS) == SP
    name = root.find("saml:NameID", NS)
    assert (name.text, dict(name.attrib)) == (
        "alice@example.com",
        {"Format": EMAIL_FORMAT, "NameQualifier": "urn:q", "SPNameQualifier": SP},
    )
    assert root.findtext("samlp:SessionIndex", None, NS) == "_session"
    assert read_memo(memo).id == root.get("ID")


def test_a_session_without_a_name_is_not_named() -> None:
    root = opened(asked(memo_of(session_index=None))[0], "SAMLRequest")
    assert root.find("samlp:SessionIndex", NS) is None


def test_names_with_markup_stay_text() -> None:
    request, _ = asked(memo_of(name_id="a&lt;b&amp;&quot;c", session_index="&lt;x&gt;"), sp=us(entity_id=SP))
    root = opened(request, "SAMLRequest")
    assert root.findtext("saml:NameID", None, NS) == 'a<b&"c'
    assert root.findtext("samlp:SessionIndex", None, NS) == "<x>"


def test_redirect_is_preferred_and_post_is_used_where_it_is_the_only_one() -> None:
    redirect, _ = asked()
    assert isinstance(redirect, Redirect)
    assert dict(parse_qsl(urlsplit(redirect.url).query))["RelayState"] == TRANSACTION
    check_query(redirect.url, party("sp"))
    form, _ = asked(idp=them(logout=POST_ONLY))
    assert isinstance(form, FormPost)
    assert form.action == IDP_SLO
    assert form.fields["RelayState"] == TRANSACTION
    assert opened(form, "SAMLRequest").get("Destination") == IDP_SLO
    check_form(form, "SAMLRequest", party("sp"))


@pytest.mark.parametrize(("curve", "hashing"), [("P-256", hashes.SHA256()), ("P-384", hashes.SHA384()), ("P-521", hashes.SHA512())])
def test_an_elliptic_key_signs_too(curve: str, hashing: Any) -> None:
    signer = party("sp-" + curve, curve=curve)
    request, _ = asked(sp=us(keys=(signer.pair,)))
    assert isinstance(request, Redirect)
    check_query(request.url, signer, hashing)
    check_form(asked(sp=us(keys=(signer.pair,)), idp=them(logout=POST_ONLY))[0], "SAMLRequest", signer)


def test_the_request_is_signed_whatever_is_configured_for_sign_ins() -> None:
    request, _ = asked(sp=us(sign_requests=False))
    assert isinstance(request, Redirect)
    check_query(request.url, party("sp"))


def test_there_is_no_request_where_the_provider_or_we_have_no_single_logout() -> None:
    for how in ({"idp": them(logout=LogoutService())}, {"sp": us(keys=())}, {"sp": us(slo_url=None)}):
        assert logout_request(memo_of(), TRANSACTION, **{"sp": us(), "idp": them(), "sent": OURS} | how) is None  # type: ignore[arg-type]


def test_nobody_is_sent_away_on_stale_metadata() -> None:
    with pytest.raises(MetadataExpired):
        asked(idp=them(valid_until=NOON))


def test_a_transaction_too_long_for_relay_state_is_never_sent() -> None:
    with pytest.raises(InternalError):
        logout_request(memo_of(), TransactionId("t" * 81), sp=us(), idp=them(), sent=OURS)


@pytest.mark.parametrize("memo", ["", "7", "[]", "{}", '["a"]', "null"])
def test_a_foreign_memo_is_not_read(memo: str) -> None:
    with pytest.raises(UnreadableLogin):
        logout_request(Memo(memo), TRANSACTION, sp=us(), idp=them(), sent=OURS)


# ---- the provider's answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", ["rsa", "P-256"])
@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_a_good_answer_ends_it(signer: str, binding: str) -> None:
    by = party("idp") if signer == "rsa" else party("idp-ec", curve=signer)
    message = answer(in_response_to=OURS.id)
    brought = posted(message, by, TRANSACTION) if binding == "post" else redirected(query(message, by, TRANSACTION))
    verify_logout_response(brought, transaction=TRANSACTION, sp=us(), idp=them(by), sent=OURS, now=NOON)


# ---- the provider's request ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", ["rsa", "P-256", "P-384"])
@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_a_good_request_names_whom_and_which_sessions(signer: str, binding: str) -> None:
    by = party("idp") if signer == "rsa" else party("idp-" + signer, curve=signer)
    message = Logout(sessions=("_one", " _two "))
    notice = notice_of(posted(message, by) if binding == "post" else redirected(query(message, by)), idp=them(by))
    assert (notice.issuer, notice.subject, notice.session_ids) == (IDP, "alice@example.com", ("_one", "_two"))


def test_an_elliptic_signature_may_be_written_as_java_does() -> None:
    """Bindings §3.4.4.1 does not say how; XML Signature's form and DER are both met."""
    by = party("idp-ec", curve="P-256")
    assert notice_of(redirected(query(Logout(), by, der=True)), idp=them(by)).subject == "alice@example.com"


def test_without_a_session_index_all_sessions_of_the_subject_are_meant() -> None:
    assert notice_of(redirected(query(Logout(sessions=())))).session_ids == ()


def test_any_certificate_of_the_metadata_may_have_signed() -> None:
    assert notice_of(redirected(query(Logout(), party("idp-next"))), idp=them(party("idp"), party("idp-next")))


def test_a_request_without_a_relay_state_passes() -> None:
    assert notice_of(redirected(query(Logout(), None, None)))
    assert notice_of(posted(Logout(), None, None))


def test_the_mark_of_a_request_is_its_id_and_lives_as_long_as_it_could_be_sent_again() -> None:
    first, other = notice_of(), notice_of(redirected(query(Logout(id="_other"))))
    assert first.proof_id == notice_of(posted(Logout())).proof_id != other.proof_id
    late = Logout(issued=-359, until=None)
    assert notice_of(redirected(query(late))).proof_expires_at > NOON
    assert first.proof_expires_at == NOON + timedelta(minutes=7)


# ---- our answer -------------------------------------------------------------------------------------------------------------------


def test_the_answer_says_success_and_brings_the_relay_state_back() -> None:
    """Core §3.7.2, Bindings §3.4.3."""
    request = answered(notice_of())
    assert isinstance(request, Redirect)
    root = opened(request, "SAMLResponse")
    assert root.tag.endswith("LogoutResponse")
    assert root.get("InResponseTo") == "_logout"
    assert root.get("Destination") == f"{IDP_SLO}/done"
    assert [one.get("Value") for one in root.iter("{*}StatusCode")] == [SUCCESS]
    assert dict(parse_qsl(urlsplit(request.url).query))["RelayState"] == RELAY
    check_query(request.url, party("sp"))


def test_what_did_not_end_everywhere_is_told_as_a_partial_logout() -> None:
    """Core §3.2.2.2: the top-level code is one of four, the second says more."""
    root = opened(answered(notice_of(), complete=False), "SAMLResponse")
    assert [one.get("Value").rpartition(":")[2] for one in root.iter("{*}StatusCode")] == ["Responder", "PartialLogout"]


def test_the_answer_takes_the_way_that_the_request_came_where_it_can() -> None:
    by_form = notice_of(posted(Logout()))
    form = answered(by_form)
    assert isinstance(form, FormPost)
    assert form.action == f"{IDP_SLO}/post/done"
    assert form.fields["RelayState"] == RELAY
    assert opened(form, "SAMLResponse").get("Destination") == form.action
    check_form(form, "SAMLResponse", party("sp"))
    assert isinstance(answered(by_form, idp=them(logout=REDIRECT_ONLY)), Redirect)
    assert isinstance(answered(notice_of(), idp=them(logout=POST_ONLY)), FormPost)


def test_no_relay_state_is_made_up() -> None:
    request = answered(notice_of(redirected(query(Logout(), None, None))))
    assert isinstance(request, Redirect)
    assert "RelayState" not in request.url
    form = answered(notice_of(posted(Logout(), None, None)))
    assert isinstance(form, FormPost)
    assert form.fields.keys() == {"SAMLResponse"}


def test_there_is_no_answer_where_the_provider_takes_none() -> None:
    assert answered(notice_of(), idp=them(logout=LogoutService())) is None
    assert answered(notice_of(), sp=us(keys=())) is None


def test_a_notice_of_another_protocol_is_not_answered() -> None:
    for reply in (None, Memo(""), Memo("{}"), Memo("[]")):
        with pytest.raises(InternalError):
            answered(replace(notice_of(), reply=reply))


# ---- metadata, both ways ------------------------------------------------------------------------------------------------------------


def slo(*services: tuple[str, str, str | None]) -> str:
    return "".join(
        f'<md:SingleLogoutService Binding="{binding}" Location="{where}"' + (f' ResponseLocation="{back}"/>' if back else "/>")
        for binding, where, back in services
    )


def read_logout(services: str) -> LogoutService:
    document = entity().replace("<md:SingleSignOnService", services + "<md:SingleSignOnService", 1)
    return verify_metadata(document.encode(), entity_id=IDP, now=NOON, signing_certificate=None).logout


def test_the_providers_addresses_are_read_and_answers_go_where_it_says() -> None:
    """Metadata §2.2.2: ResponseLocation, where it differs."""
    assert read_logout(slo((REDIRECT, IDP_SLO, f"{IDP_SLO}/done"), (POST, f"{IDP_SLO}/post", None))) == LogoutService(
        redirect=IDP_SLO, redirect_answers=f"{IDP_SLO}/done", post=f"{IDP_SLO}/post", post_answers=f"{IDP_SLO}/post"
    )
    assert read_logout(slo(("urn:oasis:names:tc:SAML:2.0:bindings:SOAP", IDP_SLO, None))) == LogoutService()
    assert read_logout("") == LogoutService()


@pytest.mark.parametrize(
    "address", ["http://idp.example.com/slo", "javascript:alert(1)", "", "https://", "/slo", "https://idp.example.com/#x"]
)
def test_an_address_that_cannot_be_used_stops_no_login(address: str) -> None:
    assert read_logout(slo((REDIRECT, address, None), (POST, IDP_SLO, address))) == LogoutService(post=IDP_SLO, post_answers=IDP_SLO)
    assert read_logout(slo((REDIRECT, address, None), (REDIRECT, IDP_SLO, None))).redirect == IDP_SLO


def test_ours_offers_both_ways_where_we_can_sign() -> None:
    document = etree.fromstring(metadata_document(us(), signed=False))
    services = [(one.get("Binding"), one.get("Location")) for one in document.iter(f"{{{M}}}SingleLogoutService")]
    assert services == [(REDIRECT, SLO), (POST, SLO)]
    assert etree.XMLSchema(etree.parse(SCHEMAS + "saml-schema-metadata-2.0.xsd")).validate(document)
    assert b"SingleLogoutService" not in metadata_document(us(keys=()), signed=False).encode()
