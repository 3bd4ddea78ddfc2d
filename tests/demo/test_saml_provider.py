from __future__ import annotations

import base64
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

import aiohttp
import pytest
import xmlsec
from lxml import etree
from yarl import URL

from gateway.demo.browser import PageReader
from gateway.demo.saml_provider import DemoSamlProvider
from gateway.errors import SamlSignature, SignInDenied
from gateway.idp.second_opinion import Python3Saml
from gateway.model import FormPost, Redirect, TransactionId, VerifiedIdentity
from gateway.protocol.saml import (
    IdentityProviderMetadata,
    SentRequest,
    ServiceProvider,
    authn_request,
    draft_request,
    read_memo,
    verify_metadata,
    verify_response,
)
from tests.fakes import CountingEntropy, FixedClock

ACS = "http://127.0.0.1:8080/idp/demo/acs"
ENTITY = "http://127.0.0.1:8080/idp/demo/metadata"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
REQUEST = (
    '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r"'
    f' Version="2.0" IssueInstant="2026-03-02T12:00:00Z"><saml:Issuer>{ENTITY}</saml:Issuer></samlp:AuthnRequest>'
)


class Talk:
    """A service provider and a user's browser in one."""

    def __init__(self, provider: DemoSamlProvider, clock: FixedClock, http: aiohttp.ClientSession) -> None:
        self.provider = provider
        self.clock = clock
        self.http = http
        self.entropy = CountingEntropy()
        self.sp = ServiceProvider(entity_id=ENTITY, acs_url=ACS, idp_entity_id=provider.entity_id)

    async def metadata(self) -> IdentityProviderMetadata:
        async with self.http.get(self.provider.entity_id) as answer:
            document = await answer.read()
        return verify_metadata(
            document, entity_id=self.provider.entity_id, now=self.clock.now(), signing_certificate=None, allow_loopback=True
        )

    async def get(self, document: str = REQUEST, *, extra: str = "") -> tuple[int, str]:
        """Status and page of a request by redirect."""
        compressor = zlib.compressobj(wbits=-15)
        deflated = compressor.compress(document.encode()) + compressor.flush()
        fields = {"SAMLRequest": base64.b64encode(deflated).decode(), "RelayState": "the state"}
        return await self.open(f"{self.provider.sso_url}?{urlencode(fields)}{extra}")

    async def open(self, url: str) -> tuple[int, str]:
        async with self.http.get(URL(url, encoded=True), allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def post(self, url: str, fields: Mapping[str, str]) -> tuple[int, str]:
        async with self.http.post(url, data=fields, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def choose(self, page: str, user: str) -> tuple[int, str]:
        [request] = re.findall(r'name="request" value="([^"]+)"', page)
        return await self.post(f"{self.provider.url}/sign-in", {"request": request, "user": user})

    async def ask(self, *, post: bool = False, user: str = "alice") -> tuple[str, SentRequest]:
        """The response to the request that the gateway makes, and what it must answer."""
        known = await self.metadata()
        if post:
            known = replace(known, sso_redirect=None)
        request, memo = authn_request(
            TransactionId("the state"), draft=draft_request(self.sp, known), random=self.entropy.token(20), now=self.clock.now()
        )
        if isinstance(request, FormPost):
            _, page = await self.post(request.action, request.fields)
        else:
            assert isinstance(request, Redirect)
            _, page = await self.open(request.url)
        if "SAMLResponse" not in page:
            _, page = await self.choose(page, user)
        return posted(page), read_memo(memo)

    async def verify(self, response: str, sent: SentRequest) -> VerifiedIdentity:
        """Both engines' verdict."""
        known = await self.metadata()
        second = Python3Saml(self.sp, known)
        return verify_response(response, sp=self.sp, idp=known, sent=sent, now=self.clock.now(), second_opinion=second)


def posted(page: str) -> str:
    """What the page posts, and to nobody but us."""
    form = PageReader(page).form
    assert form, page
    assert form.action == ACS
    assert form.fields["RelayState"] == "the state"
    return form.fields["SAMLResponse"]


@pytest.fixture
async def talk(clock: FixedClock) -> AsyncIterator[Talk]:
    async with DemoSamlProvider(clock=clock) as provider, aiohttp.ClientSession() as http:
        provider.register(entity_id=ENTITY, acs_url=ACS)
        yield Talk(provider, clock, http)


@pytest.mark.parametrize("post", [False, True], ids=["redirect", "post"])
async def test_a_login_ends_with_an_identity_of_the_right_shape(talk: Talk, post: bool) -> None:  # noqa: FBT001
    identity = await talk.verify(*await talk.ask(post=post))
    assert identity.name_id == "alice"
    assert identity.claims == {"name": ["Alice"], "email": ["alice@example.com"], "groups": ["qlik-users", "sales", "finance"]}


async def test_a_wanted_name_id_format_is_given(talk: Talk) -> None:
    talk.sp = replace(talk.sp, name_id_format=EMAIL)
    assert (await talk.verify(*await talk.ask())).name_id == "alice@example.com"


async def test_libxmlsec_verifies_both_signatures(talk: Talk) -> None:
    response, _ = await talk.ask()
    root = etree.fromstring(base64.b64decode(response))
    xmlsec.tree.add_ids(root, ["ID"])
    [certificate, _] = root.findall(".//{*}X509Certificate")
    signatures = root.findall(".//{*}Signature")
    assert len(signatures) == 2
    for signature in signatures:
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(base64.b64decode(certificate.text), xmlsec.KeyFormat.CERT_DER)
        context.verify(signature)


@pytest.mark.parametrize("keep_old", [True, False])
async def test_keys_rotate_and_the_old_ones_stay_or_vanish(talk: Talk, keep_old: bool) -> None:  # noqa: FBT001
    before = (await talk.metadata()).certificates
    old, sent = await talk.ask()
    await talk.provider.rotate_keys(keep_old=keep_old)
    after = (await talk.metadata()).certificates
    assert len(after) == (2 if keep_old else 1)
    assert (before[0] in after) == keep_old
    await talk.verify(*await talk.ask())
    if keep_old:
        await talk.verify(old, sent)
    else:
        with pytest.raises(SamlSignature):
            await talk.verify(old, sent)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f">{ENTITY}<", ">https://nobody.example/<"),
        (' Version="2.0"', f' Version="2.0" AssertionConsumerServiceURL="{ACS}/"'),
        (' Version="2.0"', ' Version="2.0" AssertionConsumerServiceURL="https://elsewhere.example/acs"'),
        (' Version="2.0"', ' Version="2.0" Destination="https://elsewhere.example/sso"'),
        (' Version="2.0"', ' Version="2.0" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"'),
        (' Version="2.0"', ' Version="1.1"'),
        (' ID="_r"', ""),
        ("T12:00:00Z", "T11:54:59Z"),
        ("T12:00:00Z", "T12:05:01Z"),
        ("T12:00:00Z", "T12:00:00"),
        ("2026-03-02T12:00:00Z", "now"),
        ("AuthnRequest", "LogoutRequest"),
        ("<samlp:AuthnRequest", "<!DOCTYPE x><samlp:AuthnRequest"),
        ("</samlp:AuthnRequest>", ""),
        ("</samlp:AuthnRequest>", " " * 65536 + "</samlp:AuthnRequest>"),
    ],
)
async def test_a_request_that_does_not_fit_is_answered_to_nobody(talk: Talk, before: str, after: str) -> None:
    assert before in REQUEST
    status, page = await talk.get(REQUEST.replace(before, after))
    assert status == 400
    assert PageReader(page).form is None


