"""The wire shape of `mapping:`: what of the claims becomes directory, user id and attributes. The same for every protocol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.config import provider_values
from gateway.config.wire import Reads, Wire, one_of
from gateway.config.wire_steps import Entries, Entry, Steps, Texts
from gateway.mapping import Expression, Scope
from gateway.protocol.qps.users import ATTRIBUTE_BUDGET

OneString = Annotated[Expression, Reads(provider_values.expression(Scope.MAPPING, single=True))]
Values = Annotated[
    Expression,
    Reads(provider_values.expression(Scope.MAPPING)),
]
Directory = Annotated[str, Reads(provider_values.read_directory)]
AttributeName = Annotated[str, Reads(provider_values.read_attribute_name)]
Bytes = Annotated[int, Field(ge=1, le=ATTRIBUTE_BUDGET)]
OverBudget = Literal["refuse", "drop"]

SOURCES = ("value", "claim", "cel", "name_id", "first_of")
CLAIM = "The name of a claim; a list of names follows nested objects: [realm_access, name]."
VALUE = "A constant, the same for everybody."
CEL = "A CEL expression over claims, name_id and idp."
NAME_ID = "true: the NameID of the SAML assertion."
FIRST_OF = "Several sources: the first that gives a value which is not empty."
STEPS = "What happens to the values, step by step: lower, upper, trim, unique, strip_prefix, match, replace, split, filter, table, cap."
BUDGET = "Bytes of Qlik Sense's header that all attributes may take: at most 12288, which is also what holds without it."
OVER_BUDGET = "refuse, or drop: the values that do not fit any more are left out."


class _SourceWire(Wire):
    """What every source can be, and what can happen to it."""

    claim: Texts | None = Field(default=None, description=CLAIM)
    name_id: Literal[True] | None = Field(default=None, description=NAME_ID)
    steps: Steps | None = Field(default=None, description=STEPS)


class OneAlternativeWire(_SourceWire):
    """One of several sources of a directory or a user id."""

    value: Annotated[str, Reads(provider_values.read_user_name)] | None = Field(default=None, description=VALUE)
    cel: OneString | None = Field(default=None, description=CEL)


class DirectoryWire(_SourceWire):
    """Where the user directory comes from: exactly one of value, claim, cel, first_of and (SAML) name_id."""

    model_config = one_of(["value"], *([source, "one_of"] for source in ("claim", "cel", "name_id", "first_of")))

    value: Directory | None = Field(default=None, description=VALUE)
    cel: OneString | None = Field(default=None, description=CEL)
    first_of: list[OneAlternativeWire] | None = Field(default=None, min_length=2, description=FIRST_OF)
    default: Directory | None = Field(default=None, description="The directory of those for whom nothing comes out.")
    one_of: list[Directory] | None = Field(
        default=None, min_length=1, description="The directories that may come out. Required with everything but value."
    )


class UserIdWire(_SourceWire):
    """Where the user id comes from: exactly one of value, claim, cel, first_of and (SAML) name_id. It has no default."""

    model_config = one_of(*([source] for source in SOURCES))

    value: Annotated[str, Reads(provider_values.read_user_name)] | None = Field(default=None, description=VALUE)
    cel: OneString | None = Field(default=None, description=CEL)
    first_of: list[OneAlternativeWire] | None = Field(default=None, min_length=2, description=FIRST_OF)


class AlternativeWire(_SourceWire):
    """One of several sources of an attribute."""

    value: Entry | None = Field(default=None, description=VALUE)
    cel: Values | None = Field(default=None, description=CEL)


class AttributeWire(_SourceWire):
    """Where an attribute's values come from: exactly one of value, claim, cel, first_of and (SAML) name_id."""

    model_config = one_of(*([source] for source in SOURCES))

    value: Entry | None = Field(default=None, description=VALUE)
    cel: Values | None = Field(default=None, description=CEL)
    first_of: list[AlternativeWire] | None = Field(default=None, min_length=2, description=FIRST_OF)
    default: Entries | None = Field(default=None, description="The value or values where none is left. Steps do not touch them.")
    budget: Bytes | None = Field(default=None, description="Bytes of Qlik Sense's header that this attribute may take.")
    over_budget: OverBudget = Field(default="refuse", description=OVER_BUDGET)


class MappingWire(Wire):
    """Who the user is in Qlik Sense."""

    user_directory: DirectoryWire = Field(description="The user directory. INTERNAL and NONE are never possible.")
    user_id: UserIdWire = Field(description="The user id: one text, or the login is refused.")
    attributes: dict[AttributeName, AttributeWire] = Field(
        default={}, description="The ticket's attributes, by name; one without a value is left out."
    )
    budget: Bytes | None = Field(default=None, description=BUDGET)
    over_budget: OverBudget = Field(default="refuse", description=OVER_BUDGET)


class OverridesWire(Wire):
    """What a virtual proxy decides in the place of its identity providers' mappings. The user id stays theirs."""

    user_directory: DirectoryWire | None = Field(default=None, description="The user directory of those who sign in here.")
    attributes: dict[AttributeName, AttributeWire] = Field(
        default={}, description="Attributes that replace those of the same name, or come behind them."
    )
    without: list[AttributeName] = Field(
        default=[], description="Attributes of the identity providers' mappings that do not go to this virtual proxy."
    )
    budget: Bytes | None = Field(default=None, description=BUDGET)
    over_budget: OverBudget = Field(default="refuse", description=OVER_BUDGET)
