"""The form of the nouns: dataclasses that are frozen, slotted and named by keywords, and cheap to make.

In a frozen class, dataclasses' own `__init__` sets each field by its name, through `object.__setattr__`. This one sets
them by their slots. A login makes some fifty nouns of two hundred fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import update_wrapper
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def noun(cls: type[T]) -> type[T]:
    """`dataclass(frozen=True, slots=True, kw_only=True)`. Raises `TypeError` for a class that does more than hold its parameters."""
    made: Any = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    held = fields(made)
    if hasattr(made, "__post_init__") or not all(one.init for one in held):
        raise TypeError(f"{cls.__name__} does more than hold what it is given")
    if held:
        made.__init__ = update_wrapper(_init(made, held), made.__init__)
    return made  # type: ignore[no-any-return]


def _init(made: Any, held: Sequence[Field[Any]]) -> Callable[..., None]:  # noqa: ANN401 - any class
    """Written as text, as dataclasses writes its own: nothing in it but the names of fields."""
    scope: dict[str, Any] = {"_absent": MISSING}
    parameters = ", ".join(_parameter(one, scope) for one in held)
    scope |= {f"_set_{one.name}": getattr(made, one.name).__set__ for one in held}
    lines = [f"_set_{one.name}(self, {_value(one, scope)})" for one in held]
    exec(f"def __init__(self, *, {parameters}):\n    " + "\n    ".join(lines), scope)  # noqa: S102
    init: Callable[..., None] = scope["__init__"]
    return init


def _parameter(one: Field[Any], scope: dict[str, Any]) -> str:
    if one.default is not MISSING:
        scope[f"_default_{one.name}"] = one.default
        return f"{one.name}=_default_{one.name}"
    return one.name if one.default_factory is MISSING else f"{one.name}=_absent"


def _value(one: Field[Any], scope: dict[str, Any]) -> str:
    if one.default_factory is MISSING:
        return one.name
    scope[f"_make_{one.name}"] = one.default_factory
    return f"_make_{one.name}() if {one.name} is _absent else {one.name}"
