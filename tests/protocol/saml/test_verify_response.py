from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from gateway.errors import SamlConditions, SamlError, SamlInResponseTo, SamlMalformed, SignInTooOld, SignInTooWeak
from gateway.mapping import Subject
from gateway.model import IdpSession, VerifiedIdentity
from gateway.protocol.saml import PRESETS, is_unsolicited, verify_response
from tests.attacks.saml.attack import never_asked
from tests.fakes import NOON
from tests.peers.saml_forge import (
    ATTRIBUTES,
    EMAIL_FORMAT,
    IDP,
    PASSWORD,
    SENT,
    SP,
    Shape,
    attribute,
    encrypt,
    party,
    post,
    sealed_by_hand,
    signed,
    signed_text,
    them,
    us,
)

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


def proven(message: Any = None, **sp: Any) -> VerifiedIdentity:
    message = signed() if message is None else message
    return verify_response(post(message), sp=us(**sp), idp=them(), sent=SENT, now=NOON, second_opinion=never_asked)


def claims(*extra: str, **sp: Any) -> dict[str, Any]:
    return dict(proven(signed(Shape(attributes=(), extra_attributes="".join(extra))), **sp).claims)


def test_a_good_response_gives_an_identity() -> None:
    identity = proven()
    assert identity.session == IdpSession(issuer=IDP, subject="alice@example.com", session_id="_session")
    assert identity.name_id == "alice@example.com"
    assert identity.claims == {name: list(values) for name, values in ATTRIBUTES}
    assert identity.proof_expires_at > NOON + timedelta(minutes=10)


@pytest.mark.parametrize("which", ["assertion", "response", "both"])
def test_it_is_the_same_whichever_part_is_signed(which: str) -> None:
    assert proven(signed(which=which)) == proven()


def test_it_is_the_same_when_it_was_encrypted() -> None:
    assert proven(encrypt(signed())) == proven()
    assert proven(encrypt(signed(), alone=False)) == proven()


