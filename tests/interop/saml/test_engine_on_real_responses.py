"""What three foreign implementations really send, before the engine: every one of it must verify, and nothing altered may."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest
from lxml import etree

from gateway.demo.browser import PageReader
from gateway.errors import (
    MetadataSignature,
    SamlDecryption,
    SamlEncryptionMethod,
    SamlInResponseTo,
    SamlSignature,
    SamlUnsolicited,
    SignInDenied,
    SignInTooWeak,
)
from gateway.model import VerifiedIdentity
from gateway.protocol.saml import is_unsolicited
from gateway.protocol.saml.names import XENC, A, D, E
from tests.interop.saml.conftest import Meet
from tests.interop.saml.conversation import PARTS, Conversation, altered, learn
from tests.interop.saml.foreign import ATTRIBUTES, EMAIL, NAME_ID, Encrypts, Manner, Signs, send_form
from tests.peers.saml_forge import party

ALL = ("simplesamlphp", "saml-idp", "pysaml2")


def each(*names: str) -> pytest.MarkDecorator:
    """Once with each of these providers."""
    return pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.needs(PARTS[name])) for name in names])


def assert_alice(identity: VerifiedIdentity, conversation: Conversation) -> None:
    assert identity.name_id == NAME_ID
    assert identity.session.issuer == conversation.provider.entity_id
    assert identity.session.session_id
    assert {name: identity.claims[name] for name in ATTRIBUTES} == ATTRIBUTES


def flipped_ciphertext(response: str) -> str:
    """One character in the middle of the assertion's ciphertext, replaced by another."""
    document = base64.b64decode(response)
    value = max(re.findall(rb"CipherValue>([^<]+)<", document), key=len)
    middle = len(value) // 2
    flipped = value[:middle] + (b"B" if value[middle : middle + 1] == b"A" else b"A") + value[middle + 1 :]
    return altered(response, value, flipped)


@each(*ALL)
@pytest.mark.parametrize("signs", Signs)
async def test_a_signed_response_verifies_and_one_byte_of_difference_does_not(meet: Meet, name: str, signs: Signs) -> None:
    conversation = await meet(name, Manner(signs=signs))
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(response, sent), conversation)
    for before, after in [
        (b">alice@", b">blice@"),
        (b"R&amp;D", b"R&amp;E"),
        (sent.id.encode() + b'"', b"_" + sent.id[1:].encode()[::-1] + b'"'),
    ]:
        with pytest.raises((SamlSignature, SamlInResponseTo)):
            conversation.verify(altered(response, before, after), sent)


@each("saml-idp", "pysaml2")
@pytest.mark.parametrize("signs", Signs)
async def test_an_assertion_encrypted_with_aes_gcm_verifies(meet: Meet, name: str, signs: Signs) -> None:
    conversation = await meet(name, Manner(signs=signs, encrypts=Encrypts.GCM))
    response, sent = await conversation.answer()
    assert NAME_ID.encode() not in base64.b64decode(response)
    assert_alice(conversation.verify(response, sent), conversation)
    with pytest.raises(SamlDecryption if signs is Signs.ASSERTION else SamlSignature):
        conversation.verify(flipped_ciphertext(response), sent)


def with_the_key_beside(response: str) -> str:
    """The wrapped key behind the ciphertext, and in its old place a pointer to it: how Okta and others that use OpenSAML write."""
    root = etree.fromstring(base64.b64decode(response))
    [key] = root.iter(f"{E}EncryptedKey")
    info, encrypted = key.getparent(), root.find(f".//{A}EncryptedAssertion")
    key.set("Id", "_the-key")
    encrypted.append(key)
    etree.SubElement(info, f"{D}RetrievalMethod", Type=f"{XENC}EncryptedKey", URI="#_the-key")
    return base64.b64encode(etree.tostring(root)).decode()


@each("saml-idp", "pysaml2")
async def test_a_key_beside_the_ciphertext_is_found(meet: Meet, name: str) -> None:
    conversation = await meet(name, Manner(encrypts=Encrypts.GCM))
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(with_the_key_beside(response), sent), conversation)


@each("simplesamlphp", "saml-idp")
@pytest.mark.parametrize("signs", Signs)
async def test_aes_cbc_needs_the_opt_in_and_a_signed_response(meet: Meet, name: str, signs: Signs) -> None:
    conversation = await meet(name, Manner(signs=signs, encrypts=Encrypts.CBC))
    response, sent = await conversation.answer()
    with pytest.raises(SamlEncryptionMethod):
        conversation.verify(response, sent)
    if signs is Signs.ASSERTION:
        with pytest.raises(SamlEncryptionMethod):
            conversation.verify(response, sent, allow_cbc_encryption=True)
    else:
        assert_alice(conversation.verify(response, sent, allow_cbc_encryption=True), conversation)


