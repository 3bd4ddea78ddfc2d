"""What every wire shape of the configuration has in common: strict, closed, frozen, and each text read by one reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gateway.config import values
from gateway.config.diagnostics import Code
from gateway.config.values import Refusal

REFUSED = "refused"
"""The type of the errors that carry a `Refusal`."""


@dataclass(slots=True)
class Readers:
    """Which model read which mapping: unknown keys are compared with its keys. Passed as pydantic's context."""

    models: dict[int, type[Wire]] = field(default_factory=dict)


class Wire(BaseModel):
    """One mapping of a configuration file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _remember(cls, data: object, info: ValidationInfo) -> object:
        if isinstance(info.context, Readers):
            info.context.models[id(data)] = cls
        return data


def one_of(*choices: list[str]) -> ConfigDict:
    """For editors: which keys a mapping needs, in one of several ways. The rules themselves stand in `references`."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [*choice]} for choice in choices]})


@dataclass(frozen=True, eq=False)
class Reads:
    """Annotation: the value is a text, and `read` makes of it what the model holds. `schema` describes the text to editors."""

    read: Callable[[str], object]
    schema: Mapping[str, object] = field(default_factory=dict)
    may_be_empty: bool = False

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"} | ({} if self.may_be_empty else {"minLength": 1}) | dict(self.schema)

    def _validate(self, value: object) -> object:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be a text", {"examples": self.schema.get("examples")})
        if not value and not self.may_be_empty:
            raise refusal(Refusal(Code.EMPTY_VALUE, "the text is empty"))
        try:
            return self.read(value)
        except Refusal as problem:
            raise refusal(problem) from None
        except ValueError as error:
            raise refusal(Refusal(Code.WRONG_VALUE, str(error).removesuffix("."))) from None


def refusal(problem: Refusal) -> PydanticCustomError:
    """A refusal on its way through pydantic."""
    return PydanticCustomError(REFUSED, "refused", {"problem": problem})


def _kind(value: object) -> str:
    return "<mapping>" if isinstance(value, dict) else "<text>"


TextOrMapping = Discriminator(_kind)
"""For values that may be a plain text or a mapping. The tags look like no key, so that they can be told from keys in a place."""
AsText = Tag("<text>")
AsMapping = Tag("<mapping>")


def _same(text: str) -> str:
    return text


Text = Annotated[str, Reads(_same)]
PathText = Annotated[str, Reads(values.read_path, {"description": "A path, relative to this folder."})]
Id = Annotated[str, Reads(values.read_id, {"pattern": f"^{values.ID}$"})]


class SecretReference(Wire):
    """A secret, never inline: a file that holds it (one newline at its end is cut), or an environment variable."""

    model_config = one_of(["file"], ["env"])

    file: PathText | None = Field(default=None, description="The file that holds the secret. One newline at its end is cut.")
    env: Annotated[str, Reads(values.read_environment_name, {"pattern": f"^{values.ENVIRONMENT_NAME}$"})] | None = Field(
        default=None, description="The environment variable that holds the secret; its name begins with QLIKGW_."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_reference(cls, data: object) -> object:
        if data is not None and not isinstance(data, dict):
            hint = "write {file: PATH} or {env: QLIKGW_NAME}"
            raise refusal(Refusal(Code.INLINE_SECRET, "a secret is never written in here: name the file or variable that holds it", hint))
        return data

    @model_validator(mode="after")
    def _is_one(self) -> SecretReference:
        if (self.file is None) == (self.env is None):
            raise refusal(
                Refusal(Code.INLINE_SECRET, "a secret is exactly one of file and env", "write {file: PATH} or {env: QLIKGW_NAME}")
            )
        return self


def _known_version(version: int) -> int:
    if version != 1:
        raise refusal(Refusal(Code.SCHEMA, "this gateway reads schema 1 only", "files of another version need another gateway"))
    return version


SchemaVersion = Annotated[
    int,
    AfterValidator(_known_version),
    Field(alias="schema", description="The version of this file's form: 1.", json_schema_extra={"const": 1}),
]
