"""The wire shape of `authentication:`: how users must have signed in. On an identity provider, on a virtual proxy, or both."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from gateway.config import saml_values, values
from gateway.config.wire import Reads, Wire
from gateway.strength import Strength

_SECONDS_AND_MORE = {"pattern": f"^{values.DURATION}$", "examples": ["60s", "12h"]}


def _read_context(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,1024}", text):
        raise ValueError("a name without blanks, such as urn:example:mfa")
    return text


Context = Annotated[str, Reads(_read_context)]
Contexts = Annotated[list[Context], Field(min_length=1)]
Uris = Annotated[list[Annotated[str, Reads(saml_values.read_uri)]], Field(min_length=1)]
MaxAge = Annotated[timedelta, Reads(values.duration(timedelta(minutes=1), timedelta(days=30)), _SECONDS_AND_MORE)]

MAX_AGE = "How long ago the user may have signed in: 1m to 30d. Asked for, and refused where the provider does not prove it."
SAML_MAX_AGE = "How long ago the user may have signed in (AuthnInstant): 1m to 30d. An older sign-in is asked to be made anew, once."
AUTHENTICATION = "How users must have signed in. What a virtual proxy demands comes on top."


class OidcAuthenticationWire(Wire):
    """How users must have signed in: asked for in the request and verified in the ID token."""

    acr_values: Contexts | None = Field(
        default=None, description="Authentication contexts to ask for, the preferred one first. Only asked; default: require_acr."
    )
    require_acr: Contexts | None = Field(default=None, description="The claim acr must be one of these.")
    require_amr: Contexts | None = Field(default=None, description="The claim amr must hold all of these, for instance [mfa].")
    max_age: MaxAge | None = Field(default=None, description=MAX_AGE)
    prompt: Literal["login", "consent", "select_account"] | None = Field(
        default=None,
        description="login: the user signs in anew for this login, and the ID token must say so (auth_time). The others are only asked.",
    )

    def strength(self) -> Strength:
        """As a value of the core."""
        return Strength(
            acr_values=tuple(self.acr_values or ()),
            require_acr=None if self.require_acr is None else tuple(self.require_acr),
            require_amr=frozenset(self.require_amr or ()),
            max_age=self.max_age,
            fresh=self.prompt == "login",
            prompts=frozenset() if self.prompt in {None, "login"} else frozenset({str(self.prompt)}),
        )


class SamlAuthenticationWire(Wire):
    """How users must have signed in: asked for in the AuthnRequest and verified in the assertion."""

    authn_context: Uris | None = Field(
        default=None, description="The authentication context class must be one of these (RequestedAuthnContext, exact)."
    )
    max_age: MaxAge | None = Field(default=None, description=SAML_MAX_AGE)
    force_authn: bool = Field(default=False, description="true: the user signs in anew for this login (ForceAuthn, AuthnInstant).")

    def strength(self) -> Strength:
        """As a value of the core."""
        return Strength(
            authn_context=None if self.authn_context is None else tuple(self.authn_context), max_age=self.max_age, fresh=self.force_authn
        )


class AnyAuthenticationWire(OidcAuthenticationWire):
    """What a virtual proxy demands of every sign-in, in the words of either protocol: the keys of the provider's protocol count."""

    authn_context: Uris | None = Field(
        default=None, description="For SAML: the authentication context class must be one of these (RequestedAuthnContext, exact)."
    )
    force_authn: bool = Field(
        default=False, description="For SAML: the user signs in anew for this login. For OIDC, prompt: login is the same."
    )

    def strength(self) -> Strength:
        """As a value of the core."""
        asked = super().strength()
        return replace(
            asked,
            authn_context=None if self.authn_context is None else tuple(self.authn_context),
            fresh=asked.fresh or self.force_authn,
        )
