"""The wire shape of `mapping:`: what of the claims becomes directory, user id and attributes. The same for every protocol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from gateway.config import provider_values
from gateway.config.wire import AsText, Reads, Text, Wire, one_of
from gateway.mapping import Expression, Scope


def _kind(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


Claim = Annotated[
    Annotated[Text, AsText] | Annotated[Annotated[list[Text], Field(min_length=1)], Tag("<list>")],
    Discriminator(_kind),
]
OneString = Annotated[Expression, Reads(provider_values.expression(Scope.MAPPING, single=True))]
Values = Annotated[
    Expression,
    Reads(provider_values.expression(Scope.MAPPING)),
]
Directory = Annotated[str, Reads(provider_values.read_directory)]

CLAIM = "The name of a claim; a list of names follows nested objects: [realm_access, name]."
VALUE = "A constant, the same for everybody."
CEL = "A CEL expression over claims, name_id and idp."
NAME_ID = "true: the NameID of the SAML assertion."
NameIdFlag = Literal[True] | None


class DirectoryWire(Wire):
    """Where the user directory comes from: exactly one of value, claim, cel and (SAML) name_id."""

    model_config = one_of(["value"], ["claim", "one_of"], ["cel", "one_of"])

    value: Directory | None = Field(default=None, description=VALUE)
    claim: Claim | None = Field(default=None, description=CLAIM)
    cel: OneString | None = Field(default=None, description=CEL)
    name_id: NameIdFlag = Field(default=None, description=NAME_ID)
    one_of: list[Directory] | None = Field(
        default=None, min_length=1, description="The directories that may come out. Required with claim and cel."
    )


class UserIdWire(Wire):
    """Where the user id comes from: exactly one of value, claim, cel and (SAML) name_id."""

    model_config = one_of(["value"], ["claim"], ["cel"])

    value: Annotated[str, Reads(provider_values.read_user_name)] | None = Field(default=None, description=VALUE)
    claim: Claim | None = Field(default=None, description=CLAIM)
    cel: OneString | None = Field(default=None, description=CEL)
    name_id: NameIdFlag = Field(default=None, description=NAME_ID)


class AttributeWire(Wire):
    """Where an attribute's values come from: exactly one of value, claim, cel and (SAML) name_id."""

    model_config = one_of(["value"], ["claim"], ["cel"])

    value: Annotated[str, Reads(provider_values.read_attribute_value)] | None = Field(default=None, description=VALUE)
    claim: Claim | None = Field(default=None, description=CLAIM)
    cel: Values | None = Field(default=None, description=CEL)
    name_id: NameIdFlag = Field(default=None, description=NAME_ID)


class MappingWire(Wire):
    """Who the user is in Qlik Sense."""

    user_directory: DirectoryWire = Field(description="The user directory. INTERNAL and NONE are never possible.")
    user_id: UserIdWire = Field(description="The user id: one text, or the login is refused.")
    attributes: dict[Annotated[str, Reads(provider_values.read_attribute_name)], AttributeWire] = Field(
        default={}, description="The ticket's attributes, by name; one without a value is left out."
    )
