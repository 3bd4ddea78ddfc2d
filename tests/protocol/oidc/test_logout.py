from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.errors import LogoutSubject, MalformedResponse, NoLoginInFlight, UnreadableLogin
from gateway.model import Memo, Secret, TransactionId
from gateway.protocol import oidc
from gateway.protocol.oidc.logout_memo import write_logout_memo
from tests.protocol.oidc.forge import (
    EXPECTED,
    ISSUER,
    NOW,
    POST_LOGOUT,
    good_logout_token,
    good_token,
    jwk,
    jwks,
    metadata,
    relying_party,
    rsa_key,
)

STATE = TransactionId("s" * 22)
KEYS = jwks(jwk(rsa_key()))
END = f"{ISSUER}/end"


def signed_in(**claims: Any) -> Memo:
    """The logout memo of a login with these claims."""
    identity = oidc.verify_id_token(Secret(str(good_token(**claims))), EXPECTED, rp=relying_party(), keys=KEYS, now=NOW)
    assert identity.logout_memo is not None
    return identity.logout_memo


def asked(memo: Memo | None, endpoint: str = END, **changes: Any) -> dict[str, str]:
    rp = relying_party(**{"post_logout_redirect_uri": POST_LOGOUT} | changes)
    url = oidc.logout_request(endpoint, rp=rp, memo=memo, state=STATE).url
    assert url.startswith(f"{endpoint}&" if "?" in endpoint else f"{endpoint}?")
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


# ---- to the provider ----------------------------------------------------------------------------------------------------


def test_the_request_names_the_session_us_and_the_way_back() -> None:
    """RP-Initiated Logout 1.0 §2."""
    token = str(good_token())
    memo = write_logout_memo(Secret(token), {})
    assert asked(memo) == {
        "id_token_hint": token,
        "client_id": "gateway",
        "post_logout_redirect_uri": POST_LOGOUT,
        "state": STATE,
    }


def test_a_login_leaves_its_id_token_as_the_hint() -> None:
    assert asked(signed_in(sid="session-1"))["id_token_hint"].count(".") == 2


def test_entra_gets_the_hint_that_spares_the_choice_of_an_account() -> None:
    assert asked(signed_in(login_hint="O.abc"))["logout_hint"] == "O.abc"


def test_an_id_token_too_long_for_an_address_stays_behind_and_the_session_is_named_instead() -> None:
    request = asked(signed_in(groups=["g" * 36] * 200, sid="session-1"))
    assert "id_token_hint" not in request
    assert request["logout_hint"] == "session-1"
    assert request["client_id"] == "gateway"


@pytest.mark.parametrize("hint", ["", 7, None, ["x"], "x" * 513])
def test_a_hint_that_cannot_be_one_is_left_out(hint: Any) -> None:
    assert "logout_hint" not in asked(signed_in(login_hint=hint))


def test_without_a_memo_the_provider_learns_who_asks_and_asks_the_user_itself() -> None:
    assert asked(None) == {"client_id": "gateway", "post_logout_redirect_uri": POST_LOGOUT, "state": STATE}


def test_without_a_way_back_there_is_no_state() -> None:
    assert asked(None, post_logout_redirect_uri=None) == {"client_id": "gateway"}


def test_an_address_that_has_a_query_keeps_it() -> None:
    assert asked(None, endpoint=f"{END}?tenant=1")["tenant"] == "1"


@pytest.mark.parametrize("memo", ["", "[]", "{}", "7", "null", '{"id_token": "a"}', "\ud800"])
def test_a_foreign_memo_is_not_read(memo: str) -> None:
    with pytest.raises(UnreadableLogin):
        asked(Memo(memo))


def test_a_memo_shows_no_token_by_accident() -> None:
    identity = oidc.verify_id_token(Secret(str(good_token())), EXPECTED, rp=relying_party(), keys=KEYS, now=NOW)
    assert str(good_token()) not in repr(identity)


# ---- and back ---------------------------------------------------------------------------------------------------------------


def test_the_way_back_must_bring_the_state() -> None:
    """RP-Initiated Logout 1.0 §3."""
    oidc.verify_logout_return({"state": STATE}, state=STATE)
    with pytest.raises(MalformedResponse):
        oidc.verify_logout_return({}, state=STATE)
    with pytest.raises(NoLoginInFlight):
        oidc.verify_logout_return({"state": "other"}, state=STATE)


# ---- where the provider ends sessions ------------------------------------------------------------------------------------------


def test_the_address_is_read_from_discovery() -> None:
    assert metadata(end_session_endpoint=END).end_session_endpoint == END
    assert metadata().end_session_endpoint is None


@pytest.mark.parametrize(
    "address", ["http://op.example/end", "javascript:alert(1)", "", 7, None, ["https://op.example"], "https://a@b.example/"]
)
def test_an_address_that_may_not_be_used_stops_no_login(address: Any) -> None:
    assert metadata(end_session_endpoint=address).end_session_endpoint is None


# ---- logout tokens: whom they mean -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "subject", "sessions"),
    [
        ({"sid": ...}, "alice", ()),
        ({"sub": ...}, None, ("session-1",)),
        ({}, "alice", ("session-1",)),
    ],
    ids=["sub alone: all of the user's", "sid alone: that session", "both"],
)
def test_a_token_means_a_session_or_a_user(claims: dict[str, Any], subject: str | None, sessions: tuple[str, ...]) -> None:
    """Back-Channel Logout 1.0 §2.4."""
    token = Secret(str(good_logout_token(**claims)))
    notice = oidc.verify_logout_token(token, rp=relying_party(), keys=KEYS, now=NOW)
    assert (notice.subject, notice.session_ids) == (subject, sessions)


def test_what_is_not_understood_is_ignored() -> None:
    """Back-Channel Logout 1.0 §2.4, and Keycloak's member of `events` that asks for offline tokens to be given up."""
    events = {oidc.LOGOUT_EVENT: {"more": 1}, "revoke_offline_access": True}
    token = Secret(str(good_logout_token(events=events, more={"a": [1]})))
    assert oidc.verify_logout_token(token, rp=relying_party(), keys=KEYS, now=NOW).subject == "alice"


# ---- front channel ---------------------------------------------------------------------------------------------------------------


def test_a_frame_names_a_session_of_this_provider() -> None:
    """Front-Channel Logout 1.0 §2. It proves nothing, so there is nothing to use up."""
    notice = oidc.verify_front_channel({"iss": ISSUER, "sid": "session-1"}, rp=relying_party(), now=NOW)
    assert (notice.issuer, notice.subject, notice.session_ids, notice.proof_id) == (ISSUER, None, ("session-1",), None)
    assert json.dumps(notice.reply) == "null"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sid": "session-1"},
        {"iss": ISSUER},
        {"iss": ISSUER, "sid": ""},
        {"iss": ISSUER, "sid": "s" * 1001},
        {"iss": "https://evil.example", "sid": "session-1"},
        {"iss": ISSUER + "/", "sid": "session-1"},
    ],
    ids=["nothing", "sid alone", "iss alone", "an empty sid", "a long sid", "another provider", "a slash more"],
)
def test_a_frame_that_names_no_session_of_this_provider_does_nothing(fields: dict[str, str]) -> None:
    with pytest.raises(LogoutSubject):
        oidc.verify_front_channel(fields, rp=relying_party(), now=NOW)
