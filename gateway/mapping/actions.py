"""The steps of a mapping rule: each makes of a list of texts another one, in time that grows with their length alone.

Steps only take away, rewrite, or look up: none of them sees another claim. What they may hold at once is bounded, because
the texts are often the user's own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway.mapping.patterns import Pattern, Replacement

MAX_STEP_VALUES: Final = 5_000
"""How many values a step may take or give."""
MAX_STEP_TEXT: Final = 128 * 1024
"""How many characters all values of a step may have together."""
SHOWN: Final = 10
"""So many dropped values are named in a trace."""


class TooMuchError(Exception):
    """More values or characters than steps work on."""


class Action(Protocol):
    """One step. `str` gives it as the configuration writes it."""

    def run(self, values: Sequence[str]) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What one step did, for traces."""

    action: str
    before: tuple[str, ...] = field(repr=False)
    after: tuple[str, ...] = field(repr=False)
    note: str = field(default="", repr=False)


def perform(action: Action, values: tuple[str, ...]) -> Change:
    """One step on all values. Raises `TooMuchError`."""
    before, dropped = _bounded(values), list[str]()
    if isinstance(action, (Unique, Cap)):
        after = _bounded(action.run(before))
        dropped += before[len(after) :] if isinstance(action, Cap) else ()
    else:
        after = _bounded(_each(action, before, dropped))
    return Change(str(action), before, after, dropped_note(dropped, len(before)))


def _each(action: Action, values: Sequence[str], dropped: list[str]) -> Iterator[str]:
    """The step on one value after the other, so that one knows which gave nothing."""
    for value in values:
        found = tuple(action.run((value,)))
        if not found:
            dropped.append(value)
        yield from found


def dropped_note(dropped: Sequence[str], total: int) -> str:
    """How many values fell out, and the first of them by name."""
    if not dropped:
        return ""
    names = list(dict.fromkeys(value[:100] for value in dropped))
    return f"dropped {len(dropped)} of {total}: {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}"


def _bounded(values: Iterable[str]) -> tuple[str, ...]:
    taken: list[str] = []
    characters = 0
    for value in values:
        taken.append(value)
        characters += len(value)
        if len(taken) > MAX_STEP_VALUES or characters > MAX_STEP_TEXT:
            raise TooMuchError(f"more than {MAX_STEP_VALUES} values or {MAX_STEP_TEXT} characters")
    return tuple(taken)


@dataclass(frozen=True, slots=True)
class Lower:
    """`lower`. A letter whose small form belongs to another letter, too, stays: two people must not become one."""

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (value.lower() if value.isascii() else "".join(map(_small, value)) for value in values)

    def __str__(self) -> str:
        return "lower"


@dataclass(frozen=True, slots=True)
class Upper:
    """`upper`. A letter whose capital belongs to another letter, too, stays: two people must not become one."""

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (value.upper() if value.isascii() else "".join(map(_capital, value)) for value in values)

    def __str__(self) -> str:
        return "upper"


def _small(letter: str) -> str:
    """The Kelvin sign's small form is k, whose capital is K: such a letter stays as it is."""
    small = letter.lower()
    return small if _alone(letter) and _same(small.upper(), letter.upper()) else letter


def _capital(letter: str) -> str:
    """The dotless i's capital is I, whose small form is i: such a letter stays as it is."""
    capital = letter.upper()
    return capital if _alone(letter) and _same(capital.lower(), letter.lower()) else letter


def _alone(letter: str) -> bool:
    """Whether Unicode knows no other letter for the same; the last gate refuses those in a user id that have one."""
    return unicodedata.is_normalized("NFC", letter)


def _same(one: str, other: str) -> bool:
    return one == other or unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


@dataclass(frozen=True, slots=True)
class Trim:
    """`trim`: no blanks at the ends."""

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (value.strip() for value in values)

    def __str__(self) -> str:
        return "trim"


@dataclass(frozen=True, slots=True)
class Unique:
    """`unique`: each value once, where it came first."""

    def run(self, values: Sequence[str]) -> Iterable[str]:
        return dict.fromkeys(values)

    def __str__(self) -> str:
        return "unique"


@dataclass(frozen=True, slots=True)
class StripPrefix:
    """`strip_prefix:`. A value that does not begin with it stays as it is."""

    prefix: str

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (value.removeprefix(self.prefix) for value in values)

    def __str__(self) -> str:
        return f"strip_prefix: {self.prefix}"


@dataclass(frozen=True, slots=True)
class StripSuffix:
    """`strip_suffix:`. A value that does not end with it stays as it is."""

    suffix: str

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (value.removesuffix(self.suffix) for value in values)

    def __str__(self) -> str:
        return f"strip_suffix: {self.suffix}"


@dataclass(frozen=True, slots=True)
class Match:
    """`match:`: of a value that the pattern describes as a whole, the first group, or without one all of it. Others fall out."""

    pattern: Pattern

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (found for value in values if (found := self.pattern.extract(value)) is not None)

    def __str__(self) -> str:
        return f"match: {self.pattern.source}"


@dataclass(frozen=True, slots=True)
class Replace:
    """`replace:`: every place that the pattern describes, or that reads so."""

    what: Pattern | str
    replacement: Replacement

    def run(self, values: Sequence[str]) -> Iterator[str]:
        if isinstance(self.what, str):
            return (value.replace(self.what, self.replacement.source) for value in values)
        pattern = self.what
        return (pattern.replace(value, self.replacement) for value in values)

    def __str__(self) -> str:
        what = f"text: {self.what}" if isinstance(self.what, str) else f"pattern: {self.what.source}"
        return f"replace: {{{what}, with: {self.replacement.source}}}"


@dataclass(frozen=True, slots=True)
class Split:
    """`split:`: the parts between the separators, without blanks at their ends; empty ones fall out."""

    separator: str

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (trimmed for value in values for part in value.split(self.separator) if (trimmed := part.strip()))

    def __str__(self) -> str:
        return f"split: {self.separator}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`filter:`: keeps what begins with one of the prefixes, is one of the listed, or is described as a whole by the pattern."""

    prefixes: tuple[str, ...] = ()
    exact: frozenset[str] = frozenset()
    pattern: Pattern | None = None

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (value for value in values if self._keeps(value))

    def _keeps(self, value: str) -> bool:
        return value.startswith(self.prefixes) or value in self.exact or (self.pattern is not None and self.pattern.matches(value))

    def __str__(self) -> str:
        parts = [f"prefix: [{', '.join(self.prefixes)}]"] if self.prefixes else []
        parts += [f"exact: [{', '.join(sorted(self.exact))}]"] if self.exact else []
        parts += [f"match: {self.pattern.source}"] if self.pattern is not None else []
        return f"filter: {{{', '.join(parts)}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`table:`: each value is replaced by its entries; one without an entry falls out, or stays where `keep_others`."""

    name: str
    entries: Mapping[str, tuple[str, ...]] = field(repr=False)
    keep_others: bool = False

    def run(self, values: Sequence[str]) -> Iterator[str]:
        return (found for value in values for found in self.entries.get(value, (value,) if self.keep_others else ()))

    def __str__(self) -> str:
        return f"table: {self.name}, otherwise {'keep' if self.keep_others else 'drop'}"


@dataclass(frozen=True, slots=True)
class Cap:
    """`cap:`: the first so many values."""

    most: int

    def run(self, values: Sequence[str]) -> Sequence[str]:
        return values[: self.most]

    def __str__(self) -> str:
        return f"cap: {self.most}"
