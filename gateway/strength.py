"""How strong and how fresh a sign-in must be, whatever the protocol. Knows nothing of how it is asked for or proven."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How a user must have signed in: asked of the provider, and verified by what it proves. The default demands nothing.

    `require_acr` (OIDC Core §2) and `authn_context` (SAML Core §3.3.2.2.1) list what is good enough, each in its
    protocol's words; None: anything, and an empty list: nothing. `require_amr` (RFC 8176): all of these methods.
    `max_age`: the sign-in is at most that old. `fresh`: it was made for this login. `acr_values` and `prompts` are only asked.
    """

    acr_values: tuple[str, ...] = ()
    require_acr: tuple[str, ...] | None = None
    require_amr: frozenset[str] = frozenset()
    authn_context: tuple[str, ...] | None = None
    max_age: timedelta | None = None
    fresh: bool = False
    prompts: frozenset[str] = frozenset()

    def joined(self, other: Strength) -> Strength:
        """What satisfies both; `other` comes first where an order matters."""
        if ANY_SIGN_IN in (self, other):
            return other if self == ANY_SIGN_IN else self
        return Strength(
            acr_values=tuple(dict.fromkeys((*other.acr_values, *self.acr_values))),
            require_acr=_in_both(other.require_acr, self.require_acr),
            require_amr=self.require_amr | other.require_amr,
            authn_context=_in_both(other.authn_context, self.authn_context),
            max_age=min((age for age in (self.max_age, other.max_age) if age is not None), default=None),
            fresh=self.fresh or other.fresh,
            prompts=self.prompts | other.prompts,
        )

    def stepped_up(self) -> Strength:
        """What to ask of a user whose sign-in was too weak: the same, and not the session that was there already."""
        return replace(self, fresh=True)


def _in_both(first: tuple[str, ...] | None, second: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if first is None or second is None:
        return second if first is None else first
    return tuple(name for name in first if name in second)


ANY_SIGN_IN: Final = Strength()
"""Demands nothing."""
