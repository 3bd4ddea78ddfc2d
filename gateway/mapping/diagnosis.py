"""What is wrong with an expression, and where: the runtime's compile error in a person's words.

Pure text work; knows nothing of the runtime but how its messages look.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

_FIRST: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to (.*)")
_STANDARD: Final = ("all", "bool", "dyn", "exists", "exists_one", "filter", "has", "int", "map", "matches", "size", "string", "type")
_STRINGS: Final = (
    "contains",
    "endsWith",
    "indexOf",
    "join",
    "lowerAscii",
    "replace",
    "split",
    "startsWith",
    "substring",
    "trim",
    "upperAscii",
)
_OPTIONAL: Final = ("hasValue", "optFlatMap", "optMap", "or", "orValue", "value")
_LONGEST: Final = 300


_TEXTS_AND_COMMENTS: Final = re.compile(r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//[^\n]*""")


class ExpressionProblem(ValueError):
    """An expression cannot be used. `line` and `column` count from 1 in the expression; None where there is no place."""

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


def find_variable(source: str, name: str) -> tuple[int, int] | None:
    """Line and column, from 1, of the first place where an expression reads a variable; not inside its texts and comments."""
    bare = _TEXTS_AND_COMMENTS.sub(lambda found: " " * len(found[0]), source)
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", bare)
    if found is None:
        return None
    return bare.count("\n", 0, found.start()) + 1, found.start() - bare.rfind("\n", 0, found.start())


def diagnose(report: str, source: str, names: Collection[str], known: Collection[str]) -> ExpressionProblem:
    """The first problem of the runtime's report. `names` are the variables of this place, `known` those of any place."""
    if "recursion" in report or "node count exceeded" in report:
        return ExpressionProblem(
            "the expression nests too deep, or chains too many operators", hint="a list and `in` replace a chain of =="
        )
    first = _FIRST.search(report)
    if first is None:
        return ExpressionProblem(report.removesuffix(" [INVALID_ARGUMENT]").split("\n", 1)[0][:_LONGEST])
    line, column, message = int(first[1]), int(first[2]), first[3].removesuffix(" [INVALID_ARGUMENT]")
    undeclared = _UNDECLARED.match(message)
    if undeclared is not None:
        column = _start_of(undeclared[1], source, line, column)
        return ExpressionProblem(
            f"there is no '{undeclared[1]}' here"[:_LONGEST], line=line, column=column, hint=_hint(undeclared[1], names, known)
        )
    return ExpressionProblem(_plain(message)[:_LONGEST], line=line, column=column, hint=_syntax_hint(message))


def _start_of(name: str, source: str, line: int, column: int) -> int:
    """The column where a dotted name begins: the runtime points at its last dot."""
    text = source.split("\n")[line - 1]
    found = text.rfind(name, 0, column + len(name))
    return column if found < 0 else found + 1


def _hint(name: str, names: Collection[str], known: Collection[str]) -> str:
    if name in known or any(other.startswith(f"{name}.") for other in known if other not in names):
        return f"only access rules know {name}; this place knows {', '.join(names)}"
    near = get_close_matches(name, [*names, *_STANDARD, *_STRINGS, *_OPTIONAL], n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"this place knows {', '.join(names)}"


def _plain(message: str) -> str:
    overload = _OVERLOAD.match(message)
    if overload is not None:
        return f"'{overload[1].strip('_@').replace('_', ' ')}' cannot be applied to {overload[2]}"
    if "mismatched input '<EOF>'" in message:
        return "the expression ends too early"
    return re.sub(r" expecting (\{.*\}|<EOF>)", "", message)


def _syntax_hint(message: str) -> str | None:
    if "token recognition error at: '= '" in message:
        return "== compares"
    if "token recognition error at: '&" in message or "token recognition error at: '|" in message:
        return "&& and || are written twice"
    return None
