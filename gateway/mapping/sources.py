"""Where a value comes from: the sources that a mapping rule can name, each with the text that traces show for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gateway.mapping.actions import Action
from gateway.mapping.cel import Expression


@dataclass(frozen=True, slots=True)
class Constant:
    """`value:`: the same for everybody."""

    value: str

    def __str__(self) -> str:
        return f"value: {self.value}"


@dataclass(frozen=True, slots=True)
class ClaimPath:
    """`claim:`: one claim, or the members to follow into nested objects. A dot in a name is part of the name."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"claim: {self.path[0]}" if len(self.path) == 1 else f"claim: [{', '.join(self.path)}]"


@dataclass(frozen=True, slots=True)
class NameId:
    """`name_id: true`: the NameID of a SAML assertion."""

    def __str__(self) -> str:
        return "name_id: true"


@dataclass(frozen=True, slots=True)
class Cel:
    """`cel:`: an expression, compiled for `Scope.MAPPING`."""

    expression: Expression

    def __str__(self) -> str:
        return f"cel: {self.expression.source}"


@dataclass(frozen=True, slots=True)
class FirstOf:
    """`first_of:`: the first source that gives a value which is not empty. An expression that fails refuses all the same."""

    sources: tuple[Source, ...]

    def __str__(self) -> str:
        return f"first of: {'; '.join(str(source) for source in self.sources)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bytes of Qlik Sense's header that attributes may take (`model.attribute_size`). `drop`: what is beyond falls out; else it refuses."""

    most: int
    drop: bool = False

    def __str__(self) -> str:
        return f"budget: {self.most} bytes, beyond it {'drop' if self.drop else 'refuse'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """A source with what happens to its values: `steps`, in their order; `default` where none is left; an attribute's `budget`."""

    source: Source
    actions: tuple[Action, ...] = ()
    default: tuple[str, ...] = ()
    budget: Budget | None = None

    def __str__(self) -> str:
        return str(self.source)


Source: TypeAlias = Constant | ClaimPath | NameId | Cel | FirstOf | Stepped
