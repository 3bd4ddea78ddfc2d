"""`SamlProvider.logout`, against a provider that is made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import GatewayError, LogoutAnswer, LogoutNotDone, LogoutSubject, LogoutUnproven, UnreadableLogin
from gateway.idp.saml_metadata import Fixed, MetadataSource
from gateway.model import LogoutMessage, Memo, Redirect, TransactionId
from gateway.ports import SingleLogout
from gateway.protocol.saml import read_memo
from tests.fakes import NOON
from tests.peers.saml_forge import party
from tests.peers.saml_logout import IDP_SLO, SLO, Logout, answer, posted, query, redirected, them
from tests.peers.saml_metadata import entity, key
from tests.protocol.saml.test_provider import World

TRANSACTION = TransactionId("transaction-0123456789")
THEM = Fixed(metadata=them())


def logout_of(world: World, metadata: MetadataSource = THEM, **sp: Any) -> SingleLogout:
    logout = world.provider(metadata, slo_url=SLO, **sp).logout
    assert logout is not None
    return logout


async def memo_of(world: World) -> Memo | None:
    return (await world.login(world.provider(THEM, slo_url=SLO))).logout_memo


async def failing(act: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await act
    return caught.value


async def test_a_login_can_be_ended_at_the_provider() -> None:
    world = World()
    logout = logout_of(world)
    begun = await logout.begin(await memo_of(world), TRANSACTION)
    assert begun is not None
    request, memo = begun
    assert isinstance(request, Redirect)
    assert request.url.startswith(IDP_SLO)
    good = answer(in_response_to=read_memo(memo).id)
    await logout.finish(redirected(query(good, None, TRANSACTION)), TRANSACTION, memo)
    await logout.finish(posted(good, None, TRANSACTION), TRANSACTION, memo)
    assert isinstance(await failing(logout.finish(redirected(query(answer(), None, TRANSACTION)), TRANSACTION, memo)), LogoutAnswer)
    refusal = answer(in_response_to=read_memo(memo).id, status="<samlp:Status/>")
    assert isinstance(await failing(logout.finish(posted(refusal, None, TRANSACTION), TRANSACTION, memo)), LogoutNotDone)
    assert isinstance(await failing(logout.finish(posted(good, party("evil"), TRANSACTION), TRANSACTION, memo)), LogoutUnproven)
    assert isinstance(await failing(logout.finish(posted(good, None, TRANSACTION), TRANSACTION, Memo(""))), UnreadableLogin)


async def test_two_requests_never_have_the_same_id() -> None:
    world = World()
    logout, memo = logout_of(world), await memo_of(world)
    first, second = await logout.begin(memo, TRANSACTION), await logout.begin(memo, TRANSACTION)
    assert first is not None
    assert second is not None
    assert read_memo(first[1]).id != read_memo(second[1]).id


async def test_nobody_is_sent_to_the_provider_when_nobody_knows_whom_to_name() -> None:
    assert await logout_of(World()).begin(None, TRANSACTION) is None


def test_without_a_key_or_an_address_there_is_no_single_logout() -> None:
    assert World().provider(THEM).logout is None
    assert World().provider(THEM, slo_url=SLO, keys=()).logout is None


async def test_the_providers_request_is_proven_and_answered() -> None:
    logout = logout_of(World())
    notice = await logout.notice(redirected(query(Logout())))
    assert (notice.subject, notice.session_ids) == ("alice@example.com", ("_session",))
    sent = await logout.answer(notice, complete=True)
    assert isinstance(sent, Redirect)
    assert sent.url.startswith(f"{IDP_SLO}/done?SAMLResponse=")


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (redirected(query(Logout(), party("evil"))), "QGW-237"),
        (posted(Logout(issuer="https://evil.example")), "QGW-241"),
        (posted(Logout(issued=-3600, until=None)), "QGW-247"),
        (redirected(""), "QGW-231"),
    ],
)
async def test_a_message_that_proves_nothing_is_refused_with_the_rule_in_the_detail(message: LogoutMessage, rule: str) -> None:
    error = await failing(logout_of(World()).notice(message))
    assert isinstance(error, LogoutUnproven)
    assert error.detail.startswith(rule)
    assert error.status == 400


async def test_a_message_that_names_no_usable_session_is_refused() -> None:
    assert isinstance(await failing(logout_of(World()).notice(posted(Logout(sessions=("",))))), LogoutSubject)


async def test_a_key_that_is_newer_than_our_copy_is_looked_for_once() -> None:
    world = World()
    logout = logout_of(world, world.source())
    assert await logout.notice(redirected(query(Logout())))
    world.publish(entity(keys=key(party("idp").trusted_base64) + key(party("idp-new").trusted_base64)))
    assert await logout.notice(redirected(query(Logout(), party("idp-new"))))
    assert len(world.http.requests) == 2
    assert isinstance(await failing(logout.notice(redirected(query(Logout(), party("evil"))))), LogoutUnproven)
    assert len(world.http.requests) == 2
    assert world.clock.now() == NOON
