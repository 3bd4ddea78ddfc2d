"""Every way to bring a wrong logout message, each a good one with one thing changed, and the code that it ends in."""

from __future__ import annotations

import base64
import time
import zlib
from typing import Any
from urllib.parse import quote

import pytest
import xmlsec
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    GatewayError,
    LogoutAnswer,
    LogoutNotDone,
    LogoutSubject,
    MetadataExpired,
    SamlDestination,
    SamlIssuer,
    SamlMalformed,
    SamlMarkup,
    SamlNameId,
    SamlSignature,
    SamlSignatureMethod,
    SamlStructure,
    SamlTimes,
    SamlTooLarge,
    SamlUnsigned,
)
from gateway.model import Channel, LogoutMessage, LogoutNotice, TransactionId
from gateway.protocol.saml import SentRequest, verify_logout_request, verify_logout_response
from tests.fakes import NOON
from tests.peers.saml_forge import NS, party, sign
from tests.peers.saml_logout import (
    OUR_REQUEST,
    PARTIAL,
    RELAY,
    RSA_SHA256,
    SLO,
    SUCCESS,
    Logout,
    answer,
    as_posted,
    deflated,
    escaped,
    posted,
    query,
    redirected,
    signed,
    text_of,
    them,
    us,
    value,
)

SENT = SentRequest(id=OUR_REQUEST, at=NOON)
GOOD = Logout()
CPU_LIMIT = 0.050
EVIL = party("evil")


def verify(message: LogoutMessage, **how: Any) -> LogoutNotice:
    return verify_logout_request(message, **{"sp": us(), "idp": them(), "now": NOON} | how)


def finish(message: LogoutMessage, **how: Any) -> None:
    verify_logout_response(message, **{"transaction": TransactionId(RELAY), "sp": us(), "idp": them(), "sent": SENT, "now": NOON} | how)


def refused(error: type[GatewayError], message: LogoutMessage, **how: Any) -> None:
    """The message ends with its code, and soon; a run that was disturbed may be repeated."""
    act = finish if how.pop("an_answer", False) else verify

    def seconds() -> float:
        began = time.thread_time()
        with pytest.raises(GatewayError) as caught:
            act(message, **how)
        taken = time.thread_time() - began
        assert caught.value.code == error.code, f"{type(caught.value).__name__}: {caught.value.detail}"
        return taken

    assert seconds() <= CPU_LIMIT or min(seconds() for _ in range(3)) <= CPU_LIMIT


@pytest.fixture(params=["redirect", "post"])
def brought(request: pytest.FixtureRequest) -> Any:
    """Brings a message by one binding, signed by the provider."""
    return posted if request.param == "post" else lambda message, by=None: redirected(query(message, by))


# ---- whatever the binding --------------------------------------------------------------------------------------------------


def test_the_good_messages_pass(brought: Any) -> None:
    assert verify(brought(GOOD)).subject == "alice@example.com"
    finish(brought(answer()))


def test_nobody_else_can_sign_them(brought: Any) -> None:
    refused(SamlSignature, brought(GOOD, EVIL))
    refused(SamlSignature, brought(answer(), EVIL), an_answer=True)


