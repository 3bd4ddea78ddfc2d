"""How a user signed in: asked for in the authorization request, proven by the ID token.

The request passes through the browser, where anybody may take a parameter out: only what comes back counts (OIDC Core
§2 `acr`, `amr`, `auth_time`; §3.1.2.1 `acr_values`, `max_age`, `prompt`; RFC 9470 §4 for the step-up).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from gateway.errors import SignInTooOld, SignInTooWeak, TokenTimes
from gateway.model import Claims
from gateway.protocol.oidc.registration import RelyingParty
from gateway.strength import ANY_SIGN_IN, Strength

STRENGTH_PARAMS: Final = ("acr_values", "max_age", "prompt")
"""Parameters that change from login to login; the same names in `authorization_params` are joined with them."""

_LONGEST_SHOWN: Final = 200


def strength_params(rp: RelyingParty, strength: Strength) -> Mapping[str, str]:
    """The parameters that ask for this strength, with what `authorization_params` asks for by the same names.

    A sign-in that must be fresh asks for an age of zero as well: with it, the token has to say when that was.
    """
    constant = rp.authorization_params
    if (strength is ANY_SIGN_IN or strength == ANY_SIGN_IN) and constant.keys().isdisjoint(STRENGTH_PARAMS):
        return {}
    prompts = strength.prompts | set(constant.get("prompt", "").split())
    params = {
        "acr_values": " ".join(dict.fromkeys((*_asked_contexts(strength), *constant.get("acr_values", "").split()))),
        "max_age": "0" if strength.fresh else _seconds(oldest(rp, strength)),
        "prompt": " ".join(sorted(prompts - {"none"} | {"login"} if strength.fresh else prompts)),
    }
    return {name: value for name, value in params.items() if value}


def check_strength(claims: Claims, strength: Strength) -> None:
    """`acr` is one of those required, `amr` holds all of those required. Raises `SignInTooWeak`."""
    context = claims.get("acr")
    if strength.require_acr is not None and context not in strength.require_acr:
        raise SignInTooWeak("acr is missing" if context is None else f"acr is {str(context)[:_LONGEST_SHOWN]!r}")
    if not strength.require_amr:
        return
    methods = claims.get("amr")
    missing = strength.require_amr.difference(item for item in methods if isinstance(item, str)) if isinstance(methods, list) else None
    if missing is None:
        raise SignInTooWeak("amr is missing or no list")
    if missing:
        raise SignInTooWeak(f"amr lacks {', '.join(sorted(missing))}")


def check_sign_in_time(claims: Claims, rp: RelyingParty, strength: Strength, *, asked_at: datetime, now: datetime) -> None:
    """OIDC Core §3.1.3.7 rule 13: `auth_time` is within the age asked for; a fresh sign-in is not older than its login.

    Raises `SignInTooOld`; `TokenTimes` where `auth_time` is no number.
    """
    age = oldest(rp, strength)
    if age is None and not strength.fresh:
        return
    signed_in = claims.get("auth_time")
    if signed_in is None:
        raise SignInTooOld("auth_time is missing")
    if isinstance(signed_in, bool) or not isinstance(signed_in, int | float):
        raise TokenTimes("auth_time is no number")
    slack = rp.clock_skew.total_seconds()
    if age is not None and signed_in < now.timestamp() - age.total_seconds() - slack:
        raise SignInTooOld("the sign-in is older than max_age (auth_time)")
    if strength.fresh and signed_in < asked_at.timestamp() - slack:
        raise SignInTooOld("the sign-in is older than this login (auth_time)")


def oldest(rp: RelyingParty, strength: Strength) -> timedelta | None:
    """The lesser of what `authentication` and `authorization_params` ask for; zero is an age, too."""
    if rp.max_age is None:
        return strength.max_age
    constant = timedelta(seconds=rp.max_age)
    return constant if strength.max_age is None else min(strength.max_age, constant)


def _asked_contexts(strength: Strength) -> tuple[str, ...]:
    """What to ask for: the preferred contexts as far as they are good enough; else all that are."""
    if strength.require_acr is None:
        return strength.acr_values
    return tuple(name for name in strength.acr_values if name in strength.require_acr) or strength.require_acr


def _seconds(age: timedelta | None) -> str:
    return "" if age is None else str(int(age.total_seconds()))
