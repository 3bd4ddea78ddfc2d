"""Mapping rules: what of the claims becomes directory, user id and attributes.

Every outcome is decided here: a value, a refusal with its code, or an attribute left out. Nothing is guessed, nothing
has a default. Whether Qlik Sense would take the user is the last gate's business (`protocol.qps.check_user`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, TypeAlias

from gateway.errors import (
    AttributesTooLarge,
    AttributeUnmapped,
    DirectoryNotListed,
    DirectoryUnmapped,
    ExpressionFailed,
    IdentityError,
    MalformedUser,
    UserIdUnmapped,
)
from gateway.mapping.cel import Expression, Inputs, Result, Scalar, Scope, evaluate
from gateway.mapping.claims import Subject, show, text_fault
from gateway.model import Claims, JsonValue, QlikUser

MAX_VALUES: Final = 1_000
"""How many values one attribute may have; a ticket's attributes have room for fewer."""


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


Source: TypeAlias = Constant | ClaimPath | NameId | Cel


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The mapping of one provider. `directory_one_of` lists the directories that a computed one may be (exact match)."""

    user_directory: Source
    directory_one_of: frozenset[str] | None = None
    user_id: Source
    attributes: tuple[tuple[str, Source], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a mapping, for traces. `output` None: nothing came of it, `note` says why."""

    name: str
    source: str
    output: tuple[str, ...] | None = field(repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A user with the steps that led there. Not yet past the access rules and the last gate."""

    user: QlikUser
    steps: tuple[Step, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Missing:
    reason: str


class _UnusableError(Exception):
    """A claim's value is an object, or a list that holds something else than scalars."""


def apply(rules: Rules, subject: Subject, *, idp: str) -> Mapped:
    """Who the subject is in Qlik Sense. Raises `IdentityError`: the class says which rule gave nothing, `detail` why."""
    taken = tuple(steps(rules, subject, idp=idp))
    return Mapped(user=assemble(rules, taken), steps=taken)


def steps(rules: Rules, subject: Subject, *, idp: str) -> Iterator[Step]:
    """The steps of `apply` one by one: directory, user id, then the attributes in their order. Raises like `apply`."""
    login = _Login(subject, idp)
    directory = _single("user_directory", rules.user_directory, login, DirectoryUnmapped)
    _check_listed(directory, rules)
    yield Step(name="user_directory", source=str(rules.user_directory), output=(directory,))
    user_id = _single("user_id", rules.user_id, login, UserIdUnmapped)
    yield Step(name="user_id", source=str(rules.user_id), output=(user_id,))
    for name, source in rules.attributes:
        yield _attribute(name, source, login)


def assemble(rules: Rules, taken: Sequence[Step]) -> QlikUser:
    """The user that all the steps of a mapping give."""
    (directory,), (user_id,), *values = (step.output or () for step in taken)
    pairs = tuple((name, value) for (name, _), found in zip(rules.attributes, values, strict=True) for value in found)
    return QlikUser(directory=directory, user_id=user_id, attributes=pairs)


class _Login:
    """What the sources of one login read from."""

    __slots__ = ("inputs", "subject")

    def __init__(self, subject: Subject, idp: str) -> None:
        data: dict[str, object] = {"claims": subject.claims, "idp": idp}
        if subject.name_id is not None:  # without one, an expression that reads it fails
            data["name_id"] = subject.name_id
        self.subject = subject
        self.inputs = Inputs(Scope.MAPPING, data, large=subject.large)


def _find(what: str, source: Source, login: _Login) -> Result | _Missing:
    match source:
        case Constant():
            return source.value
        case NameId():
            return _Missing("the provider sent no NameID") if login.subject.name_id is None else login.subject.name_id
        case ClaimPath():
            return _claim(source.path, login.subject)
    return evaluate(source.expression, login.inputs, what=what)


def _claim(path: tuple[str, ...], subject: Subject) -> Result | _Missing:
    here: JsonValue | Claims = subject.claims
    for depth, name in enumerate(path, start=1):
        if not isinstance(here, dict):
            return _Missing(f"claim {show(path[: depth - 1])} is no object")
        if name not in here:
            overage = " (the provider sent a pointer instead of groups)" if name == "groups" and subject.groups_overage else ""
            return _Missing(f"there is no claim {show(path[:depth])}{overage}")
        here = here[name]
    if isinstance(here, list):
        return tuple(_scalar(item, path) for item in here)
    return _Missing(f"claim {show(path)} is null") if here is None else _scalar(here, path)


def _scalar(value: object, path: tuple[str, ...]) -> Scalar:
    if isinstance(value, str | int | float):
        return value
    raise _UnusableError(f"claim {show(path)} holds an object, a list or a null where a value should stand")


def _single(what: str, source: Source, login: _Login, refusal: type[IdentityError]) -> str:
    """One string. A claim may be a list of one (SAML attributes always are lists); an expression must give a string itself."""
    try:
        found = _find(what, source, login)
    except _UnusableError as error:
        raise refusal(f"{what}: {error}") from None
    if isinstance(source, Cel) and not isinstance(found, str):
        raise ExpressionFailed(f"{what}: the expression gave {_kind(found)}, not one string")
    if isinstance(found, tuple):
        found = found[0] if len(found) == 1 else _Missing(f"{source} has {len(found)} values, not one")
    if isinstance(found, _Missing):
        raise refusal(f"{what}: {found.reason}")
    if not isinstance(found, str):
        raise refusal(f"{what}: {source} is {_kind(found)}, not a string")
    if (fault := text_fault(found)) is not None:
        raise MalformedUser(f"{what}: {source} holds {fault}")
    return found


def _check_listed(directory: str, rules: Rules) -> None:
    """A directory that is not a constant must be one of those listed: claims alone never choose it freely."""
    listed = rules.directory_one_of
    if listed is None:
        listed = frozenset([rules.user_directory.value] if isinstance(rules.user_directory, Constant) else [])
    if directory not in listed:
        raise DirectoryNotListed(f"user_directory: {directory[:100]!r} is not in one_of")


def _attribute(name: str, source: Source, login: _Login) -> Step:
    what = f"attributes.{name}"
    try:
        found = _find(what, source, login)
    except _UnusableError as error:
        raise AttributeUnmapped(f"{what}: {error}") from None
    if isinstance(found, _Missing):
        return Step(name=what, source=str(source), output=None, note=f"left out: {found.reason}")
    values = found if isinstance(found, tuple) else (found,)
    if len(values) > MAX_VALUES:
        raise AttributesTooLarge(f"{what}: {len(values)} values, more than {MAX_VALUES}")
    return Step(name=what, source=str(source), output=tuple(_text(value, what) for value in values))


def _text(value: Scalar, what: str) -> str:
    """A scalar as it stands in a ticket: text as it is, numbers and booleans as JSON writes them."""
    if isinstance(value, str):
        if (fault := text_fault(value)) is not None:
            raise AttributeUnmapped(f"{what}: a value holds {fault}")
        return value
    if isinstance(value, float) and not isfinite(value):
        raise AttributeUnmapped(f"{what}: a number that is not finite")
    return json.dumps(value)


def _kind(found: Result | _Missing) -> str:
    return {bool: "a boolean", int: "a number", float: "a number", tuple: "a list"}.get(type(found), "nothing")