OTHER_WORDS = [
    pytest.param({"destination": None}, SamlDestination, id="no Destination"),
    pytest.param({"destination": SLO + "/"}, SamlDestination, id="our address with a slash more"),
    pytest.param({"destination": SLO + "?x=1"}, SamlDestination, id="our address with a query"),
    pytest.param({"destination": "https://evil.example/?" + SLO}, SamlDestination, id="another address that holds ours"),
    pytest.param({"destination": SLO.upper()}, SamlDestination, id="our address in other case"),
    pytest.param({"issuer": None}, SamlIssuer, id="no Issuer"),
    pytest.param({"issuer": ""}, SamlIssuer, id="an empty Issuer"),
    pytest.param({"issuer": "https://evil.example"}, SamlIssuer, id="another Issuer"),
    pytest.param({"more": "<saml:Issuer>https://evil.example</saml:Issuer>"}, SamlIssuer, id="two Issuers"),
    pytest.param({"version": "1.1"}, SamlMalformed, id="another version"),
    pytest.param({"issued": -361}, SamlTimes, id="issued six minutes ago, which is five and the skew"),
    pytest.param({"issued": -31536000, "until": None}, SamlTimes, id="a year old, without an end"),
    pytest.param({"issued": 61}, SamlTimes, id="issued in the future"),
]
REQUESTS = [
    pytest.param({"until": -60}, SamlTimes, id="over, to the second of the skew"),
    pytest.param({"name_id": ""}, SamlNameId, id="no NameID"),
    pytest.param({"name_id": "<saml:NameID/>"}, SamlNameId, id="an empty NameID"),
    pytest.param({"name_id": "<saml:NameID> </saml:NameID>"}, SamlNameId, id="a blank NameID"),
    pytest.param({"name_id": "<saml:NameID>alice<x/>@example.com</saml:NameID>"}, SamlNameId, id="a NameID with an element inside"),
    pytest.param({"name_id": "<saml:NameID>a</saml:NameID><saml:NameID>b</saml:NameID>"}, SamlNameId, id="two NameIDs"),
    pytest.param({"name_id": "<saml:BaseID>alice</saml:BaseID>"}, SamlNameId, id="a BaseID"),
    pytest.param({"name_id": "<saml:EncryptedID><x/></saml:EncryptedID>"}, SamlNameId, id="an encrypted NameID"),
    pytest.param({"name_id": '<saml:NameID SPNameQualifier="urn:x">a</saml:NameID>'}, SamlNameId, id="another service provider's NameID"),
    pytest.param({"sessions": ("",)}, LogoutSubject, id="an empty SessionIndex"),
    pytest.param({"sessions": ("_session", " ")}, LogoutSubject, id="a blank SessionIndex beside a good one"),
    pytest.param({"sessions": ("a<x/>",)}, LogoutSubject, id="a SessionIndex with an element inside"),
    pytest.param({"sessions": tuple(map(str, range(101)))}, LogoutSubject, id="a hundred and one of them"),
]


@pytest.mark.parametrize(("change", "error"), [*OTHER_WORDS, *REQUESTS])
def test_a_request_that_says_something_else_is_refused(brought: Any, change: dict[str, Any], error: type[GatewayError]) -> None:
    """Though the provider itself signed it."""
    refused(error, brought(Logout(**change)))


def test_a_request_without_an_id_is_refused() -> None:
    refused(SamlMalformed, redirected(query(Logout(id=None))))
    refused(SamlSignatureMethod, as_posted(text_of(signed(GOOD)).replace('ID="_logout"', "", 1)))


@pytest.mark.parametrize("kind", ["AuthnRequest", "LogoutResponse", "ManageNameIDRequest", "Response"])
def test_a_message_of_another_kind_is_no_request(kind: str) -> None:
    message = Logout(kind=kind)
    refused(SamlMalformed, redirected(query(deflated(message.xml().encode()))))
    refused(SamlMalformed, as_posted(signed(message)))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        *OTHER_WORDS,
        pytest.param({"in_response_to": None}, LogoutAnswer, id="InResponseTo missing: nobody asked for it"),
        pytest.param({"in_response_to": "_other"}, LogoutAnswer, id="the answer to another request"),
        pytest.param({"in_response_to": OUR_REQUEST.upper()}, LogoutAnswer, id="our request in other case"),
        pytest.param({"status": ""}, LogoutNotDone, id="no status"),
        pytest.param({"status": "<samlp:Status/>"}, LogoutNotDone, id="an empty status"),
        pytest.param({"status": '<samlp:Status><samlp:StatusCode Value=""/></samlp:Status>'}, LogoutNotDone, id="a status of nothing"),
        pytest.param(
            {"status": '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Requester"/></samlp:Status>'},
            LogoutNotDone,
            id="a refusal",
        ),
        pytest.param(
            {
                "status": f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"><samlp:StatusCode Value="{PARTIAL}"/></samlp:StatusCode>'
                "</samlp:Status>"
            },
            LogoutNotDone,
            id="success in part",
        ),
    ],
)
def test_an_answer_that_says_something_else_is_refused(brought: Any, change: dict[str, Any], error: type[GatewayError]) -> None:
    refused(error, brought(answer(**change)), an_answer=True)


def test_an_answer_with_another_relay_state_is_refused(brought: Any) -> None:
    refused(LogoutAnswer, brought(answer()), an_answer=True, transaction=TransactionId("another"))
    refused(LogoutAnswer, redirected(query(answer(), None, None)), an_answer=True)


def test_a_request_is_no_answer_and_an_answer_no_request(brought: Any) -> None:
    refused(SamlMalformed, brought(GOOD), an_answer=True)
    refused(SamlMalformed, brought(answer()))


