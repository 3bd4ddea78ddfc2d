"""A noun is the dataclass that it says it is; only how its fields are set is another way."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from gateway import events, model
from gateway.noun import noun


class Thing:
    """What both are made of."""

    name: str
    secret: str = field(default="none", repr=False)
    held: dict[str, str] = field(default_factory=dict)


Thing.__annotations__ = {"name": str, "secret": str, "held": dict}
FEW = dict(vars(Thing))
MANY = FEW | {"__annotations__": FEW["__annotations__"] | dict.fromkeys("abc", int)} | dict.fromkeys("abc", 0)


def plain_and_noun(body: dict[str, Any]) -> tuple[Any, Any]:
    plain, made = (type("Thing", (), dict(body)) for _ in range(2))
    return dataclass(frozen=True, slots=True, kw_only=True)(plain), noun(made)


WAYS = pytest.mark.parametrize(("plain", "noun_"), [plain_and_noun(FEW), plain_and_noun(MANY)], ids=["few", "many"])

NOUNS = [value for module in (model, events) for value in vars(module).values() if isinstance(value, type) and is_dataclass(value)]


@WAYS
@pytest.mark.parametrize("given", [{"name": "a"}, {"name": "a", "secret": "b"}, {"name": "a", "secret": "b", "held": {"c": "d"}}])
def test_it_holds_what_a_dataclass_holds(given: dict[str, Any], plain: Any, noun_: Any) -> None:
    other, made = plain(**given), noun_(**given)
    assert type(made) is noun_
    assert [getattr(made, one.name) for one in fields(made)] == [getattr(other, one.name) for one in fields(other)]
    assert repr(made) == repr(other)
    assert "secret" not in repr(made)
    assert made == noun_(**given) == replace(made)
    assert inspect.signature(noun_) == inspect.signature(plain)


@WAYS
@pytest.mark.parametrize(("given", "named"), [((), {}), (("a",), {}), ((), {"name": "a", "more": 1})])
def test_it_is_made_of_its_fields_by_their_names_alone(given: tuple[str, ...], named: dict[str, Any], plain: Any, noun_: Any) -> None:
    for kind in (plain, noun_):
        with pytest.raises(TypeError):
            kind(*given, **named)


@WAYS
def test_a_default_that_is_made_is_made_each_time(plain: Any, noun_: Any) -> None:  # noqa: ARG001
    assert noun_(name="a").held is not noun_(name="a").held


@WAYS
def test_nothing_in_it_can_be_changed(plain: Any, noun_: Any) -> None:  # noqa: ARG001
    made = noun_(name="a")
    with pytest.raises(FrozenInstanceError):
        made.name = "b"
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        made.other = "b"
    with pytest.raises(FrozenInstanceError):
        del made.name


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_every_noun_of_the_house_is_frozen_and_slotted(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert set(kind.__slots__) >= {one.name for one in fields(kind)}
    assert all(one.kw_only for one in fields(kind))


def test_a_class_that_does_more_than_hold_is_none() -> None:
    def more(self: object) -> None:
        raise AssertionError(self)

    for what in ({"__post_init__": more}, {"name": field(init=False)}):
        with pytest.raises(TypeError, match="does more than hold"):
            noun(type("Busy", (), {"__annotations__": {"name": str}} | what))
