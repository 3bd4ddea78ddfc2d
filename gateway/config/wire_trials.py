"""The wire shape of `tests:` in an identity provider's file: claims, and what is to come of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from gateway.config import provider_values
from gateway.config.wire import AsText, Id, Reads, Text, Wire
from gateway.config.wire_steps import exactly_one

TESTS = "Claims and what is to come of them: qlikgw check runs them, and a configuration that breaks one is not used."


def _kind(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


AnyText = Annotated[str, Reads(lambda text: text, may_be_empty=True)]
AnyTexts = Annotated[Annotated[AnyText, AsText] | Annotated[list[AnyText], Tag("<list>")], Discriminator(_kind)]


class ExpectWire(Wire):
    """Who is to come out. What is left out is not looked at."""

    user_directory: Text | None = Field(default=None, description="The user directory.")
    user_id: Text | None = Field(default=None, description="The user id.")
    attributes: dict[str, AnyTexts] | None = Field(
        default=None, description="All attributes with their values; an attribute more fails the test."
    )


class TrialWire(Wire):
    """One test: a login by these claims, without the login."""

    name: Annotated[str, Reads(provider_values.read_message)] = Field(description="What the test shows.")
    claims: dict[str, Any] = Field(description="The claims as the provider sends them; for SAML, lists of text by attribute name.")
    name_id: Text | None = Field(default=None, description="The NameID of a SAML assertion.")
    virtual_proxy: Id | None = Field(default=None, description="Sign in at this virtual proxy: its mapping and rules hold, too.")
    expect: ExpectWire | None = Field(default=None, description="Who is to come out.")
    refused: Annotated[str, Reads(provider_values.read_refusal_code)] | None = Field(
        default=None, description="The code of the refusal, such as QGW-306."
    )
    rule: Text | None = Field(default=None, description="With refused: the id of the rule that is to refuse; allow for allow.")

    @model_validator(mode="after")
    def _is_one(self) -> TrialWire:
        exactly_one(self, "expect", "refused")
        return self
