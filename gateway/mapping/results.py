"""What the runtime hands out, read with mistrust: a result's type is looked at before its value, because an error's value is a text."""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias, cast

from gateway.errors import ExpressionFailed

SCALARS: Final = {"BOOL": bool, "INT": int, "UINT": int, "DOUBLE": float, "STRING": str}
"""The types of the runtime that a rule can use, alone or in a list."""

Scalar: TypeAlias = str | int | float | bool
Result: TypeAlias = Scalar | tuple[Scalar, ...]


class Type(Protocol):
    """A type of the runtime."""

    def name(self) -> str: ...


class Value(Protocol):
    """A value of the runtime."""

    def type(self) -> Type: ...
    def value(self) -> object: ...


def read(value: Value) -> Result:
    """A scalar, or a list of scalars as a tuple. Raises `ExpressionFailed` for anything else."""
    if not value.type().name().startswith("LIST<"):
        return _scalar(value)
    items = cast("list[Value]", value.value())
    return _texts(items) or tuple(_scalar(item) for item in items)


def _texts(items: list[Value]) -> tuple[str, ...]:
    """`_scalar` of all items at once where all are strings, as groups are; empty where one is not."""
    if {item.type().name() for item in items} != {"STRING"}:
        return ()
    texts = tuple([item.value() for item in items])
    return cast("tuple[str, ...]", texts) if set(map(type, texts)) == {str} else ()


def _scalar(value: Value) -> Scalar:
    """One scalar: first the type as the runtime names it, then the value, then whether the two agree."""
    kind = value.type().name()
    if kind == "ERROR":
        raise ExpressionFailed(_error_text(value))
    expected = SCALARS.get(kind)
    if expected is None:
        raise ExpressionFailed(f"gave {kind.lower()}, which cannot be used here")
    result = value.value()
    if type(result) is not expected:
        raise ExpressionFailed(f"gave {kind.lower()} that is none")
    return cast("Scalar", result)


def _error_text(value: Value) -> str:
    """The runtime's own words. An optional calls itself an error and has no value at all."""
    try:
        return show_error(str(value.value()))
    except TypeError:
        return "gave an optional, which cannot be used here: end it with .orValue(…)"


def show_error(text: str) -> str:
    """The runtime's words for an error, on one line and not too long."""
    if "Iteration budget exceeded" in text:
        return "the lists are too long for this expression"
    return " ".join(text.split())[:200]
