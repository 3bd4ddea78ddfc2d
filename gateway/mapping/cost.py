"""What an expression can cost at most, told from its syntax tree and the sizes of what it reads, before it is evaluated.

Evaluation cannot be interrupted, and what a function makes of long texts is not bounded by the runtime. So an upper bound
is worked out for every part: how large its value can become (`sizes`), how often it is evaluated, and with what its function
costs (`prices`), how much time and memory that takes. What is not known here is not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.mapping.prices import ELEMENT, Meter, Unpriced
from gateway.mapping.sizes import Amount, Extent, Size, together
from gateway.mapping.syntax import Call, Fold, Ident, Listing, Literal, Select, Struct, Tree

Path: TypeAlias = tuple[str, ...]
"""A variable, and the members that lead to a part of it."""
Sizes: TypeAlias = Callable[[Path], Extent | None]
"""How large a part of the data is; None for what is no variable."""

_STEP: Final = 200.0
"""Nanoseconds for evaluating any part, whatever it is."""
_ENTRY: Final = 200.0
"""Bytes and nanoseconds for an entry of an object in the making."""
_READ_ITEM: Final = 2_000.0
_READ_BYTE: Final = 10.0
"""Nanoseconds for taking an item of a result over, and a byte of its text."""
_READ_COPIES: Final = 5.0
"""How often a result's text is held then: in Python, one character may make all of them take four bytes."""
_KEEP: Final = 100.0
"""Nanoseconds for each element that is copied when a list of a macro grows by one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`work` in nanoseconds, `memory` in bytes."""

    work: float
    memory: float

    def within(self, most: Cost) -> bool:
        return self.work <= most.work and self.memory <= most.memory


def cost_of(tree: Tree, sizes: Sizes, *, rounds: int) -> Cost:
    """The most that one evaluation on data of these sizes takes. `rounds`: so many steps of macros end it. Raises `Unpriced`."""
    estimate = _Estimate(sizes, rounds)
    result = estimate.size(tree)
    return estimate.total(result)


def size_of(tree: Tree, sizes: Sizes, *, rounds: int) -> Size:
    """Bounds for the result of an evaluation. Raises `Unpriced`."""
    return _Estimate(sizes, rounds).size(tree)


def makes_lists(tree: Tree) -> bool:
    """Whether a macro in it makes a list, element by element: `map` or `filter`."""
    match tree:
        case Fold():
            parts = (tree.over, tree.start, tree.condition, tree.step, tree.result)
            return isinstance(tree.start, Listing) or any(map(makes_lists, parts))
        case Call():
            return any(map(makes_lists, tree.arguments))
        case Select():
            return makes_lists(tree.operand)
        case Listing(parts) | Struct(_, parts):
            return any(map(makes_lists, parts))
    return False


