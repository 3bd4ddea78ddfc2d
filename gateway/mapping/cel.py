"""The wall around the expression runtime (Common Expression Language, Google's C++ implementation).

The only module that imports it. What goes in has passed the gate (`claims`); what comes out is a Python value whose
type was looked at before its value, or `ExpressionFailed`. That order matters, because this runtime hands errors out
as values, and the value of an error is a text, which Python takes for true.

Never asked for, because the runtime goes wrong there: the value of a null (each one takes a reference from Python's
`None`, and on CPython 3.11 the process ends when they run out), and lists or maps as plain Python values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Final, Protocol, cast

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from gateway.errors import ExpressionFailed
from gateway.mapping.allowance import FEW_ROUNDS, ROUNDS, Demand, Parts, demand_of
from gateway.mapping.diagnosis import ExpressionProblem, diagnose
from gateway.mapping.results import SCALARS, Result, Type, Value, read, show_error
from gateway.mapping.shortcuts import Shortcut, UnusualError, shortcut
from gateway.mapping.syntax import Tree, UnreadableError, read_tree
from gateway.model import Claims

MAX_SOURCE: Final = 8_192
"""How long an expression may be, in characters."""
MAX_OPT_MAPS: Final = 8
"""How many `optMap` and `optFlatMap` an expression may hold: the runtime doubles what stands before each one."""
_SPENT: Final = ROUNDS - FEW_ROUNDS
"""How many steps of its macros are spent beforehand, where an expression that makes lists could take too much with all of them."""

_OPT_MAP: Final = re.compile(r"\bopt(?:Flat)?Map\b")
_UNFIT_SOURCE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LISTS_OF_TEXTS: Final = ("LIST<STRING>", "LIST<DYN>")
_LIST: Final = re.compile(r"LIST<(.*)>")
_BALLAST: Final = "__spent"
_BETWEEN: Final = "\x1f"


class _Program(Protocol):
    def eval(self, activation: object) -> Value: ...
    def return_type(self) -> Type: ...
    def serialize(self) -> bytes: ...


class _Environment(Protocol):
    def compile(self, expression: str) -> _Program: ...
    def Activation(self, data: Mapping[str, object]) -> object: ...  # noqa: N802 the library's name


class Scope(StrEnum):
    """What an expression is for, and so which variables it may name."""

    MAPPING = "mapping"
    ACCESS = "access"


def variables(scope: Scope) -> tuple[str, ...]:
    """The names that an expression of this scope may use."""
    return tuple(_types(scope))


def _types(scope: Scope) -> dict[str, object]:
    text = cel.Type.STRING
    types: dict[str, object] = {"claims": cel.Type.Map(text, cel.Type.DYN), "name_id": text, "idp": text}
    if scope is Scope.ACCESS:
        types |= {"user.directory": text, "user.id": text, "groups_overage": cel.Type.BOOL}
        types["user.attributes"] = cel.Type.Map(text, cel.Type.List(text))
    return types


@cache
def _environment(scope: Scope, *, bounded: bool) -> _Environment:
    types = _types(scope)
    if bounded:
        types[_BALLAST] = cel.Type.List(cel.Type.BOOL)
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
    return cast("_Environment", cel.NewEnv(variables=types, extensions=extensions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled expression; made by `compile_expression` alone. Equal where source and scope are.

    `bounded` stands in for `program` where claims are long: the same expression with most of its steps spent. None for an
    expression that makes no lists. `joined` gives the texts of its list in one; None for one that gives no list. `shortcut` gives the
    result for ordinary claims without the runtime; None for one of an unusual form.
    """

    source: str
    scope: Scope
    demand: Demand = field(repr=False, compare=False)
    program: _Program = field(repr=False, compare=False)
    bounded: _Program | None = field(repr=False, compare=False)
    joined: Expression | None = field(default=None, repr=False, compare=False)
    shortcut: Shortcut | None = field(default=None, repr=False, compare=False)


def compile_expression(source: str, scope: Scope, *, single: bool = False) -> Expression:
    """Parse and type-check an expression. Raises `ExpressionProblem`.

    `single`: the result is to be one string (a user directory or user id). Without it, a mapping may give a scalar or a
    list of scalars, an access rule a boolean. What can be known before a login is refused here: syntax, misspelt
    names, results of a type that can never be used, a cost that is too high or unknown.
    """
    _check_source(source)
    program = _compile(source, scope, bounded=False)
    result = program.return_type().name()
    _check_result(result, scope, single=single)
    tree = _tree(program)
    demand = demand_of(tree, frozenset(_types(scope)))
    bounded = None
    if demand.lists:
        bounded = _compile(f"{_BALLAST}.all(s, s) ? ({source}\n) : dyn(null)", scope, bounded=True)
    joined = _join(source, scope) if result in _LISTS_OF_TEXTS else None
    return Expression(source=source, scope=scope, demand=demand, program=program, bounded=bounded, joined=joined, shortcut=shortcut(tree))


def _join(source: str, scope: Scope) -> Expression | None:
    """None where that would cost too much."""
    whole = f"[{source}\n].map(l, l.join('\\x1f') + '\\x1f' + string(size(l)))[0]"
    program = _compile(whole, scope, bounded=False)
    try:
        demand = demand_of(_tree(program), frozenset(_types(scope)))
    except ExpressionProblem:
        return None
    return Expression(source=whole, scope=scope, demand=demand, program=program, bounded=None)


def _tree(program: _Program) -> Tree:
    try:
        return read_tree(program.serialize())
    except UnreadableError as error:
        raise ExpressionProblem(f"what this expression costs cannot be told: {error}") from None


