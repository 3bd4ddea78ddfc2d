"""The wall around the regular expressions: RE2, whose time grows with the text and never explodes, behind limits.

The only module that imports it. Patterns are the administrator's, texts may be the user's own: so what a pattern can cost
per character is bounded when the configuration is read, and how many characters there are by whoever runs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol, cast

from gateway.mapping.claims import text_fault

MAX_PATTERN: Final = 500
"""How long a pattern may be, in characters."""
MAX_PROGRAM: Final = 1_500
"""How many instructions a compiled pattern may have: the most that one character of a text can cost."""

_ESCAPES: Final = re.compile(r"([^\\]*)(\\.?|$)", re.DOTALL)
_MEMORY: Final = 16 << 20
"""Bytes that one pattern may take for its states: with fewer, RE2 stays linear but becomes some ten times slower on absurd patterns."""
_RUNTIME: Final = 8 << 20
"""The same in the runtime of expressions: RE2's own default."""
_MAX_COMPILED: Final = 100_000
"""How many instructions a pattern may have where it is compiled at each evaluation."""
_TOO_LARGE: Final = "the pattern is too large: every character would be compared too often"
_BUILT: Final = 200
_ROOM: Final = 12
"""RE2 gives a pattern up that is built of more instructions than a sixteenth of its memory: twelve for each that is left, and 150."""
_UNICODE: Final = re.compile(r"\\[pP]")
_WIDE: Final = re.compile(r"\\[pP]|-(?:\\x|[^\x00-\x7f])")
_FOLDING: Final = re.compile(r"\(\?[a-zA-Z-]*i")
_CHARACTER: Final = 200.0
_CLASS: Final = 200_000.0
_FOLDED_CLASS: Final = 450_000.0
"""Nanoseconds for reading a byte of a pattern, a class of Unicode, and one or a wide range where case is folded."""
_MESSAGES: Final = {"invalid perl operator": "lookahead and lookbehind do not exist here", "invalid escape sequence": "no such escape"}


class PatternProblem(ValueError):
    """A pattern cannot be used; the message says why."""


class _Match(Protocol):
    def group(self, number: int) -> str | None: ...


class _Program(Protocol):
    @property
    def groups(self) -> int: ...
    @property
    def programsize(self) -> int: ...
    def fullmatch(self, text: str) -> _Match | None: ...
    def sub(self, replacement: Callable[[_Match], str], text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; made by `compile_pattern` alone. Equal where the source is."""

    source: str
    program: _Program = field(repr=False, compare=False)

    @property
    def groups(self) -> int:
        """How many capturing groups there are."""
        return self.program.groups

    def matches(self, text: str) -> bool:
        """Whether the pattern describes the whole text."""
        return self.program.fullmatch(text) is not None

    def extract(self, text: str) -> str | None:
        """The first group (without one, the text) where the pattern describes the whole text; else None."""
        found = self.program.fullmatch(text)
        return None if found is None else found.group(min(self.groups, 1))

    def replace(self, text: str, replacement: Replacement) -> str:
        """The text with every place that the pattern describes replaced."""
        return self.program.sub(lambda match: "".join(_part(match, part) for part in replacement.parts), text)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in the place of a match: texts, and the numbers of groups. Made by `read_replacement` alone."""

    source: str
    parts: tuple[str | int, ...] = field(repr=False)


def _part(match: _Match, part: str | int) -> str:
    return part if isinstance(part, str) else match.group(part) or ""


def compile_pattern(source: str) -> Pattern:
    """Raises `PatternProblem`."""
    if len(source) > MAX_PATTERN:
        raise PatternProblem(f"the pattern is longer than {MAX_PATTERN} characters")
    if (fault := text_fault(source)) is not None:
        raise PatternProblem(f"the pattern holds {fault}")
    program = _compiled(source, _MEMORY)
    if program.programsize > MAX_PROGRAM:
        raise PatternProblem(_TOO_LARGE)
    return Pattern(source, program)


@lru_cache(maxsize=1_024)
def program_size(source: str) -> int:
    """How many instructions a pattern is in the runtime of expressions, which is RE2, too. Raises `PatternProblem`.

    RE2 throws away what comes to nothing, after it was built: a pattern of which little is left but much was built has no price.
    """
    size = _compiled(source, _RUNTIME).programsize
    if size > _MAX_COMPILED:
        raise PatternProblem(_TOO_LARGE)
    try:
        _compiled(source, (size + _ROOM) * _BUILT)
    except PatternProblem:
        raise PatternProblem("the pattern is built of far more than what is left of it") from None
    return size


def _compiled(source: str, memory: int) -> _Program:
    """Raises `PatternProblem`. The library is loaded with the first pattern that there is: 2.5 MiB."""
    import re2  # noqa: PLC0415

    options = re2.Options()
    options.log_errors, options.max_mem = False, memory
    try:
        return cast("_Program", re2.compile(source, options))
    except re2.error as error:
        raise PatternProblem(f"this is no regular expression: {_reason(error)}") from None


def reading_work(source: str) -> float:
    """Nanoseconds for reading a pattern, whatever is left of it: classes of Unicode are long lists, and folding case walks through them."""
    classes = len(_UNICODE.findall(source)) * _CLASS
    if _FOLDING.search(source):
        classes = len(_WIDE.findall(source)) * _FOLDED_CLASS
    return len(source.encode()) * _CHARACTER + classes


def read_replacement(source: str, pattern: Pattern) -> Replacement:
    r"""`\1` stands for the first group, `\\` for a backslash. Raises `PatternProblem`."""
    if len(source) > MAX_PATTERN:
        raise PatternProblem(f"the replacement is longer than {MAX_PATTERN} characters")
    parts: list[str | int] = []
    for plain, escape in _ESCAPES.findall(source):
        parts += [plain] if plain else []
        if escape == "\\\\":
            parts.append("\\")
        elif escape[1:].isdigit() and int(escape[1:]) <= pattern.groups:
            parts.append(int(escape[1:]))
        elif escape:
            raise PatternProblem(f"the pattern has {pattern.groups} groups; \\1 stands for the first one, \\\\ for a backslash")
    return Replacement(source, tuple(parts))


def _reason(error: Exception) -> str:
    given = error.args[0] if error.args else ""
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    kind, _, rest = text.partition(":")
    return f"{_MESSAGES.get(kind, kind)}{':' + rest if rest else ''}"