class _Estimate(Meter):
    """One walk through a tree."""

    def __init__(self, sizes: Sizes, rounds: int) -> None:
        super().__init__()
        self._sizes = sizes
        self._rounds = rounds
        self._scope: Mapping[str, Size] = {}
        self._copied = 0.0

    def total(self, result: Size) -> Cost:
        """Everything so far, and taking the result over. All macros together make no more rounds than one could."""
        copied = min(self._copied, self._rounds**2 / 2)
        work = self.work + copied * _KEEP + result.count.all * _READ_ITEM + result.chars.all * _READ_BYTE
        return Cost(work, self.memory + copied * ELEMENT + result.count.all * _ENTRY + result.chars.all * _READ_COPIES)

    def size(self, tree: Tree) -> Size:  # noqa: PLR0911 one for each kind of tree
        """Bounds for a part's value; what evaluating it takes is put on the bill."""
        self.work += _STEP * self.times
        known = self._known(tree)
        if known is not None:
            return known
        match tree:
            case Literal():
                return self.literal(tree)
            case Ident():
                return self._scope.get(tree.name) or self.scalar()
            case Select():
                return self._select(tree)
            case Call():
                return self.call(tree, [self.size(argument) for argument in tree.arguments])
            case Listing():
                self.memory += len(tree.elements) * ELEMENT * self.times
                return self._composed(tree.elements)
            case Struct():
                return self._struct(tree)
            case Fold():
                return self._fold(tree)

    def _known(self, tree: Tree) -> Size | None:
        """The size of a part of the data that is named by its path."""
        path = _path(tree)
        if not path or path[0] in self._scope:
            return None
        found = self._sizes((path[0].removeprefix("."), *path[1:]))
        return None if found is None else found.at(self.times)

    def _select(self, select: Select) -> Size:
        held = self.size(select.operand)
        return self.scalar() if select.test else held

    def _composed(self, parts: tuple[Tree, ...]) -> Size:
        return together([self.size(part) for part in parts], self.amount(max(len(parts), 1)), self.amount(1))

    def _struct(self, struct: Struct) -> Size:
        if struct.message:
            raise Unpriced(f"a message ({struct.message}) cannot be made here")
        self.work += len(struct.parts) * _ENTRY * self.times
        self.memory += len(struct.parts) * _ENTRY * self.times
        return self._composed(struct.parts)

    def _fold(self, fold: Fold) -> Size:
        over, accumulator = self.size(fold.over), self.size(fold.start)
        if fold.over != Listing(()):  # with nothing to go through it is `optMap`, which binds a name
            accumulator = self._rounds_of(fold, over)
        with self._inside({**self._scope, fold.accumulator: accumulator}, self.times):
            return self.size(fold.result)

    def _rounds_of(self, fold: Fold, over: Size) -> Size:
        """The accumulator after all rounds: a list that grew, or the boolean or number that it was."""
        rounds = Amount(min(over.count.each, self._rounds), min(over.count.all, self._rounds))
        scope = {name: size.inside(rounds) for name, size in self._scope.items()} | {fold.variable: over.element(rounds)}
        times, kept = self.times, _kept(fold)
        if kept is None and fold.start != Literal(None):
            raise Unpriced("a macro that is not known")
        with self._inside(scope, rounds.all):
            self._scope = scope | {fold.accumulator: self.scalar()}
            sizes = [self.size(part) for part in (kept or (fold.condition, fold.step))]
        if kept is None:
            return self.scalar()
        self._copied += rounds.each * rounds.all / 2
        self.work += rounds.all * ELEMENT
        return _grown(sizes[-1], rounds, times)

    @contextmanager
    def _inside(self, scope: Mapping[str, Size], times: float) -> Iterator[None]:
        before = self._scope, self.times
        self._scope, self.times = scope, times
        yield
        self._scope, self.times = before


def _grown(element: Size, rounds: Amount, times: float) -> Size:
    """A list with such an element of every round."""
    itself = Amount(1, times)
    count = Amount(max(rounds.each, element.count.each, 1), rounds.all + element.count.all + times)
    return Size(element.text, count, element.nodes.summed(rounds) + itself, element.chars.summed(rounds)).capped(times)


def _kept(fold: Fold) -> tuple[Tree, ...] | None:
    """What `map` and `filter` look at in each round: a condition, if there is one, and the element that is added. None for other macros."""
    before: tuple[Tree, ...] = ()
    step, same = fold.step, Ident(fold.accumulator)
    match step:
        case Call("_?_:_", (condition, grown, unchanged)) if unchanged == same:
            before, step = (condition,), grown
    match step:
        case Call("_+_", (grows, Listing((element,)))) if grows == same and fold.start == Listing(()):
            return (*before, element)
    return None


def _path(tree: Tree) -> Path:
    """The variable and the members that lead to a part of the data; empty for everything else."""
    match tree:
        case Ident(name):
            return (name,)
        case Select(operand, member, False):
            path = _path(operand)
            return (*path, member) if path else ()
        case Call("_?._" | "_[_]" | "_[?_]", (operand, Literal(bytes(name)))):
            path = _path(operand)
            return (*path, name.decode(errors="replace")) if path else ()
    return ()
