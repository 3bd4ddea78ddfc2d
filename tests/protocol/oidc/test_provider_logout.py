"""`OidcProvider.logout`, against a provider behind `ScriptedHttp`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.errors import GatewayError, LogoutEvent, LogoutSubject, LogoutUnproven, MalformedResponse, ProviderUnreachable
from gateway.model import Channel, LogoutMessage, Memo, Redirect
from gateway.ports import SingleLogout
from tests.protocol.oidc.forge import ISSUER, POST_LOGOUT, good_logout_token, relying_party, rsa_key
from tests.protocol.oidc.op import TRANSACTION, Op

END = f"{ISSUER}/end"


def ending(**document: Any) -> Op:
    return Op(rp=relying_party(post_logout_redirect_uri=POST_LOGOUT), document={"end_session_endpoint": END} | document)


def told(token: object) -> LogoutMessage:
    return LogoutMessage(channel=Channel.BACK, fields={"logout_token": str(token), "other": "ignored"})


async def failing(logout: SingleLogout, message: LogoutMessage) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await logout.notice(message)
    return caught.value


async def test_a_login_can_be_ended_at_the_provider() -> None:
    op = ending()
    identity = await op.login()
    begun = await op.provider.logout.begin(identity.logout_memo, TRANSACTION)
    assert begun is not None
    request, memo = begun
    assert isinstance(request, Redirect)
    assert request.url.startswith(END)
    asked = dict(parse_qsl(urlsplit(request.url).query))
    assert (asked["state"], asked["post_logout_redirect_uri"]) == (TRANSACTION, POST_LOGOUT)
    assert asked["id_token_hint"].count(".") == 2
    await op.provider.logout.finish(LogoutMessage(channel=Channel.REDIRECT, fields={"state": TRANSACTION}), TRANSACTION, memo)


async def test_a_provider_without_an_address_keeps_its_session() -> None:
    assert await Op().provider.logout.begin(None, TRANSACTION) is None


async def test_a_way_back_without_the_state_is_refused() -> None:
    with pytest.raises(MalformedResponse):
        await ending().provider.logout.finish(LogoutMessage(channel=Channel.REDIRECT, fields={}), TRANSACTION, Memo(""))


async def test_a_logout_token_is_proven_with_the_providers_keys() -> None:
    op = ending()
    notice = await op.provider.logout.notice(told(good_logout_token()))
    assert (notice.subject, notice.session_ids) == ("alice", ("session-1",))
    assert await op.provider.logout.answer(notice, complete=True) is None


async def test_a_key_that_is_newer_than_ours_is_looked_for() -> None:
    op = ending()
    await op.login()
    op.rotate("k2")
    assert (await op.provider.logout.notice(told(good_logout_token(key=rsa_key("k2"), header={"kid": "k2"})))).subject == "alice"


async def test_a_token_that_proves_nothing_is_refused_with_the_rule_in_the_detail() -> None:
    """One code whatever the rule, with the status that Back-Channel Logout 1.0 §2.8 asks for."""
    op = ending()
    for token, rule in ((good_logout_token(key=rsa_key("evil")), "QGW-215"), ("x", "QGW-211"), (good_logout_token(aud="other"), "QGW-217")):
        error = await failing(op.provider.logout, told(token))
        assert isinstance(error, LogoutUnproven)
        assert error.detail.startswith(rule)
        assert error.status == 400
    assert isinstance(await failing(op.provider.logout, told(good_logout_token(nonce="n"))), LogoutEvent)
    assert isinstance(await failing(op.provider.logout, told(good_logout_token(sub=..., sid=...))), LogoutSubject)


async def test_bad_tokens_ask_for_keys_a_few_times_and_take_none_of_the_permits_of_sign_ins() -> None:
    """Anybody can send them."""
    op = ending()
    await op.login()
    before = op.fetches(op.jwks_url)
    for number in range(20):
        await failing(op.provider.logout, told(good_logout_token(key=rsa_key("evil"), header={"kid": f"evil-{number}"})))
    assert op.fetches(op.jwks_url) - before == 3
    op.rotate("k2")
    assert (await op.login()).session.subject == "alice"


async def test_a_provider_whose_keys_cannot_be_had_is_told_to_come_again() -> None:
    """That is not the token's fault: no 400."""
    op = ending()
    op.http.on("GET", op.jwks_url, ProviderUnreachable("down"))
    assert (await failing(op.provider.logout, told(good_logout_token()))).status == 504


@pytest.mark.parametrize(
    "message",
    [
        LogoutMessage(channel=Channel.BACK, fields={}),
        LogoutMessage(channel=Channel.BACK, fields={"logout_token": ""}),
        LogoutMessage(channel=Channel.REDIRECT, fields={"logout_token": str(good_logout_token())}),
        LogoutMessage(channel=Channel.POST, fields={"SAMLRequest": "x"}),
    ],
    ids=["no token", "an empty token", "a token by another channel", "a SAML message"],
)
async def test_a_message_that_is_none_is_refused(message: LogoutMessage) -> None:
    assert isinstance(await failing(ending().provider.logout, message), MalformedResponse)


async def test_a_frame_names_a_session() -> None:
    fields = {"iss": ISSUER, "sid": "session-1"}
    notice = await ending().provider.logout.notice(LogoutMessage(channel=Channel.FRONT, fields=fields))
    assert notice.session_ids == ("session-1",)
    assert isinstance(await failing(ending().provider.logout, LogoutMessage(channel=Channel.FRONT, fields={})), LogoutSubject)
