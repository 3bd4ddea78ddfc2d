"""The wire shape of `steps:`: what happens to the values of a source, one after the other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from gateway.config import provider_values
from gateway.config.diagnostics import Code
from gateway.config.values import Refusal
from gateway.config.wire import AsMapping, AsText, PathText, Reads, Text, TextOrMapping, Wire, refusal
from gateway.mapping import Pattern, PatternProblem, read_replacement


def _kind(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


Texts = Annotated[
    Annotated[Text, AsText] | Annotated[Annotated[list[Text], Field(min_length=1)], Tag("<list>")],
    Discriminator(_kind),
]
Value = Annotated[str, Reads(provider_values.read_attribute_value, may_be_empty=True)]
Entry = Annotated[str, Reads(provider_values.read_attribute_value)]
Entries = Annotated[
    Annotated[Entry, AsText] | Annotated[Annotated[list[Entry], Field(min_length=1)], Tag("<list>")],
    Discriminator(_kind),
]
PatternText = Annotated[Pattern, Reads(provider_values.read_pattern, {"description": "A regular expression (RE2)."})]
Extraction = Annotated[Pattern, Reads(provider_values.read_extraction, {"description": "A regular expression (RE2)."})]


def exactly_one(wire: Wire, *names: str) -> str:
    """The one key of these that is there; a refusal where there is none or another one."""
    given = [name for name in names if getattr(wire, name) is not None]
    if len(given) != 1:
        raise refusal(Refusal(Code.MAPPING, f"exactly one of {', '.join(names)} is needed here"))
    return given[0]


class ReplaceWire(Wire):
    """Replaces every place that reads like text, or that pattern describes."""

    text: Text | None = Field(default=None, description="What is replaced, to the letter.")
    pattern: PatternText | None = Field(default=None, description="What is replaced: a regular expression.")
    by: Value = Field(alias="with", description=r"What stands there instead; it may be empty. \1 is the pattern's first group.")

    @model_validator(mode="after")
    def _fits(self) -> ReplaceWire:
        exactly_one(self, "text", "pattern")
        try:
            if self.pattern is not None:
                read_replacement(self.by, self.pattern)
        except PatternProblem as problem:
            raise refusal(Refusal(Code.EXPRESSION, str(problem))) from None
        return self


class FilterWire(Wire):
    """Keeps the values that one of the keys describes; the others fall out."""

    prefix: Texts | None = Field(default=None, description="Values that begin so.")
    exact: Texts | None = Field(default=None, description="These values, to the letter.")
    match: PatternText | None = Field(default=None, description="Values that the regular expression describes as a whole.")

    @model_validator(mode="after")
    def _is_any(self) -> FilterWire:
        if self.prefix is None and self.exact is None and self.match is None:
            raise refusal(Refusal(Code.MAPPING, "a filter needs prefix, exact or match"))
        return self


class TableWire(Wire):
    """Looks each value up."""

    values: dict[Text, Entries] | None = Field(default=None, min_length=1, description="The table: value: other value, or a list of them.")
    file: PathText | None = Field(
        default=None, description="The table as a file: CSV with the first line from,to, or YAML. A line per value; several add up."
    )
    otherwise: Literal["drop", "keep"] = Field(default="drop", description="What becomes of a value that is not in the table.")

    @model_validator(mode="after")
    def _is_one(self) -> TableWire:
        exactly_one(self, "values", "file")
        return self


STEPS = ("strip_prefix", "strip_suffix", "match", "replace", "split", "filter", "table", "cap")


class StepWire(Wire):
    """One step with what it needs: exactly one of these keys."""

    strip_prefix: Text | None = Field(default=None, description="Cuts this off the beginning; values that begin otherwise stay.")
    strip_suffix: Text | None = Field(default=None, description="Cuts this off the end; values that end otherwise stay.")
    match: Extraction | None = Field(
        default=None,
        description="A regular expression for the whole value: its group is what stays, or all of it. Values that do not match fall out.",
    )
    replace: ReplaceWire | None = Field(default=None, description="{text: …, with: …} or {pattern: …, with: …}")
    split: Text | None = Field(
        default=None, description="Makes of each value the parts between this separator, trimmed; empty ones fall out."
    )
    filter: FilterWire | None = Field(
        default=None, description="Which values stay: {prefix: …}, {exact: …}, {match: …}, or any of several."
    )
    table: TableWire | None = Field(default=None, description="Other values for these: {values: {…}} or {file: PATH}.")
    cap: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, description="Keeps the first so many values.")

    @model_validator(mode="after")
    def _is_one(self) -> StepWire:
        exactly_one(self, *STEPS)
        return self


AnyStep = Annotated[
    Annotated[Literal["lower", "upper", "trim", "unique"], AsText] | Annotated[StepWire, AsMapping],
    TextOrMapping,
]
Steps = Annotated[list[AnyStep], Field(min_length=1, max_length=20)]