@pytest.mark.parametrize(
    "fields", [{}, {"SAMLRequest": "?"}, {"SAMLRequest": "AAAA"}, {"SAMLRequest": base64.b64encode(REQUEST.encode()[:9]).decode()}]
)
async def test_what_is_no_request_is_answered_to_nobody(talk: Talk, fields: Mapping[str, str]) -> None:
    assert (await talk.post(talk.provider.sso_url, fields))[0] == 400
    assert (await talk.open(f"{talk.provider.sso_url}?{urlencode(fields)}"))[0] == 400


async def test_a_parameter_that_comes_twice_or_is_too_long_is_answered_to_nobody(talk: Talk) -> None:
    assert (await talk.get())[0] == 200
    assert (await talk.get(extra="&RelayState=two"))[0] == 400
    fields = {"SAMLRequest": base64.b64encode(REQUEST.encode()).decode(), "RelayState": "x" * 81}
    assert (await talk.post(talk.provider.sso_url, fields))[0] == 400


POLICY = '<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"/>'
METHOD = "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>"


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (' Version="2.0"', ' Version="2.0" IsPassive="true"', "NoPassive"),
        ("</saml:Issuer>", f"</saml:Issuer>{POLICY}", "InvalidNameIDPolicy"),
        ("</saml:Issuer>", f"</saml:Issuer><samlp:RequestedAuthnContext>{METHOD}</samlp:RequestedAuthnContext>", "NoAuthnContext"),
    ],
)
async def test_what_it_cannot_do_is_told_to_the_service_provider(talk: Talk, before: str, after: str, status: str) -> None:
    code, page = await talk.get(REQUEST.replace(before, after))
    assert code == 200
    with pytest.raises(SignInDenied) as refusal:
        await talk.verify(posted(page), SentRequest(id="_r", at=talk.clock.now()))
    assert status in refusal.value.detail


async def test_cancelling_is_a_refusal_that_is_signed(talk: Talk) -> None:
    response, sent = await talk.ask(user="")
    with pytest.raises(SignInDenied):
        await talk.verify(response, sent)
    assert b"SignatureValue" in base64.b64decode(response)
    assert b"Assertion " not in base64.b64decode(response)


async def test_a_sign_in_page_is_good_for_one_use_and_half_an_hour(talk: Talk) -> None:
    _, page = await talk.get()
    assert (await talk.choose(page, "alice"))[0] == 200
    assert (await talk.choose(page, "alice"))[0] == 400
    _, page = await talk.get()
    talk.clock.advance(30 * 60)
    assert (await talk.choose(page, "alice"))[0] == 400