def _compile(source: str, scope: Scope, *, bounded: bool) -> _Program:
    try:
        return _environment(scope, bounded=bounded).compile(source)
    except Exception as error:  # noqa: BLE001 the runtime names no exceptions of its own: RuntimeError, TypeError, MemoryError were seen
        raise diagnose(str(error), source, variables(scope), {name for other in Scope for name in variables(other)}) from None


def _check_source(source: str) -> None:
    if not source.strip():
        raise ExpressionProblem("the expression is empty")
    if len(source) > MAX_SOURCE:
        raise ExpressionProblem(f"the expression is longer than {MAX_SOURCE} characters")
    if (unfit := _UNFIT_SOURCE.search(source)) is not None:
        line = source.count("\n", 0, unfit.start()) + 1
        column = unfit.start() - source.rfind("\n", 0, unfit.start())
        raise ExpressionProblem(f"the character U+{ord(unfit.group()):04X} cannot stand in an expression", line=line, column=column)
    if len(_OPT_MAP.findall(source)) > MAX_OPT_MAPS:
        raise ExpressionProblem(f"more than {MAX_OPT_MAPS} optMap and optFlatMap in one expression")


def _check_result(static: str, scope: Scope, *, single: bool) -> None:
    """The type that the checker derived is one that can be used; DYN, known only at a login, is."""
    if scope is Scope.ACCESS:
        if static not in ("BOOL", "DYN"):
            raise ExpressionProblem(f"an access rule must be true or false, this is {_show_type(static)}")
        return
    if single:
        if static not in ("STRING", "DYN"):
            raise ExpressionProblem(f"this must be one string, it is {_show_type(static)}", hint="string(…) turns a number into a string")
        return
    inner = _LIST.fullmatch(static)
    if (inner.group(1) if inner else static) not in (*SCALARS, "DYN"):
        raise ExpressionProblem(f"this must be a string, a number, a boolean or a list of those, it is {_show_type(static)}")


def _show_type(name: str) -> str:
    if "optional_type" in name:
        return "optional: end it with .orValue(…)"
    return name.lower()


class Inputs:
    """What the expressions of one login may read: converted for the runtime once, and shared by them.

    `large` says that the data is larger than usual (`claims.SMALL_*`). Expressions that can take much of the machine then run in a
    room of their own, whose memory goes with their result: the runtime frees nothing before.
    """

    __slots__ = ("_data", "_large", "_parts", "_scope", "_shared")

    def __init__(self, scope: Scope, data: Mapping[str, object], *, large: bool) -> None:
        self._scope = scope
        self._data = data
        self._large = large
        self._shared: object = None
        self._parts: Parts | None = None

    def at_once(self, expression: Expression) -> Result | None:
        """The result, where expression and claims are so ordinary that the runtime need not be asked."""
        if expression.shortcut is None or self._large or expression.scope is not self._scope:
            return None
        try:
            found = expression.shortcut(cast("Claims", self._data["claims"]))
        except UnusualError:
            return None
        return tuple(found) if isinstance(found, list) else found

    def run(self, expression: Expression) -> Value:
        """Raises `ExpressionFailed` where this data could make the evaluation too expensive."""
        if expression.scope is not self._scope:
            raise ExpressionFailed(f"an expression for {expression.scope} cannot be used for {self._scope}")
        if not self._is_cheap(expression):
            self._parts = self._parts or Parts(self._data)
            rounds, little = expression.demand.rounds(self._parts)
            if expression.bounded is not None and rounds == FEW_ROUNDS:
                data = {**self._data, _BALLAST: [True] * _SPENT}
                return expression.bounded.eval(_environment(self._scope, bounded=True).Activation(data))
            if not little:
                return expression.program.eval(_environment(self._scope, bounded=False).Activation(self._data))
        return expression.program.eval(self._activation())

    def texts(self, expression: Expression) -> tuple[str, ...]:
        """The result where it is a list of texts, as groups are: to hand out each takes the runtime as long as to work it out.

        Empty where there are none, or where anything is not as it should be and has to be looked at one by one. How many there
        are comes along: that agrees only if none of them holds the separator, and nothing was cut off.
        """
        joined = expression.joined
        if joined is None or joined.scope is not self._scope or not self._is_cheap(joined):
            return ()
        try:
            value = joined.program.eval(self._activation())
            text = value.value() if value.type().name() == "STRING" else None
        except Exception:  # noqa: BLE001 as in `_compile`; whatever it is, the expression itself will tell
            return ()
        *texts, count = text.split(_BETWEEN) if isinstance(text, str) else ("",)
        return tuple(texts) if count == str(len(texts)) else ()

    def _is_cheap(self, expression: Expression) -> bool:
        return expression.demand.always or (expression.demand.usually and not self._large)

    def _activation(self) -> object:
        if self._shared is None:
            self._shared = _environment(self._scope, bounded=False).Activation(self._data)
        return self._shared


def evaluate(expression: Expression, inputs: Inputs, *, what: str) -> Result:
    """The result: a scalar, or a list of scalars as a tuple. Raises `ExpressionFailed` on everything else.

    `what` names the rule in the error's detail.
    """
    found = inputs.at_once(expression)
    return work_out(expression, inputs, what=what) if found is None else found


def work_out(expression: Expression, inputs: Inputs, *, what: str) -> Result:
    """`evaluate` by the runtime, always."""
    try:
        return inputs.texts(expression) or read(inputs.run(expression))
    except ExpressionFailed as failure:
        raise ExpressionFailed(f"{what}: {failure.detail}") from None
    except Exception as error:  # noqa: BLE001 as in `_compile`; whatever it is, the expression gave nothing
        raise ExpressionFailed(f"{what}: {show_error(str(error))}") from None
