"""What a source gives at one login: texts with the changes on the way, or the reason why there are none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Final, cast

from gateway.errors import AttributesTooLarge, AttributeUnmapped, ExpressionFailed, IdentityError, MalformedUser
from gateway.mapping.actions import Action, Change, TooMuchError, perform
from gateway.mapping.cel import Inputs, Scope, evaluate
from gateway.mapping.claims import Subject, are_plain_texts, show, text_fault
from gateway.mapping.results import Result, Scalar
from gateway.mapping.sources import Cel, ClaimPath, Constant, FirstOf, NameId, Source, Stepped
from gateway.model import Claims, JsonValue

_SCALARS: Final = (str, int, float)


class Login:
    """What the sources of one login read from."""

    __slots__ = ("_idp", "_inputs", "subject")

    def __init__(self, subject: Subject, idp: str) -> None:
        self.subject = subject
        self._idp = idp
        self._inputs: Inputs | None = None

    @property
    def inputs(self) -> Inputs:
        """For expressions; made when the first one asks."""
        if self._inputs is None:
            data: dict[str, object] = {"claims": self.subject.claims, "idp": self._idp}
            if self.subject.name_id is not None:  # without one, an expression that reads it fails
                data["name_id"] = self.subject.name_id
            self._inputs = Inputs(Scope.MAPPING, data, large=self.subject.large)
        return self._inputs


@dataclass(frozen=True, slots=True)
class Place:
    """The rule that asks: its name, the error that says it gave nothing, and whether it wants one text."""

    what: str
    refusal: type[IdentityError]
    single: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a source gave no value."""

    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What a source gave, and how it came about."""

    values: tuple[str, ...] | Missing
    changes: tuple[Change, ...] = ()

    @property
    def found(self) -> tuple[str, ...]:
        """The values; none where a reason stands instead."""
        return () if isinstance(self.values, Missing) else self.values

    @property
    def blank(self) -> bool:
        """Whether there is no value, or none but empty ones."""
        return isinstance(self.values, Missing) or not any(self.values)


def values_of(source: Source, place: Place, login: Login) -> Taken:
    """Raises `IdentityError`."""
    if isinstance(source, Stepped):
        return _stepped(source, place, login)
    if isinstance(source, FirstOf):
        return _first(source, place, login)
    found = _found(source, place, login)
    if isinstance(found, tuple):
        plain = cast("tuple[str, ...]", found) if are_plain_texts(found) else tuple([_text(scalar, source, place) for scalar in found])
        return Taken(plain)
    return Taken(found if isinstance(found, Missing) else (_text(found, source, place),))


def _first(source: FirstOf, place: Place, login: Login) -> Taken:
    passed: list[Change] = []
    for candidate in source.sources:
        taken = values_of(candidate, place, login)
        if not taken.blank:
            return Taken(taken.values, (*passed, *taken.changes))
        reason = taken.values.reason if isinstance(taken.values, Missing) else "no value"
        passed.append(Change(f"first_of, {candidate}", (), (), f"passed over: {reason}"))
    return Taken(Missing("none of first_of gave a value"), tuple(passed))


def _stepped(source: Stepped, place: Place, login: Login) -> Taken:
    taken = values_of(source.source, place, login)
    if not isinstance(taken.values, Missing):
        taken = _changed(source.actions, taken.values, taken.changes, place)
    if source.default and taken.blank:
        reason = taken.values.reason if isinstance(taken.values, Missing) else "no value is left"
        return Taken(source.default, (*taken.changes, Change("default", (), source.default, reason)))
    return taken


def _changed(actions: tuple[Action, ...], values: tuple[str, ...], before: tuple[Change, ...], place: Place) -> Taken:
    changes = list(before)
    for action in actions:
        try:
            changes.append(perform(action, values))
        except TooMuchError as error:
            refusal = place.refusal if place.single else AttributesTooLarge
            raise refusal(f"{place.what}: {action}: {error}") from None
        values = changes[-1].after
        for value in values:
            _check_text(value, action, place)
    return Taken(values, tuple(changes))


def _found(source: Constant | ClaimPath | NameId | Cel, place: Place, login: Login) -> Result | Missing:
    if isinstance(source, ClaimPath):
        return _claim(source.path, login.subject, place)
    if isinstance(source, Constant):
        return source.value
    if isinstance(source, NameId):
        return Missing("the provider sent no NameID") if login.subject.name_id is None else login.subject.name_id
    found = evaluate(source.expression, login.inputs, what=place.what)
    if place.single and not isinstance(found, str):
        raise ExpressionFailed(f"{place.what}: the expression gave {_kind(found)}, not one string")
    return found


def _claim(path: tuple[str, ...], subject: Subject, place: Place) -> Result | Missing:
    if len(path) == 1 and isinstance(text := subject.claims.get(path[0]), str):  # as most claims are
        return text
    here: JsonValue | Claims = subject.claims
    for depth, name in enumerate(path, start=1):
        if not isinstance(here, dict):
            return Missing(f"claim {show(path[: depth - 1])} is no object")
        if name not in here:
            overage = " (the provider sent a pointer instead of it)" if subject.withholds(name) else ""
            return Missing(f"there is no claim {show(path[:depth])}{overage}")
        here = here[name]
    if isinstance(here, list):
        return tuple(_scalar(item, path, place) for item in here)
    return Missing(f"claim {show(path)} is null") if here is None else _scalar(here, path, place)


def _scalar(value: object, path: tuple[str, ...], place: Place) -> Scalar:
    if isinstance(value, _SCALARS):
        return value
    raise place.refusal(f"{place.what}: claim {show(path)} holds an object, a list or a null where a value should stand")


def _text(value: Scalar, source: Source, place: Place) -> str:
    """A scalar as it stands in a ticket: text as it is, numbers and booleans as JSON writes them; where one text is wanted, no other."""
    if isinstance(value, str):
        _check_text(value, source, place)
        return value
    if place.single:
        raise place.refusal(f"{place.what}: {source} is {_kind(value)}, not a string")
    if isinstance(value, float) and not isfinite(value):
        raise AttributeUnmapped(f"{place.what}: a number that is not finite")
    return json.dumps(value)


def _check_text(value: str, source: Source | Action, place: Place) -> None:
    if (fault := text_fault(value)) is not None:
        if place.single:
            raise MalformedUser(f"{place.what}: {source} holds {fault}")
        raise AttributeUnmapped(f"{place.what}: a value holds {fault}")


def _kind(found: Result) -> str:
    return {bool: "a boolean", int: "a number", float: "a number", tuple: "a list"}.get(type(found), "nothing")