@each("pysaml2")
async def test_triple_des_is_refused(meet: Meet, name: str) -> None:
    conversation = await meet(name, Manner(signs=Signs.BOTH, encrypts=Encrypts.TRIPLE_DES))
    response, sent = await conversation.answer()
    with pytest.raises(SamlEncryptionMethod):
        conversation.verify(response, sent, allow_cbc_encryption=True)


@each(*ALL)
async def test_keys_roll_over(meet: Meet, name: str) -> None:
    conversation = await meet(name)
    await conversation.provider.publish_next_key()
    published = len((await conversation.learn()).certificates)
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(response, sent), conversation)
    await conversation.provider.sign_with_next_key()
    response, sent = await conversation.answer()
    if published == 1:
        with pytest.raises(SamlSignature):
            conversation.verify(response, sent)
        await conversation.learn()
    assert_alice(conversation.verify(response, sent), conversation)


@each("simplesamlphp", "pysaml2")
@pytest.mark.parametrize("post_only", [False, True], ids=["redirect", "post"])
async def test_a_signed_request_is_accepted_and_one_signed_with_another_key_is_not(meet: Meet, name: str, post_only: bool) -> None:  # noqa: FBT001
    """The provider knows our key from our metadata."""
    conversation = await meet(name, Manner(post_only=post_only), sign_requests=True)
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(response, sent), conversation)
    stranger = replace(conversation.sp, keys=(party("stranger").pair,))
    for bad in (stranger, replace(conversation.sp, sign_requests=False)):
        refused, _ = await conversation.ask(bad)
        assert PageReader(refused.text).form is None


@each("pysaml2")
async def test_a_request_signed_with_ecdsa_is_accepted(meet: Meet, name: str) -> None:
    conversation = await meet(name, Manner(post_only=True), sign_requests=True, keys=(party("sp-ec", curve="P-256").pair,))
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(response, sent), conversation)


@each("simplesamlphp", "pysaml2")
async def test_signed_metadata_verifies_with_the_configured_certificate_alone(meet: Meet, name: str) -> None:
    conversation = await meet(name, Manner(signs_metadata=True))
    signer = {"simplesamlphp": "ssp"}.get(name, name)
    described = await learn(conversation.browser, conversation.provider, signing_certificate=party(signer).trusted)
    assert [one.x509 for one in described.certificates] == [party(signer).certificate]
    with pytest.raises(MetadataSignature):
        await learn(conversation.browser, conversation.provider, signing_certificate=party("stranger").trusted)


@each(*ALL)
async def test_a_response_that_nobody_asked_for_is_no_identity(meet: Meet, name: str) -> None:
    conversation = await meet(name)
    _, sent = await conversation.ask()
    form = PageReader((await conversation.provider.ask_unasked(conversation.browser)).text).form
    assert form
    assert is_unsolicited(form.fields["SAMLResponse"])
    with pytest.raises(SamlUnsolicited):
        conversation.verify(form.fields["SAMLResponse"], sent)


@each(*ALL)
async def test_an_answer_to_another_request_is_refused(meet: Meet, name: str) -> None:
    conversation = await meet(name)
    _, earlier = await conversation.answer()
    response, _ = await conversation.answer()
    assert not is_unsolicited(response)
    with pytest.raises(SamlInResponseTo):
        conversation.verify(response, earlier)


@each("simplesamlphp")
async def test_single_sign_on_is_silent_and_a_forced_sign_in_asks_again(meet: Meet, name: str) -> None:
    conversation = await meet(name)
    await conversation.answer()
    asked, _ = await conversation.ask()
    conversation.posted(await conversation.browser.follow(asked))
    asked, _ = await conversation.ask(replace(conversation.sp, force_authn=True))
    assert 'name="password"' in (await conversation.browser.follow(asked)).text
    response, sent = await conversation.answer(replace(conversation.sp, force_authn=True))
    assert_alice(conversation.verify(response, sent, force_authn=True), conversation)


@each("simplesamlphp")
async def test_a_method_of_sign_in_is_asked_for_and_enforced(meet: Meet, name: str) -> None:
    password = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
    conversation = await meet(name, authn_contexts=(password,))
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(response, sent), conversation)
    with pytest.raises(SignInTooWeak):
        conversation.verify(response, sent, authn_contexts=("https://refeds.org/profile/mfa",))


@each("simplesamlphp", "pysaml2")
async def test_a_name_id_format_is_asked_for(meet: Meet, name: str) -> None:
    conversation = await meet(name, name_id_format=EMAIL)
    response, sent = await conversation.answer()
    assert_alice(conversation.verify(response, sent), conversation)


@each("pysaml2")
async def test_a_refusal_of_the_provider_is_told_as_one(meet: Meet, name: str) -> None:
    conversation = await meet(name)
    asked, sent = await conversation.ask()
    page = await send_form(conversation.browser, asked, user="nobody")
    with pytest.raises(SignInDenied):
        conversation.verify(conversation.posted(page), sent)
