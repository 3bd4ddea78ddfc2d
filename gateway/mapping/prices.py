"""What each function of an expression costs and how large what it gives can be, by the sizes of its arguments.

The rates are nanoseconds for a byte of text or for a value, bytes of memory for what is made; measured on the runtime as the worst of many
texts, and rounded up (tests/mapping/test_cost.py holds them against it). Nothing that an evaluation makes is freed before its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from gateway.mapping.patterns import PatternProblem, program_size, reading_work
from gateway.mapping.sizes import NOTHING, Amount, Size, either, smaller
from gateway.mapping.syntax import Call, Literal, Tree

ELEMENT: Final = 40.0
"""Bytes that an element of a list takes, whatever it is."""
_NEW: Final = 64.0
"""Bytes that any new value takes."""
_NUMBER: Final = 400.0
"""The longest text of a number or a time in bytes: a double without an exponent has some 310 digits."""
_COMPARE_NODE: Final = 100.0
_COMPARE_BYTE: Final = 2.0
_MAKE_ELEMENT: Final = 300.0
_SEEK: Final = 8.0
_SEEK_PRODUCT: Final = 0.03
"""Looking for one text in another: for each byte of both, and for the product of their lengths."""
_ESCAPED: Final = 6.0
"""So many bytes may stand for one where a text is quoted."""
_VERB: Final = 200.0
_VERB_WORK: Final = 1_500.0
"""What one byte of a format can become: seven, `%.1000f`, give 1,310 digits."""
_PATTERN: Final = 10_000.0
_PATTERN_PART: Final = 1_500.0
_PATTERN_BYTE: Final = 20.0
"""A pattern is read and compiled each time: its instructions cost at that, and again for each byte of the text."""


class Unpriced(Exception):
    """An expression does something whose cost cannot be told; the message says what."""


class Meter:
    """What has been spent so far: `work` in nanoseconds, `memory` in bytes. `times`: how often the part in hand is evaluated."""

    def __init__(self) -> None:
        self.work = 0.0
        self.memory = 0.0
        self.times = 1.0

    def amount(self, value: float) -> Amount:
        return Amount(value, value * self.times)

    def scalar(self) -> Size:
        return Size(NOTHING, NOTHING, self.amount(1), NOTHING)

    def literal(self, literal: Literal) -> Size:
        length = self.amount(len(literal.text or b""))
        return Size(length, NOTHING, self.amount(1), length)

    def text(self, length: Amount) -> Size:
        """A new text."""
        self.memory += length.all + _NEW * self.times
        return Size(length, NOTHING, self.amount(1), length)

    def grown(self, length: Amount) -> Size:
        """A new text of a length that was not known: it is there twice while it is moved to where there is more room."""
        self.memory += length.each
        return self.text(length)

    def call(self, call: Call, sizes: Sequence[Size]) -> Size:
        """Raises `Unpriced`."""
        price = PRICES.get(call.function)
        if price is None:
            raise Unpriced(f"what {call.function} costs is not known")
        return price(self, call, sizes)


Price: TypeAlias = Callable[[Meter, Call, Sequence[Size]], Size]


def _free(meter: Meter, _call: Call, _sizes: Sequence[Size]) -> Size:
    """A boolean, a number, a time, a type; at a cost that no size changes."""
    return meter.scalar()


def _reading(rate: float) -> Price:
    """Something of that kind, for which texts are read."""

    def price(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
        meter.work += sum(size.text.all for size in sizes) * rate
        return meter.scalar()

    return price


def _rewriting(rate: float, *, longer: float = 1.0, extra: float = 0.0) -> Price:
    """A text of the first argument's length; or so many times `longer`, and by `extra` bytes."""

    def price(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
        meter.work += sizes[0].text.all * rate + extra * meter.times
        return meter.text(sizes[0].text * longer + meter.amount(extra))

    return price


def _one_of(*places: int) -> Price:
    """One of the arguments in these places, or what stands in an optional there."""

    def price(_meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
        first, *others = (sizes[place] for place in places)
        for other in others:
            first = either(first, other)
        return first

    return price


def _index(meter: Meter, call: Call, sizes: Sequence[Size]) -> Size:
    """A part of a list or object; where there is none, an error that quotes the key."""
    key = sizes[1]
    meter.work += key.text.all * 20
    meter.memory += key.text.all * 4 + _NEW * meter.times
    return _element(meter, call, sizes)


def _element(meter: Meter, call: Call, sizes: Sequence[Size]) -> Size:
    """As large as what holds it, for it may nest; but what is split is split into texts."""
    match call.arguments[0]:
        case Call("split"):
            return Size(sizes[0].text, NOTHING, meter.amount(1), sizes[0].chars)
    return sizes[0]


def _add(meter: Meter, call: Call, sizes: Sequence[Size]) -> Size:
    """Numbers, times, texts or lists; which of them, types may tell."""
    one, other = sizes
    lists = not call.overloads or "add_list" in call.overloads
    texts = not call.overloads.isdisjoint({"add_string", "add_bytes"}) or not call.overloads
    if lists and one.count.each and other.count.each:
        return _add_any(meter, one, other)
    if not texts and not lists:
        return meter.scalar()
    meter.work += (one.text + other.text).all * 2
    return meter.text(one.text + other.text)


def _add_any(meter: Meter, one: Size, other: Size) -> Size:
    text, count, chars = one.text + other.text, one.count + other.count, one.chars + other.chars
    meter.work += text.all * 2 + count.all * _MAKE_ELEMENT
    meter.memory += text.all + count.all * ELEMENT + _NEW * meter.times
    return Size(text, count, one.nodes + other.nodes, chars)


def _equal(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
    one, other = sizes
    meter.work += smaller(one.nodes, other.nodes).all * _COMPARE_NODE + smaller(one.chars, other.chars).all * _COMPARE_BYTE
    return meter.scalar()


def _in(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
    """Each element of a list compared, or a name looked up."""
    value, held = sizes
    meter.work += smaller(held.nodes, held.count * value.nodes).all * _COMPARE_NODE
    meter.work += smaller(held.chars, held.count * value.chars).all * _COMPARE_BYTE + value.text.all * 20
    return meter.scalar()


def _order(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
    meter.work += smaller(sizes[0].text, sizes[1].text).all * _COMPARE_BYTE
    return meter.scalar()


def _seek(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
    text, sought = sizes[0].text, sizes[1].text
    meter.work += (text + sought).all * _SEEK + (text * sought).all * _SEEK_PRODUCT
    return meter.scalar()


def _found(meter: Meter, sought: Tree, text: Amount) -> Amount:
    """How often one text may stand in another: an empty one, between all the characters."""
    length = len(_written(sought) or b"")
    return text * (1 / length) if length else text + meter.amount(1)


def _replace(meter: Meter, call: Call, sizes: Sequence[Size]) -> Size:
    _seek(meter, call, sizes)
    text, inserted = sizes[0].text, sizes[2].text
    found = _found(meter, call.arguments[1], text)
    made = text + found * inserted
    meter.work += made.all * 3 + found.all * 30
    return meter.grown(made)


def _split(meter: Meter, call: Call, sizes: Sequence[Size]) -> Size:
    _seek(meter, call, sizes)
    text = sizes[0].text
    count = _found(meter, call.arguments[1], text) + meter.amount(1)
    meter.work += count.all * _MAKE_ELEMENT
    meter.memory += count.all * ELEMENT + text.all + _NEW * meter.times
    return Size(text, count, count + meter.amount(1), text)


def _join(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
    held = sizes[0]
    made = held.chars + (held.count * sizes[1].text if len(sizes) > 1 else NOTHING)
    meter.work += made.all * 6 + held.nodes.all * 100
    return meter.grown(made)


def _format(meter: Meter, _call: Call, sizes: Sequence[Size]) -> Size:
    form, shown = sizes
    made = form.text * _VERB + shown.chars * _ESCAPED + shown.nodes * _NUMBER
    meter.work += made.all * 3 + form.text.all * _VERB_WORK + shown.nodes.all * 1_000
    return meter.text(made)


def _matches(meter: Meter, call: Call, sizes: Sequence[Size]) -> Size:
    pattern = _written(call.arguments[1])
    if pattern is None:
        raise Unpriced("the pattern of matches has to be written out: one of claims could be made to cost anything")
    try:
        parts, reading = program_size(pattern.decode()), reading_work(pattern.decode())
    except (PatternProblem, UnicodeDecodeError) as error:
        raise Unpriced(f"matches: {error}") from None
    meter.work += (_PATTERN + reading + parts * _PATTERN_PART) * meter.times + sizes[0].text.all * parts * _PATTERN_BYTE
    return meter.scalar()


def _written(tree: Tree) -> bytes | None:
    """A text that stands in the expression itself, in one piece or several."""
    match tree:
        case Literal(text):
            return text
        case Call("_+_", (one, other)):
            first, second = _written(one), _written(other)
            return None if first is None or second is None else first + second
    return None


def _of_time(meter: Meter, call: Call, _sizes: Sequence[Size]) -> Size:
    """A part of a time. The runtime opens a file for each time zone that it is asked for, and keeps its name for ever."""
    if len(call.arguments) > 1 and _written(call.arguments[1]) is None:
        raise Unpriced(f"the time zone of {call.function} has to be written out")
    meter.work += 2_000 * meter.times
    return meter.scalar()


_FREE: Final = ("!_", "-_", "_-_", "_*_", "_/_", "_%_", "_&&_", "_||_", "@not_strictly_false", "type", "hasValue", "optional.none")
_TIMES: Final = ("Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "FullYear", "Hours", "Milliseconds", "Minutes", "Month", "Seconds")
PRICES: Final[Mapping[str, Price]] = MappingProxyType(
    dict.fromkeys(_FREE, _free)
    | dict.fromkeys(("_==_", "_!=_"), _equal)
    | dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_", "startsWith", "endsWith"), _order)
    | dict.fromkeys(("contains", "indexOf", "lastIndexOf"), _seek)
    | dict.fromkeys(("_?._", "_[_]", "_[?_]"), _index)
    | dict.fromkeys(("dyn", "optional.of", "optional.ofNonZeroValue", "value"), _one_of(0))
    | dict.fromkeys(("first", "last"), _element)
    | dict.fromkeys(("or", "orValue"), _one_of(0, 1))
    | dict.fromkeys(("int", "uint", "double", "bool", "timestamp", "duration"), _reading(20))
    | dict.fromkeys(("lowerAscii", "upperAscii", "trim", "reverse", "substring", "charAt"), _rewriting(8))
    | dict.fromkeys(("string", "bytes"), _rewriting(10, extra=_NUMBER))
    | dict.fromkeys((f"get{part}" for part in _TIMES), _of_time)
    | {"_?_:_": _one_of(1, 2), "_+_": _add, "@in": _in, "size": _reading(2), "strings.quote": _rewriting(30, longer=_ESCAPED, extra=2)}
    | {"replace": _replace, "split": _split, "join": _join, "format": _format, "matches": _matches}
)