def test_stale_metadata_proves_nothing(brought: Any) -> None:
    stale = them(valid_until=NOON)
    refused(MetadataExpired, brought(GOOD), idp=stale)
    refused(MetadataExpired, brought(answer()), idp=stale, an_answer=True)


def test_a_message_by_another_channel_is_refused() -> None:
    for channel in (Channel.BACK, Channel.FRONT):
        refused(SamlMalformed, LogoutMessage(channel=channel, fields=posted(GOOD).fields, raw_query=query(GOOD)))


# ---- redirect: the signature in the query --------------------------------------------------------------------------------------


def test_an_unsigned_query_is_refused() -> None:
    bare = f"SAMLRequest={deflated(GOOD.xml().encode())}&RelayState={RELAY}"
    method = f"&SigAlg={quote(RSA_SHA256, safe='')}"
    for raw in (bare, bare + method, bare + method + "&Signature=", bare + "&Signature=AAAA", bare + "&SigAlg=&Signature=AAAA"):
        refused(SamlUnsigned, redirected(raw))


def test_a_signature_inside_the_message_does_not_count_for_a_query() -> None:
    """Bindings §3.4.4.1: it must have been removed, and what replaces it covers the RelayState."""
    refused(SamlUnsigned, redirected(f"SAMLRequest={deflated(text_of(signed(GOOD)).encode())}&RelayState={RELAY}"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RelayState=relay", "RelayState=other"),
        ("&RelayState=" + RELAY, ""),
        ("SAMLRequest=", "SAMLRequest=A"),
        ("%23rsa-sha256", "%23rsa-sha512"),
    ],
    ids=["RelayState changed", "RelayState taken out", "the message changed", "another algorithm named"],
)
def test_a_query_that_was_changed_after_signing_is_refused(old: str, new: str) -> None:
    raw = query(GOOD)
    assert old in raw
    refused(SamlSignature, redirected(raw.replace(old, new)))


def test_a_relay_state_put_into_a_query_that_had_none_is_refused() -> None:
    refused(SamlSignature, redirected(query(GOOD, None, None) + "&RelayState=evil"))


def test_a_query_escaped_in_another_way_than_it_was_signed_is_refused() -> None:
    """The signature covers the escaped values: who unescapes and escapes again may read something else than was signed."""
    raw = query(GOOD)
    refused(SamlSignature, redirected(raw.replace("relay-state", "relay%2Dstate")))


def test_a_query_signed_in_lower_case_escapes_passes_as_it_came() -> None:
    """.NET escapes so."""
    content = deflated(GOOD.xml().encode()).replace("%2B", "%2b").replace("%3D", "%3d").replace("%2F", "%2f")
    assert verify(redirected(query(content)))


@pytest.mark.parametrize(
    "method",
    [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "RS256",
        "x" * 5000,
    ],
)
def test_an_algorithm_that_is_not_on_the_list_is_refused(method: str) -> None:
    refused(SamlSignatureMethod, redirected(query(GOOD, method=method)))


