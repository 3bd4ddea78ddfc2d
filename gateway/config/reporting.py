"""Problems as people and programs read them: text with an excerpt, JSON, SARIF 2.1.0.

Whatever stands in a message is shown without control characters: names come from files that somebody else may have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from gateway import __version__
from gateway.config.diagnostics import Code, Problem, Severity
from gateway.model import JsonValue

_WIDTH = 160
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RED, _YELLOW, _BLUE, _BOLD, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[1m", "\x1b[0m"


def as_text(problem: Problem, *, colour: bool = False) -> str:
    """One problem for people: its place, its sentence, the line with the spot underlined, what helps. No newline at the end."""

    def paint(style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if colour else text

    alarm = _RED if problem.severity is Severity.ERROR else _YELLOW
    place = paint(_BOLD, f"{shown(problem.file)}:{problem.line}:{problem.column}:")
    lines = [f"{place} {paint(alarm, f'{problem.severity}[{problem.code}]')}: {shown(problem.message)}"]
    bar = paint(_BLUE, "|")
    if problem.excerpt is not None:
        text, column, width = _window(problem)
        lines += [f"{paint(_BLUE, f'{problem.line:5}')} {bar} {text}", f"{'':5} {bar} {' ' * column}{paint(alarm, '^' * width)}"]
    if problem.hint is not None:
        lines.append(f"{'':5} {paint(_BLUE, '=')} help: {shown(problem.hint)}")
    return "\n".join(lines)


def as_summary(problems: Sequence[Problem], folder: Path, *, acknowledged: int = 0) -> str:
    """One line that closes a report."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    counts = [_count(errors, "error"), _count(len(problems) - errors, "warning")]
    told = " and ".join(count for count in counts if count) or "no problems"
    known = f" ({_count(acknowledged, 'finding')} acknowledged)" if acknowledged else ""
    return f"{shown(str(folder))}: {told}{known}"


def as_json(problems: Sequence[Problem], acknowledged: Sequence[Problem] = ()) -> JsonValue:
    """The form of `check --format json`. Acknowledged findings, where there are any, stand beside the problems with their reason."""
    report: dict[str, JsonValue] = {"problems": [_record(problem) for problem in problems]}
    if acknowledged:
        report["acknowledged"] = [_record(problem) | {"reason": shown(problem.acknowledged or "")} for problem in acknowledged]
    return report


def _record(problem: Problem) -> dict[str, JsonValue]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code.value,
        "severity": problem.severity.value,
        "message": shown(problem.message),
        "hint": None if problem.hint is None else shown(problem.hint),
    }


def as_sarif(problems: Sequence[Problem], folder: Path) -> JsonValue:
    """SARIF 2.1.0: one run, one rule per code. Files are relative to CONFIG, the folder. Acknowledged findings are suppressed results."""
    codes = list(Code)
    return {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "qlikgw", "version": __version__, "rules": [_rule(code) for code in codes]}},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"CONFIG": {"uri": folder.resolve().as_uri().removesuffix("/") + "/"}},
                "results": [_result(problem, codes) for problem in problems],
            }
        ],
    }


def shown(text: str) -> str:
    """Text without control characters, direction marks and halves of characters."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""


def _window(problem: Problem) -> tuple[str, int, int]:
    """The part of a line around the spot, every character one column wide; where the spot begins in it, and its width."""
    line = "".join(character if character.isprintable() else " " for character in problem.excerpt or "")
    start = max(0, problem.column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    text = line[start : start + _WIDTH].rstrip()
    column = problem.column - 1 - start
    width = max(1, min(problem.end_column - problem.column, max(len(text) - column, 1)))
    return text, column, width


def _rule(code: Code) -> JsonValue:
    return {"id": code.value, "name": code.name.title().replace("_", ""), "shortDescription": {"text": code.meaning}}


def _result(problem: Problem, codes: list[Code]) -> JsonValue:
    text = shown(problem.message) + ("" if problem.hint is None else f" ({shown(problem.hint)})")
    region: dict[str, JsonValue] = {"startLine": problem.line, "startColumn": problem.column}
    region["endColumn"] = max(problem.end_column, problem.column)
    place: dict[str, JsonValue] = {"uri": _uri(problem.file), "uriBaseId": "CONFIG"}
    known: dict[str, JsonValue] = {"suppressions": [{"kind": "inSource", "justification": shown(problem.acknowledged or "")}]}
    return ({} if problem.acknowledged is None else known) | {
        "ruleId": problem.code.value,
        "ruleIndex": codes.index(problem.code),
        "level": problem.severity.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": place, "region": region}}],
    }


def _uri(name: str) -> str:
    """A file's name as a relative reference (RFC 3986 §4.2)."""
    return quote(name.encode("utf-8", "surrogateescape"), safe=".-_~")
