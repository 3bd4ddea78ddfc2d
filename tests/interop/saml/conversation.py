"""Us without a gateway: the engine's own functions and a scripted browser, against a provider that nobody here wrote."""

from __future__ import annotations

import base64
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.demo.browser import PageReader
from gateway.idp.second_opinion import Python3Saml
from gateway.model import FormPost, TransactionId, VerifiedIdentity
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
from gateway.system import SystemClock, SystemEntropy
from tests.flow.world import Answer, Browser
from tests.interop.saml.foreign import ForeignProvider, Manner
from tests.interop.saml.saml_idp import saml_idp
from tests.interop.saml.simplesamlphp import simplesamlphp
from tests.peers.saml_forge import party

US = ServiceProvider(
    entity_id="http://127.0.0.1:1/idp/corp/metadata",
    acs_url="http://127.0.0.1:1/idp/corp/acs",
    idp_entity_id="",
    keys=(party("sp").pair,),
    offer_encryption=True,
)
PARTS = {"simplesamlphp": "simplesamlphp", "saml-idp": "node", "pysaml2": "xmlsec1"}


def start(name: str, folder: Path, sp: ServiceProvider, manner: Manner) -> AbstractAsyncContextManager[ForeignProvider]:
    """Start a provider by its name."""
    if name == "simplesamlphp":
        return simplesamlphp(folder, sp, manner)
    if name == "saml-idp":
        return saml_idp(folder, sp, manner)
    from tests.interop.saml.pysaml2_server import pysaml2  # noqa: PLC0415  over a second

    return pysaml2(folder, sp, manner)


@dataclass
class Conversation:
    """One browser at one provider. `idp`: what we know of it."""

    sp: ServiceProvider
    provider: ForeignProvider
    browser: Browser
    idp: IdentityProviderMetadata
    relay_state: str = "the-relay-state"

    async def ask(self, sp: ServiceProvider | None = None) -> tuple[Answer, SentRequest]:
        """Send the browser to the provider. `sp`: ask otherwise than usual."""
        request, memo = authn_request(
            TransactionId(self.relay_state),
            draft=draft_request(sp or self.sp, self.idp),
            random=SystemEntropy().token(16),
            now=SystemClock().now(),
        )
        if isinstance(request, FormPost):
            return await self.browser.post(request.action, request.fields), read_memo(memo)
        return await self.browser.get(request.url), read_memo(memo)

    async def answer(self, sp: ServiceProvider | None = None) -> tuple[str, SentRequest]:
        """Sign alice in. What is posted to us, and what it must answer."""
        asked, sent = await self.ask(sp)
        return self.posted(await self.provider.sign_in(self.browser, asked)), sent

    def posted(self, page: Answer, relay_state: str | None = None) -> str:
        """The `SAMLResponse` of the page that posts itself to us."""
        form = PageReader(page.text).form
        assert form, page.text
        assert form.action == self.sp.acs_url
        assert form.fields["RelayState"] == (self.relay_state if relay_state is None else relay_state)
        return form.fields["SAMLResponse"]

    async def learn(self) -> IdentityProviderMetadata:
        """Read its metadata anew."""
        self.idp = await learn(self.browser, self.provider)
        return self.idp

    def verify(self, response: str, sent: SentRequest, **changes: Any) -> VerifiedIdentity:
        """Both engines' verdict."""
        sp = replace(self.sp, **changes)
        second = Python3Saml(sp, self.idp)
        return verify_response(response, sp=sp, idp=self.idp, sent=sent, now=SystemClock().now(), second_opinion=second)


async def learn(browser: Browser, provider: ForeignProvider, **options: Any) -> IdentityProviderMetadata:
    """What a provider's metadata says."""
    document = (await browser.get(provider.metadata_url)).text.encode()
    given = {"entity_id": provider.entity_id, "now": SystemClock().now(), "signing_certificate": None, "allow_loopback": True}
    return verify_metadata(document, **(given | options))


def altered(response: str, before: bytes, after: bytes) -> str:
    """The response with the first such bytes replaced."""
    document = base64.b64decode(response)
    assert before in document
    return base64.b64encode(document.replace(before, after, 1)).decode()
