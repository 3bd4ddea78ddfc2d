"""The demo SAML provider's logout, held against the gateway's own half: two implementations that share no code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from gateway.demo.browser import PageReader
from gateway.demo.saml_provider import DemoSamlProvider
from gateway.model import Channel, LogoutMessage, Memo, Redirect, TransactionId, VerifiedIdentity
from gateway.protocol.saml import (
    IdentityProviderMetadata,
    ServiceProvider,
    logout_request,
    logout_response,
    read_memo,
    stamp,
    verify_logout_request,
    verify_logout_response,
)
from tests.demo.test_saml_provider import ACS, ENTITY, Talk
from tests.fakes import FixedClock
from tests.peers.saml_forge import party

SLO = "http://127.0.0.1:8080/idp/demo/slo"
TRANSACTION = TransactionId("t" * 22)


class Leaving(Talk):
    """A service provider with a key, and its user's browser."""

    def __init__(self, provider: DemoSamlProvider, clock: FixedClock, http: aiohttp.ClientSession) -> None:
        super().__init__(provider, clock, http)
        self.sp = ServiceProvider(
            entity_id=ENTITY, acs_url=ACS, slo_url=SLO, idp_entity_id=provider.entity_id, keys=(party("sp").pair,), second_opinion=False
        )

    async def go(self, url: str) -> tuple[int, str, str]:
        """Status, where it leads, and the page."""
        async with self.http.get(URL(url, encoded=True), allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def whole_login(self) -> VerifiedIdentity:
        return await self.verify(*await self.ask())

    async def leave(self, memo: Memo, idp: IdentityProviderMetadata) -> tuple[str, Memo]:
        begun = logout_request(memo, TRANSACTION, sp=self.sp, idp=idp, sent=stamp(self.entropy.token(20), self.clock.now()))
        assert begun is not None
        request, sent = begun
        assert isinstance(request, Redirect)
        return request.url, sent


@pytest.fixture
async def leaving(clock: FixedClock) -> AsyncIterator[Leaving]:
    async with DemoSamlProvider(clock=clock) as provider, aiohttp.ClientSession() as http:
        provider.register(entity_id=ENTITY, acs_url=ACS, slo_url=SLO, certificate=party("sp").certificate_pem)
        yield Leaving(provider, clock, http)


async def signed_in(leaving: Leaving) -> Memo:
    identity = await leaving.whole_login()
    assert identity.logout_memo is not None
    return identity.logout_memo


def brought(url: str) -> LogoutMessage:
    return LogoutMessage(channel=Channel.REDIRECT, fields={}, raw_query=urlsplit(url).query)


async def test_the_service_provider_ends_a_session_and_gets_a_signed_answer(leaving: Leaving) -> None:
    memo, idp = await signed_in(leaving), await leaving.metadata()
    url, sent = await leaving.leave(memo, idp)
    status, location, _ = await leaving.go(url)
    assert (status, location.partition("?")[0]) == (303, SLO)
    verify_logout_response(
        brought(location), transaction=TRANSACTION, sp=leaving.sp, idp=idp, sent=read_memo(sent), now=leaving.clock.now()
    )
    assert leaving.provider.sessions.of("alice") == []
    assert (await leaving.go(url))[0] == 400, "it has ended already"


@pytest.mark.parametrize("said", ["has ended its sessions", "could not end all"])
async def test_somebody_signs_out_at_the_provider_itself(leaving: Leaving, said: str) -> None:
    await signed_in(leaving)
    idp, (session,) = await leaving.metadata(), leaving.provider.sessions.of("alice")
    async with leaving.http.post(leaving.provider.url, data={"session": session.index}, allow_redirects=False) as answer:
        location = answer.headers["Location"]
    notice = verify_logout_request(brought(location), sp=leaving.sp, idp=idp, now=leaving.clock.now())
    assert (notice.subject, notice.session_ids) == ("alice", (session.index,))
    sent = logout_response(notice, complete="has ended" in said, sp=leaving.sp, idp=idp, sent=stamp(bytes(20), leaving.clock.now()))
    assert isinstance(sent, Redirect)
    status, _, page = await leaving.go(sent.url)
    assert status == 200
    assert said in page
    assert (await leaving.go(sent.url))[0] == 400, "an answer is good for once"


async def test_a_message_that_the_service_provider_did_not_sign_ends_nothing(leaving: Leaving) -> None:
    memo, idp = await signed_in(leaving), await leaving.metadata()
    url, _ = await leaving.leave(memo, idp)
    for bad in (url.replace("&Signature=", "&Signature=AAAA"), url.partition("&SigAlg=")[0], url.replace("SAMLRequest", "SAMLResponse")):
        assert (await leaving.go(bad))[0] == 400
    assert len(leaving.provider.sessions.of("alice")) == 1


async def test_a_service_provider_without_logout_is_not_sent_away(leaving: Leaving) -> None:
    leaving.provider.register(entity_id="urn:other", acs_url=ACS)
    async with leaving.http.post(leaving.provider.url, data={"session": "none"}) as answer:
        assert answer.status == 400
        assert PageReader(await answer.text())