@pytest.mark.parametrize("digest", [None, "sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("mask", [None, "sha1", "sha256", "sha384", "sha512"])
def test_every_hash_of_oaep_is_understood(digest: str | None, mask: str | None) -> None:
    assert proven(sealed_by_hand(signed(), digest=digest, mask=mask)) == proven()


def test_any_of_our_keys_decrypts() -> None:
    root = encrypt(signed(), to=party("sp-next"))
    assert proven(root, keys=(party("sp-ec", curve="P-256").pair, party("sp").pair, party("sp-next").pair)) == proven()


def test_any_of_the_providers_keys_verifies() -> None:
    for signer in (party("idp"), party("idp-next")):
        idp = them(party("idp"), party("idp-next"))
        assert verify_response(post(signed(by=signer)), sp=us(), idp=idp, sent=SENT, now=NOON, second_opinion=never_asked)


def test_what_a_logout_must_name_is_kept() -> None:
    slo = "https://gateway.example.com/idp/corp/slo"
    identity = proven(signed(Shape(name_id_attributes=f'Format="{EMAIL_FORMAT}" NameQualifier="q" SPNameQualifier="{SP}"')), slo_url=slo)
    assert json.loads(identity.logout_memo or "") == ["alice@example.com", EMAIL_FORMAT, "q", SP, "_session"]
    assert json.loads(proven(signed(Shape(session_index=None, name_id_attributes="")), slo_url=slo).logout_memo or "")[1:] == [None] * 4


def test_nothing_is_kept_for_a_logout_that_cannot_be() -> None:
    assert proven().logout_memo is None


def test_attributes_come_by_name_and_by_friendly_name() -> None:
    found = claims(attribute("urn:oid:2.5.4.42", "Alice", friendly="givenName"))
    assert found == {"urn:oid:2.5.4.42": ["Alice"], "givenName": ["Alice"]}


def test_a_name_wins_over_a_friendly_name() -> None:
    found = claims(attribute("urn:other", "mallory", friendly="mail"), attribute("mail", "alice"))
    assert found["mail"] == ["alice"]


def test_a_friendly_name_of_two_attributes_that_differ_is_left_out() -> None:
    same = claims(attribute("urn:oid:1", "a", friendly="mail"), attribute("urn:mace:mail", "a", friendly="mail"))
    assert same["mail"] == ["a"]
    differ = claims(attribute("urn:oid:1", "a", friendly="mail"), attribute("urn:mace:mail", "b", friendly="mail"))
    assert "mail" not in differ


def test_values_are_merged_kept_in_order_and_trimmed() -> None:
    found = claims(attribute("g", "a", " b\n"), attribute("empty"), attribute("blank", ""), attribute("g", "c"))
    assert found == {"g": ["a", "b", "c"], "empty": [], "blank": [""]}


def test_a_name_id_as_a_value_is_its_text() -> None:
    value = '<saml:AttributeValue>\n <saml:NameID Format="f">x</saml:NameID> </saml:AttributeValue>'
    assert claims(f'<saml:Attribute Name="t">{value}</saml:Attribute>') == {"t": ["x"]}


def test_no_attributes_are_no_claims() -> None:
    assert claims() == {}


def test_presets_give_short_names_to_the_uris_of_ad_fs_and_entra() -> None:
    upn = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
    groups = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
    found = claims(attribute(upn, "alice@corp"), attribute(groups, "g1", "g2"), short_names=PRESETS["entra"])
    assert found == {upn: ["alice@corp"], "upn": ["alice@corp"], groups: ["g1", "g2"], "groups": ["g1", "g2"]}
    assert "groups" not in claims(attribute(groups, "g1"), short_names=PRESETS["adfs"])


def test_a_pointer_instead_of_groups_is_recognised_also_by_the_presets_short_name() -> None:
    link = attribute("http://schemas.microsoft.com/claims/groups.link", "https://graph.example/x")
    assert "groups" in Subject(claims=claims(link)).withheld
    assert Subject(claims=claims(link)).groups_overage
    assert not Subject(claims=claims()).groups_overage


def test_pretty_printed_names_are_trimmed_where_they_are_no_identity() -> None:
    audience = f"<saml:AudienceRestriction>\n <saml:Audience>\n {SP}\n </saml:Audience></saml:AudienceRestriction>"
    assert proven(signed(Shape(issuer=f"\n {IDP}\n", response_issuer=f" {IDP} ", audience=audience)))


def test_several_audiences_and_harmless_conditions_are_accepted() -> None:
    audience = f"<saml:AudienceRestriction><saml:Audience>x</saml:Audience><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>"
    assert proven(signed(Shape(audience=audience * 2, extra_conditions='<saml:OneTimeUse/><saml:ProxyRestriction Count="0"/>')))


def test_a_response_without_destination_and_issuer_is_accepted_when_only_the_assertion_is_signed() -> None:
    assert proven(signed(Shape(destination=None, response_issuer=None)))


def test_one_good_confirmation_among_several_is_enough() -> None:
    other = f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData Recipient="x"/></saml:SubjectConfirmation>'
    key = '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>'
    assert proven(signed(Shape(other_confirmations=other + key)))


@pytest.mark.parametrize("wanted", [("urn:mfa",), ()])
def test_another_method_than_those_that_were_asked_for_is_too_weak_and_of_none_nothing_is_good_enough(wanted: tuple[str, ...]) -> None:
    with pytest.raises(SignInTooWeak):
        proven(authn_contexts=wanted)


@pytest.mark.parametrize(("ago", "fits"), [(3600, True), (3660, True), (3661, False)])
def test_a_sign_in_is_not_older_than_max_age_give_or_take_the_skew(ago: int, fits: bool) -> None:  # noqa: FBT001
    message = signed(Shape(signed_in=-ago))
    if fits:
        assert proven(message, max_age=timedelta(hours=1))
    else:
        with pytest.raises(SignInTooOld):
            proven(message, max_age=timedelta(hours=1))


def test_a_sign_in_that_is_too_weak_and_not_proven_is_not_proven() -> None:
    with pytest.raises(SamlError) as refusal:
        proven(signed(Shape(signed_in=-3600), by=party("stranger")), authn_contexts=("urn:mfa",), max_age=timedelta(minutes=1))
    assert not isinstance(refusal.value, SignInTooWeak)


def test_the_method_that_was_asked_for_is_accepted() -> None:
    assert proven(authn_contexts=("urn:mfa", PASSWORD))


@pytest.mark.parametrize(("ago", "fresh"), [(0, True), (29, True), (90, True), (91, False)])
def test_after_force_authn_the_sign_in_is_younger_than_the_request_give_or_take_the_skew(ago: int, fresh: bool) -> None:  # noqa: FBT001
    message = signed(Shape(signed_in=-ago))
    if fresh:
        assert proven(message, force_authn=True)
    else:
        with pytest.raises(SignInTooOld):
            proven(message, force_authn=True)


def test_fractions_of_seconds_are_read() -> None:
    assert proven(signed_text(Shape().xml().replace("T12:00:00Z", "T12:00:00.1234567Z")))


@pytest.mark.parametrize("which", ["assertion", "response", "both"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_blanks_around_a_signature_stay_as_they_were_signed(which: str, position: int) -> None:
    assert proven(signed(which=which, position=position, tail="\n \n")) == proven()


def test_base64_in_lines_and_an_xml_declaration_are_accepted() -> None:
    text = post(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n' + etree.tostring(signed()))
    lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    assert verify_response(lines, sp=us(), idp=them(), sent=SENT, now=NOON, second_opinion=never_asked) == proven()


def test_an_unsolicited_response_is_told_from_a_late_answer() -> None:
    assert is_unsolicited(post(signed(Shape(in_response_to=None, confirmed_for=None))))
    assert is_unsolicited(post(encrypt(signed(Shape(in_response_to=None)))))
    assert not is_unsolicited(post(signed()))
    assert not is_unsolicited(post(signed(Shape(in_response_to=None))))
    with pytest.raises(SamlMalformed):
        is_unsolicited(post("<a/>"))


def test_the_reason_is_that_of_the_first_confirmation() -> None:
    with pytest.raises(SamlInResponseTo):
        proven(signed(Shape(confirmed_for="_x", confirmed_until=-600)))


def test_every_refusal_is_a_saml_error_with_a_reason() -> None:
    with pytest.raises(SamlError) as refused:
        proven(signed(Shape(extra_conditions="<saml:Condition/>")))
    assert isinstance(refused.value, SamlConditions)
    assert "Condition" in refused.value.detail