def test_an_algorithm_of_another_kind_of_key_never_verifies() -> None:
    refused(SamlSignature, redirected(query(GOOD, method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")))


@pytest.mark.parametrize("name", ["SAMLRequest", "RelayState", "SigAlg", "Signature"])
def test_a_parameter_that_comes_twice_is_refused(name: str) -> None:
    raw = query(GOOD)
    twin = next(one for one in raw.split("&") if one.startswith(name))
    refused(SamlMalformed, redirected(f"{raw}&{twin}"))
    refused(SamlMalformed, redirected(f"{name}=evil&{raw}"))


@pytest.mark.parametrize("extra", ["SAMLResponse=AAAA", "SAMLResponse="])
def test_two_messages_in_one_query_are_refused(extra: str) -> None:
    refused(SamlMalformed, redirected(f"{query(GOOD)}&{extra}"))


@pytest.mark.parametrize(
    "raw", ["", "&", "=", "SAMLRequest", "SAMLRequest=", "samlrequest=AAAA", "%53AMLRequest=AAAA", "SAMLRequest =AAAA"]
)
def test_a_query_without_a_message_is_refused(raw: str) -> None:
    refused(SamlMalformed, redirected(raw))


def test_another_encoding_than_deflate_is_refused() -> None:
    refused(SamlMalformed, redirected(f"{query(GOOD)}&SAMLEncoding=urn%3Ax"))
    encoding = quote("urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE", safe="")
    assert verify(redirected(f"{query(GOOD)}&SAMLEncoding={encoding}"))


@pytest.mark.parametrize("content", ["AAAA%00", "%FF", "AA==BB", "A", "%C3%A9", "AAAA%20AAAA", "A-_A"])
def test_what_is_not_base64_is_refused(content: str) -> None:
    refused(SamlMalformed, redirected(query(content)))
    raw = query(GOOD)
    refused(SamlSignature, redirected(raw[: raw.index("&Signature=")] + f"&Signature={content}"))


# ---- redirect: deflate -----------------------------------------------------------------------------------------------------------


def bomb(size: int) -> str:
    return deflated(GOOD.xml().encode() + b" " * size)


def test_a_deflate_bomb_of_a_stranger_is_not_even_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: pytest.fail("inflated before the signature was verified"))
    refused(SamlSignature, redirected(query(bomb(20_000_000), EVIL)))


@pytest.mark.parametrize("size", [64 * 1024, 20_000_000])
def test_a_deflate_bomb_of_the_provider_ends_at_the_limit(size: int) -> None:
    refused(SamlTooLarge, redirected(query(bomb(size))))


def test_a_message_of_just_the_limit_passes() -> None:
    assert verify(redirected(query(bomb(64 * 1024 - len(GOOD.xml())))))


def test_deflate_data_that_is_cut_short_or_followed_by_something_is_refused() -> None:
    raw = zlib.compress(GOOD.xml().encode(), wbits=-15)
    for data in (raw[:-1], raw[:10], b"", raw + b"\0", raw + raw, b"\xff\xff", zlib.compress(GOOD.xml().encode())):
        refused(SamlMalformed, redirected(query(escaped(data))))


def test_a_query_beyond_all_measure_is_refused_unread() -> None:
    refused(SamlTooLarge, redirected("SAMLRequest=" + "A" * 200_000))
    refused(SamlTooLarge, LogoutMessage(channel=Channel.POST, fields={"SAMLRequest": "A" * 200_000}))


def test_a_relay_state_too_long_to_carry_back_is_refused(brought: Any) -> None:
    long = "r" * 2001
    refused(SamlMalformed, redirected(query(GOOD, None, long)) if brought is not posted else posted(GOOD, None, long))


# ---- POST: the enveloped signature -------------------------------------------------------------------------------------------------


def test_an_unsigned_form_is_refused() -> None:
    refused(SamlUnsigned, as_posted(GOOD.xml()))
    refused(SamlUnsigned, as_posted(answer().xml(), "SAMLResponse"), an_answer=True)


def test_the_signature_of_a_query_does_not_count_for_a_form() -> None:
    raw = query(GOOD)
    fields = {
        "SAMLRequest": base64.b64encode(GOOD.xml().encode()).decode(),
        "SigAlg": RSA_SHA256,
        "Signature": raw.partition("&Signature=")[2],
    }
    refused(SamlUnsigned, LogoutMessage(channel=Channel.POST, fields=fields))


@pytest.mark.parametrize(("old", "new"), [("alice@", "bob@"), ("_session", "_others"), (SLO, SLO + "x"), ("NotOnOrAfter", "Consent")])
def test_a_form_that_was_changed_after_signing_is_refused(old: str, new: str) -> None:
    text = text_of(signed(GOOD))
    assert old in text
    refused(SamlSignature, as_posted(text.replace(old, new)))


def test_a_signed_request_wrapped_into_another_is_refused() -> None:
    """XSW: the signed original hides in an extension, the root is the attacker's."""
    inner = text_of(signed(GOOD))
    outer = Logout(id="_evil", name_id="<saml:NameID>bob@example.com</saml:NameID>", more=f"<samlp:Extensions>{inner}</samlp:Extensions>")
    refused(SamlStructure, as_posted(outer.xml()))


def test_a_signature_moved_to_the_attackers_root_is_refused() -> None:
    root = signed(GOOD)
    signature = root.find("ds:Signature", NS)
    root.remove(signature)
    inner = text_of(root)
    outer = Logout(
        id="_evil",
        name_id="<saml:NameID>bob@example.com</saml:NameID>",
        more=text_of(signature) + f"<samlp:Extensions>{inner}</samlp:Extensions>",
    )
    refused(SamlSignatureMethod, as_posted(outer.xml()))


def test_an_id_that_occurs_twice_is_refused() -> None:
    inner = text_of(signed(GOOD))
    outer = Logout(name_id="<saml:NameID>bob@example.com</saml:NameID>", more=f"<samlp:Extensions>{inner}</samlp:Extensions>")
    refused(SamlStructure, as_posted(outer.xml()))


def test_two_signatures_are_refused() -> None:
    root = signed(GOOD)
    sign(root, EVIL)
    refused(SamlStructure, as_posted(text_of(root)))


@pytest.mark.parametrize("which", [xmlsec.Transform.RSA_SHA1, "digest", "inclusive"])
def test_a_form_signed_in_a_way_that_is_not_on_the_list_is_refused(which: Any) -> None:
    how = {"digest": {"digest": xmlsec.Transform.SHA1}, "inclusive": {"canonicalization": xmlsec.Transform.C14N}}.get(which) or {
        "method": which
    }
    refused(SamlSignatureMethod, posted(GOOD, **how))


def test_a_reference_to_the_whole_document_or_to_a_file_is_refused() -> None:
    text = text_of(signed(GOOD))
    for uri in ("", "file:///etc/passwd", "#_other"):
        refused(SamlSignatureMethod, as_posted(text.replace('URI="#_logout"', f'URI="{uri}"')))


def test_a_form_with_a_document_type_or_a_comment_is_refused() -> None:
    text = text_of(signed(GOOD))
    refused(SamlMarkup, as_posted('<!DOCTYPE x [<!ENTITY a "b">]>' + text))
    refused(SamlMarkup, as_posted(text.replace("alice@", "alice<!-- -->@")))
    refused(SamlMarkup, redirected(query(deflated(GOOD.xml().replace("alice@", "alice<!-- -->@").encode()))))


def test_a_form_over_the_limit_is_refused() -> None:
    refused(SamlTooLarge, as_posted(GOOD.xml() + " " * 64 * 1024))


@pytest.mark.parametrize("content", ["", "AAAA", "####", "PHg+", "é"])
def test_a_form_that_holds_no_message_is_refused(content: str) -> None:
    with pytest.raises(GatewayError):
        verify(LogoutMessage(channel=Channel.POST, fields={"SAMLRequest": content}))


def test_a_form_with_two_messages_is_refused() -> None:
    fields = {**posted(GOOD).fields, **posted(answer()).fields}
    refused(SamlMalformed, LogoutMessage(channel=Channel.POST, fields=fields))


# ---- whatever else -----------------------------------------------------------------------------------------------------------------


@given(st.text(max_size=300))
def test_whatever_is_sent_ends_in_a_refusal_and_nothing_else(text: str) -> None:
    for message in (redirected(text), redirected(f"SAMLRequest={text}"), LogoutMessage(channel=Channel.POST, fields={"SAMLRequest": text})):
        with pytest.raises(GatewayError):
            verify(message)


@given(st.binary(max_size=300))
def test_whatever_the_provider_signs_ends_in_a_refusal_and_nothing_else(data: bytes) -> None:
    for content in (escaped(data), deflated(data)):
        with pytest.raises(GatewayError):
            verify(redirected(query(content)))


@given(st.integers(0, 10**9), st.integers(1, 255))
def test_no_flipped_byte_of_a_signed_form_goes_through(place: int, flip: int) -> None:
    raw = bytearray(text_of(signed(GOOD)).encode())
    info = raw.index(b"<ds:KeyInfo"), raw.index(b"</ds:KeyInfo>")
    place %= len(raw)
    if info[0] <= place < info[1]:
        return  # no signature covers KeyInfo, and nothing reads it
    raw[place] ^= flip
    try:
        notice = verify(as_posted(bytes(raw)))
    except GatewayError:
        return
    assert notice == verify(posted(GOOD)), "read something else than was signed"


def test_an_elliptic_signature_of_the_wrong_length_is_refused() -> None:
    signer = party("idp-ec", curve="P-256")
    raw = query(GOOD, signer)
    cut = raw[: raw.index("&Signature=")]
    for made in (b"", b"\0" * 63, b"\0" * 64, b"\xff" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00", value(signer, cut.encode())[:-1]):
        refused(SamlUnsigned if not made else SamlSignature, redirected(f"{cut}&Signature={escaped(made)}"), idp=them(signer))
