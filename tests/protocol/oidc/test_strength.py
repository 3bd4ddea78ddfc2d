"""Authentication strength: what is asked for, and what a token must prove."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import GatewayError, SignInTooOld, SignInTooWeak, TokenSignature
from gateway.model import Secret, TransactionId, VerifiedIdentity
from gateway.protocol import oidc
from gateway.protocol.oidc.strength import strength_params
from gateway.strength import Strength
from tests.protocol.oidc.forge import EXPECTED, NOW, good_token, jwk, jwks, relying_party, rsa_key
from tests.protocol.oidc.op import TRANSACTION, Op

T = int(NOW.timestamp())
KEYS = jwks(jwk(rsa_key()))
SKEW = 60
ASKED_AT = T - 300


def verify(strength: Strength, **claims: Any) -> VerifiedIdentity:
    expected = replace(EXPECTED, strength=strength, asked_at=NOW - timedelta(seconds=300))
    return oidc.verify_id_token(Secret(str(good_token(**claims))), expected, rp=relying_party(), keys=KEYS, now=NOW)


# ---- what is asked for -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strength", "constant", "params"),
    [
        (Strength(), {}, {}),
        (Strength(), {"max_age": "60", "prompt": "none", "acr_values": "a b"}, {"max_age": "60", "prompt": "none", "acr_values": "a b"}),
        (Strength(acr_values=("a", "b")), {}, {"acr_values": "a b"}),
        (Strength(require_acr=("x", "y")), {}, {"acr_values": "x y"}),
        (Strength(acr_values=("low", "y", "x"), require_acr=("x", "y")), {}, {"acr_values": "y x"}),
        (Strength(acr_values=("low",), require_acr=("x",)), {}, {"acr_values": "x"}),
        (Strength(acr_values=("a",)), {"acr_values": "b a"}, {"acr_values": "a b"}),
        (Strength(require_amr=frozenset({"mfa"})), {}, {}),
        (Strength(max_age=timedelta(hours=1)), {}, {"max_age": "3600"}),
        (Strength(max_age=timedelta(hours=1)), {"max_age": "60"}, {"max_age": "60"}),
        (Strength(max_age=timedelta(seconds=30)), {"max_age": "60"}, {"max_age": "30"}),
        (Strength(fresh=True, max_age=timedelta(hours=1)), {}, {"max_age": "0", "prompt": "login"}),
        (Strength(fresh=True), {"prompt": "none"}, {"max_age": "0", "prompt": "login"}),
        (Strength(prompts=frozenset({"select_account"})), {"prompt": "consent"}, {"prompt": "consent select_account"}),
    ],
)
def test_the_request_asks_for_what_is_demanded(strength: Strength, constant: dict[str, str], params: dict[str, str]) -> None:
    assert strength_params(relying_party(authorization_params=constant), strength) == params


async def test_no_parameter_comes_twice_and_all_are_escaped() -> None:
    op = Op(rp=relying_party(authorization_params={"prompt": "consent", "max_age": "7200", "resource": "x"}))
    op.strength = Strength(require_acr=("urn:mfa&prompt=none",), max_age=timedelta(hours=1), fresh=True)
    url = (await op.provider.begin(TransactionId("s" * 22), op.strength))[0].url  # type: ignore[union-attr]
    for name in ("prompt", "max_age", "acr_values"):
        assert url.count(f"&{name}=") == 1
    assert url.endswith("&acr_values=urn%3Amfa%26prompt%3Dnone&max_age=0&prompt=consent%20login")


# ---- the stricter wins -------------------------------------------------------------------------------------------------


def test_two_demands_are_joined_to_what_satisfies_both() -> None:
    provider = Strength(
        acr_values=("a", "b"), require_acr=("a", "b"), require_amr=frozenset({"pwd"}), max_age=timedelta(hours=8), authn_context=("k",)
    )
    virtual_proxy = Strength(
        acr_values=("b",), require_acr=("b", "c"), require_amr=frozenset({"mfa"}), max_age=timedelta(hours=1), fresh=True
    )
    assert provider.joined(virtual_proxy) == Strength(
        acr_values=("b", "a"),
        require_acr=("b",),
        require_amr=frozenset({"pwd", "mfa"}),
        max_age=timedelta(hours=1),
        fresh=True,
        authn_context=("k",),
    )
    assert provider.joined(Strength()) == Strength().joined(provider) == provider


def test_lists_without_a_common_context_let_nobody_in() -> None:
    joined = Strength(require_acr=("a",)).joined(Strength(require_acr=("b",)))
    assert joined.require_acr == ()
    for acr in ("a", "b", ...):
        with pytest.raises(SignInTooWeak):
            verify(joined, acr=acr)


# ---- what the token proves ---------------------------------------------------------------------------------------------

GOOD: list[tuple[Strength, dict[str, Any]]] = [
    (Strength(), {}),
    (Strength(acr_values=("gold",), prompts=frozenset({"consent"})), {}),
    (Strength(require_acr=("gold", "silver")), {"acr": "silver"}),
    (Strength(require_amr=frozenset({"mfa"})), {"amr": ["pwd", "mfa"]}),
    (Strength(require_amr=frozenset({"mfa", "pwd"})), {"amr": ["pwd", "mfa", "otp", 7]}),
    (Strength(max_age=timedelta(hours=1)), {"auth_time": T - 3600 - SKEW}),
    (Strength(fresh=True), {"auth_time": ASKED_AT - SKEW}),
    (Strength(fresh=True, max_age=timedelta(hours=1)), {"auth_time": T}),
]
WEAK: list[tuple[Strength, dict[str, Any]]] = [
    (Strength(require_acr=("gold",)), {}),
    (Strength(require_acr=("gold",)), {"acr": None}),
    (Strength(require_acr=("gold",)), {"acr": "silver"}),
    (Strength(require_acr=("gold",)), {"acr": "Gold"}),
    (Strength(require_acr=("gold",)), {"acr": "gold "}),
    (Strength(require_acr=("gold",)), {"acr": ["gold"]}),
    (Strength(require_acr=("gold",)), {"acr": "gold silver"}),
    (Strength(require_acr=("1",)), {"acr": 1}),
    (Strength(require_amr=frozenset({"mfa"})), {}),
    (Strength(require_amr=frozenset({"mfa"})), {"amr": []}),
    (Strength(require_amr=frozenset({"mfa"})), {"amr": "mfa"}),
    (Strength(require_amr=frozenset({"mfa"})), {"amr": {"mfa": True}}),
    (Strength(require_amr=frozenset({"mfa"})), {"amr": [["mfa"]]}),
    (Strength(require_amr=frozenset({"mfa", "pwd"})), {"amr": ["mfa"]}),
]
OLD: list[tuple[Strength, dict[str, Any]]] = [
    (Strength(max_age=timedelta(hours=1)), {}),
    (Strength(max_age=timedelta(hours=1)), {"auth_time": T - 3601 - SKEW}),
    (Strength(fresh=True), {}),
    (Strength(fresh=True), {"auth_time": ASKED_AT - SKEW - 1}),
    (Strength(fresh=True, max_age=timedelta(hours=1)), {"auth_time": ASKED_AT - SKEW - 1}),
]


@pytest.mark.parametrize(("strength", "claims"), GOOD)
def test_a_sign_in_that_is_strong_enough_is_accepted(strength: Strength, claims: dict[str, Any]) -> None:
    assert verify(strength, **claims)


@pytest.mark.parametrize(("strength", "claims"), WEAK)
def test_a_sign_in_that_is_too_weak_is_refused(strength: Strength, claims: dict[str, Any]) -> None:
    with pytest.raises(SignInTooWeak) as caught:
        verify(strength, **claims)
    assert caught.value.code == "QGW-223"


@pytest.mark.parametrize(("strength", "claims"), OLD)
def test_a_sign_in_that_is_too_old_is_refused(strength: Strength, claims: dict[str, Any]) -> None:
    with pytest.raises(SignInTooWeak) as caught:
        verify(strength, **claims)
    assert caught.value.code == SignInTooOld.code == "QGW-224"


def test_a_weak_token_that_is_forged_is_forged_before_all() -> None:
    """A second chance is for those whose token was good."""
    forged = good_token(key=rsa_key("another"))
    with pytest.raises(TokenSignature):
        oidc.verify_id_token(
            Secret(str(forged)), replace(EXPECTED, strength=Strength(require_acr=("gold",))), rp=relying_party(), keys=KEYS, now=NOW
        )


async def test_userinfo_cannot_make_a_sign_in_stronger() -> None:
    op = Op(rp=relying_party(userinfo=True), userinfo={"sub": "alice", "acr": "gold", "amr": ["mfa"], "auth_time": T})
    for strength in (Strength(require_acr=("gold",)), Strength(require_amr=frozenset({"mfa"})), Strength(fresh=True)):
        op.strength = strength
        with pytest.raises(GatewayError) as caught:
            await op.login()
        assert isinstance(caught.value, SignInTooWeak)


async def test_a_slow_user_is_fresh_as_long_as_the_sign_in_was_made_for_this_login() -> None:
    op = Op(strength=Strength(fresh=True))
    answer, memo = await op.begin()
    signed_in = int(op.clock.now().timestamp()) + 5
    op.clock.advance(timedelta(minutes=14))
    op.claims["auth_time"] = signed_in
    assert await op.provider.finish(answer, TRANSACTION, memo, op.strength)
