"""Expressions of the forms that nearly everybody writes, worked out without the runtime.

To take claims over costs the runtime as much as to look through all groups in Python, and for each group that it keeps or hands out
as much again. A shortcut knows a few forms of the syntax tree, and of the claims nothing but texts and lists of texts. Whatever else
it meets it leaves to the runtime, which alone decides what is an error. The self-test (`proof`) and a property test hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, cast

from gateway.mapping.syntax import Call, Fold, Ident, Listing, Literal, Select, Tree
from gateway.model import Claims

Text: TypeAlias = Callable[[Claims], str]
Texts: TypeAlias = Callable[[Claims], list[str]]
Condition: TypeAlias = Callable[[Claims], bool]
Shortcut: TypeAlias = Texts | Condition
"""From claims that passed the gate to the result. Raises `UnusualError`."""

_CLAIMS: Final = Ident("claims")
_FILTERS: Final[dict[str, Callable[[list[str], str], list[str]]]] = {
    "startsWith": lambda texts, wanted: [text for text in texts if text.startswith(wanted)],
    "endsWith": lambda texts, wanted: [text for text in texts if text.endswith(wanted)],
    "contains": lambda texts, wanted: [text for text in texts if wanted in text],
}


class UnusualError(Exception):
    """Claims of another shape: for the runtime."""


def shortcut(tree: Tree) -> Shortcut | None:
    """None for an expression of any other form."""
    return _condition(tree) or _filtered(tree) or _list(tree)


def _condition(tree: Tree) -> Condition | None:
    match tree:
        case Call("@in", (Literal(bytes(wanted), binary=False), over)):
            return _member(wanted.decode(), _list(over))
        case Call("_==_" | "_!=_" as operator, (claim, Literal(bytes(wanted), binary=False))):
            equal = _equal(wanted.decode(), _text(claim))
            return equal if operator == "_==_" else _negated(equal)
        case Call("!_", (inner,)):
            return _negated(_condition(inner))
        case Call("_&&_", (left, right)):
            return _both(_condition(left), _condition(right))
        case Call("_||_", (left, right)):
            return _either(_condition(left), _condition(right))
    return None


def _member(wanted: str, over: Texts | None) -> Condition | None:
    return None if over is None else lambda claims: wanted in over(claims)


def _equal(wanted: str, text: Text | None) -> Condition | None:
    return None if text is None else lambda claims: text(claims) == wanted


def _negated(inner: Condition | None) -> Condition | None:
    return None if inner is None else lambda claims: not inner(claims)


def _both(left: Condition | None, right: Condition | None) -> Condition | None:
    return None if left is None or right is None else lambda claims: left(claims) and right(claims)


def _either(left: Condition | None, right: Condition | None) -> Condition | None:
    return None if left is None or right is None else lambda claims: left(claims) or right(claims)


def _filtered(tree: Tree) -> Texts | None:
    """`<list>.filter(name, name.startsWith('…'))`, and alike: such a macro appends `name` to what it has kept, where the test is true."""
    match tree:
        case Fold(
            name,
            over,
            kept,
            Listing(()),
            Literal(None),
            Call("_?_:_", (test, Call("_+_", (Ident(old), Listing((Ident(new),)))), Ident(same))),
            end,
        ) if new == name and old == same == kept and end == Ident(kept):
            return _kept(name, test, _list(over))
    return None


def _kept(name: str, test: Tree, over: Texts | None) -> Texts | None:
    match test:
        case Call(function, (Ident(tested), Literal(bytes(text), binary=False))) if over and tested == name and function in _FILTERS:
            keep, wanted = _FILTERS[function], text.decode()
            return lambda claims: keep(over(claims), wanted)
    return None


def _list(tree: Tree) -> Texts | None:
    """A claim that is a list; without it, none or an empty one."""
    name, absent = _claim(tree)
    if name is None or absent not in (None, Listing(())):
        return None

    def texts(claims: Claims) -> list[str]:
        found = claims.get(name, None if absent is None else [])
        if type(found) is not list:
            raise UnusualError
        try:
            "".join(cast("list[str]", found))
        except TypeError:
            raise UnusualError from None
        return cast("list[str]", found)

    return texts


def _text(tree: Tree) -> Text | None:
    """A claim that is a text; without it, none or another text."""
    name, absent = _claim(tree)
    if name is None or not (absent is None or (isinstance(absent, Literal) and absent.text is not None and not absent.binary)):
        return None
    otherwise = None if absent is None or absent.text is None else absent.text.decode()

    def text(claims: Claims) -> str:
        found = claims.get(name, otherwise)
        if type(found) is not str:
            raise UnusualError
        return found

    return text


def _claim(tree: Tree) -> tuple[str | None, Tree | None]:
    """The name of the claim that is read, and what stands for it where it is not there."""
    match tree:
        case Select(operand, name, test=False) if operand == _CLAIMS:
            return name, None
        case Call("_[_]", (operand, Literal(bytes(name), binary=False))) if operand == _CLAIMS:
            return name.decode(), None
        case Call("orValue", (Call("_?._" | "_[?_]", (operand, Literal(bytes(name), binary=False))), absent)) if operand == _CLAIMS:
            return name.decode(), absent
    return None, None
