"""The syntax tree of a compiled expression, read from the form that the runtime serializes it to.

That form is a protobuf message, `cel.expr.CheckedExpr` in an `Any` (github.com/google/cel-spec, proto/cel/expr/{checked,syntax}.proto). Of
both, what the cost of an evaluation depends on is read, and the numbers below are the fields' own; macros stand in it expanded, as folds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_PARTS: Final = 5_000
"""How many nodes a tree may have: what a source of 8 KiB can hold, unless `optMap` doubles it again and again."""
_CHECKED: Final = b"type.googleapis.com/cel.expr.CheckedExpr"
_SECOND_VARIABLE: Final = 8
_BINARY: Final = 7
"""The kind of a constant that is bytes."""
_VARINT, _BYTES = 0, 2
"""How the wire writes a field: a number, or so many bytes as come first."""
_LENGTHS: Final = {1: 8, 5: 4}
"""Or always so many."""
_MORE: Final = 0x80
"""The bit of a number's byte that says that more follows."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `text` is None where it is neither text nor bytes (`binary`)."""

    text: bytes | None
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Ident:
    """A variable, of the expression's scope or of a macro; or the name of a type."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.member`, or with `test`, `has(operand.member)`."""

    operand: Tree
    member: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator; the target of a method is its first argument. `overloads`: those that its types leave open."""

    function: str
    arguments: tuple[Tree, ...]
    overloads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """`[…]`."""

    elements: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """`{…}`: keys and values in turn; or a message of that name."""

    message: str
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """A macro: `step` makes a new accumulator for each element of `over`, `result` reads the last one."""

    variable: str
    over: Tree
    accumulator: str
    start: Tree
    condition: Tree
    step: Tree
    result: Tree


Tree: TypeAlias = Literal | Ident | Select | Call | Listing | Struct | Fold


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree with every part of it."""
    ahead: list[Tree] = [tree]
    while ahead:
        here = ahead.pop()
        yield here
        match here:
            case Select():
                ahead.append(here.operand)
            case Call(_, parts) | Listing(parts) | Struct(_, parts):
                ahead += parts
            case Fold():
                ahead += (here.over, here.start, here.condition, here.step, here.result)


class UnreadableError(ValueError):
    """The serialized form is not what it is known to be, or larger than it may be."""


def read_tree(serialized: bytes) -> Tree:
    """Raises `UnreadableError`."""
    try:
        envelope = _Message(serialized)
        if envelope.bytes(1) != _CHECKED:
            raise UnreadableError("no checked expression")
        return _Reader(_Message(envelope.bytes(2))).tree()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from None


class _Message:
    """The fields of one message by their numbers, those that repeat in their order. What is not there is empty, or zero."""

    __slots__ = ("_fields",)

    def __init__(self, wire: bytes) -> None:
        self._fields: defaultdict[int, list[bytes | int]] = defaultdict(list)
        here, end = 0, len(wire)
        while here < end:
            tag, here = (wire[here], here + 1) if wire[here] < _MORE else _varint(wire, here)
            kind = tag & 7
            if kind in _LENGTHS:
                value: bytes | int = wire[here : here + _LENGTHS[kind]]
                here += _LENGTHS[kind]
            else:
                number, here = (wire[here], here + 1) if wire[here] < _MORE else _varint(wire, here)
                value = number
                if kind == _BYTES:
                    value, here = wire[here : here + number], here + number
                elif kind != _VARINT:
                    raise UnreadableError("a field of no known kind")
            self._fields[tag >> 3].append(value)
        if here > end:
            raise UnreadableError("it ends too early")

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def every(self, number: int) -> list[bytes]:
        return [value for value in self._fields.get(number, ()) if isinstance(value, bytes)]

    def bytes(self, number: int) -> bytes:
        return (self.every(number) or [b""])[-1]

    def text(self, number: int) -> str:
        return self.bytes(number).decode()

    def number(self, number: int) -> int:
        return next((value for value in reversed(self._fields.get(number, ())) if isinstance(value, int)), 0)


def _varint(wire: bytes, here: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = wire[here]
        value |= (byte & 0x7F) << shift
        here, shift = here + 1, shift + 7
        if byte < _MORE:
            return value, here


def _overloads(reference: _Message) -> frozenset[str]:
    return frozenset(overload.decode() for overload in reference.every(3))


def _const(_reader: _Reader, const: _Message, _id: int) -> Literal:
    """Text is the sixth of its kinds, bytes are the seventh."""
    return next((Literal(text, binary=number == _BINARY) for number in (6, _BINARY) for text in const.every(number)), Literal(None))


def _ident(_reader: _Reader, ident: _Message, _id: int) -> Ident:
    return Ident(ident.text(1))


class _Reader:
    """A CheckedExpr: the references of its calls are its second field, the expression its fourth."""

    __slots__ = ("_checked", "_overloads", "_parts")

    def __init__(self, checked: _Message) -> None:
        self._checked = checked
        self._parts = 0
        references = [_Message(entry) for entry in checked.every(2)]
        self._overloads = {entry.number(1): _overloads(_Message(entry.bytes(2))) for entry in references}

    def tree(self) -> Tree:
        return self._expr(self._checked.bytes(4))

    def _expr(self, wire: bytes) -> Tree:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise UnreadableError(f"more than {MAX_PARTS} parts")
        expr = _Message(wire)
        kind = next((kind for kind in _KINDS if kind in expr), 0)
        return _KINDS[kind](self, _Message(expr.bytes(kind)), expr.number(2))

    def _select(self, select: _Message, _id: int) -> Select:
        return Select(self._expr(select.bytes(1)), select.text(2), select.number(3) != 0)

    def _call(self, call: _Message, expr_id: int) -> Call:
        arguments = [*call.every(1), *call.every(3)]
        return Call(call.text(2), tuple(map(self._expr, arguments)), self._overloads.get(expr_id, frozenset()))

    def _list(self, listing: _Message, _id: int) -> Listing:
        return Listing(tuple(map(self._expr, listing.every(1))))

    def _struct(self, struct: _Message, _id: int) -> Struct:
        entries = [_Message(entry) for entry in struct.every(2)]
        parts = [part for entry in entries for part in (*entry.every(3), *entry.every(4))]
        return Struct(struct.text(1), tuple(map(self._expr, parts)))

    def _fold(self, fold: _Message, _id: int) -> Fold:
        over, start, condition, step, result = (self._expr(fold.bytes(number)) for number in (2, 4, 5, 6, 7))
        if fold.bytes(_SECOND_VARIABLE):
            raise UnreadableError("a macro of two variables")
        return Fold(fold.text(1), over, fold.text(3), start, condition, step, result)


_KINDS: Final[Mapping[int, Callable[[_Reader, _Message, int], Tree]]] = {
    3: _const,
    4: _ident,
    5: _Reader._select,  # noqa: SLF001 (of this module)
    6: _Reader._call,  # noqa: SLF001
    7: _Reader._list,  # noqa: SLF001
    8: _Reader._struct,  # noqa: SLF001
    9: _Reader._fold,  # noqa: SLF001
}
