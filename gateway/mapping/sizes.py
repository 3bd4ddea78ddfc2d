"""How large the values of an expression can become: the numbers that the estimate of its cost (`cost`) reckons with.

A place in an expression may be evaluated many times, in macros. Two numbers are carried for it, therefore: the most in one
evaluation, and the most in all of them together. The second is what makes `list.map(x, x.lowerAscii())` cost as much as the
list is long, and not its length times its longest text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

_MOST: Final = 1e30
"""Beyond anything that a computer holds; keeps products from becoming infinite."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An upper bound: `each`, for one evaluation of a place; `all`, for the sum of all its evaluations."""

    each: float
    all: float

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.each + other.each, self.all + other.all)

    def __mul__(self, other: Amount | float) -> Amount:
        """A sum of products is at most the largest of one kind times the sum of the other."""
        if isinstance(other, Amount):
            total = min(self.each * other.all, self.all * other.each)
            return Amount(min(self.each * other.each, _MOST), min(total, _MOST))
        return Amount(self.each * other, self.all * other)

    def inside(self, rounds: Amount) -> Amount:
        """The amount of a value that was there before a macro, in the macro's body."""
        return Amount(self.each, min(self.each * rounds.all, self.all * rounds.each, _MOST))

    def summed(self, rounds: Amount) -> Amount:
        """What all the rounds of a macro have together."""
        return Amount(min(self.each * rounds.each, self.all, _MOST), self.all)


NOTHING: Final = Amount(0, 0)


def larger(one: Amount, other: Amount) -> Amount:
    """At most the larger of both; in the sum over all evaluations each may be it in turn."""
    return Amount(max(one.each, other.each), one.all + other.all)


def smaller(one: Amount, other: Amount) -> Amount:
    """At most the smaller of both."""
    return Amount(min(one.each, other.each), min(one.all, other.all))


@dataclass(frozen=True, slots=True)
class Size:
    """Bounds for a value, whatever its type and however deep it nests. What is shared counts each time.

    `text`: its longest text or name, in bytes. `count`: its longest list or object; zero says that there is none, an empty
    one counts as one. `nodes`: all values in it, itself included. `chars`: all its texts together, in bytes.
    """

    text: Amount
    count: Amount
    nodes: Amount
    chars: Amount

    def inside(self, rounds: Amount) -> Size:
        return Size(self.text.inside(rounds), self.count.inside(rounds), self.nodes.inside(rounds), self.chars.inside(rounds))

    def element(self, rounds: Amount) -> Size:
        """One of its elements in the rounds of a macro. All of them together have no more than it has."""
        text, count = Amount(self.text.each, self.chars.all), Amount(self.count.each, self.nodes.all)
        return Size(text, count, self.nodes, self.chars).capped(rounds.all)

    def capped(self, times: float) -> Size:
        return Size(*(Amount(part.each, min(part.all, part.each * times)) for part in (self.text, self.count, self.nodes, self.chars)))


def either(one: Size, other: Size) -> Size:
    """One of two values."""
    return Size(*map(larger, _parts(one), _parts(other)))


def together(values: Iterable[Size], count: Amount, nodes: Amount) -> Size:
    """A list or object of these values; `nodes` for itself."""
    text = chars = NOTHING
    for value in values:
        text, count = larger(text, value.text), larger(count, value.count)
        nodes, chars = nodes + value.nodes, chars + value.chars
    return Size(text, count, nodes, chars)


def _parts(size: Size) -> tuple[Amount, ...]:
    return size.text, size.count, size.nodes, size.chars


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a value that is there before an expression is evaluated: as `Size`, for one evaluation."""

    text: float
    count: float
    nodes: float
    chars: float

    def at(self, times: float) -> Size:
        """As a place reads it that is evaluated so many times."""
        return Size(*(Amount(part, part * times) for part in (self.text, self.count, self.nodes, self.chars)))


def extent(value: object) -> Extent:
    """Of a JSON value. The names of members are values, too."""
    if isinstance(value, str):
        length = len(value) if value.isascii() else len(value.encode())
        return Extent(length, 0, 1, length)
    if isinstance(value, Mapping):
        inner = [extent(part) for member in value.items() for part in member]
        return _around(inner, len(value))
    if isinstance(value, list):
        return _texts(value) or _around([extent(part) for part in value], len(value))
    return Extent(0, 0, 1, 0)


def _texts(values: list[object]) -> Extent | None:
    """Of a list of plain texts, told at once, as groups come; None for all others."""
    try:
        joined = "".join(cast("list[str]", values))
    except TypeError:
        return None
    if not values or not joined.isascii():
        return None
    return Extent(max(map(len, cast("list[str]", values))), len(values), len(values) + 1, len(joined))


def _around(inner: list[Extent], length: int) -> Extent:
    text = max([part.text for part in inner], default=0)
    count = max([part.count for part in inner], default=0)
    return Extent(text, max(count, length, 1), sum(part.nodes for part in inner) + 1, sum(part.chars for part in inner))
