"""One file of the configuration as it was read, and the problems found in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gateway.config.diagnostics import Code, Problem, Severity
from gateway.config.masking import Masks
from gateway.config.tree import Node, Section, Spot
from gateway.config.yaml12 import read_yaml

TOP = Spot(1, 1, 1)
MOST_PROBLEMS = 200
"""More are not told of one file: it is no configuration then."""
_LINE_END = re.compile(r"\r\n?")


@dataclass(slots=True)
class Document:
    """`name` is relative to the folder. `root` is empty where the file could not be read as a mapping."""

    name: str
    lines: list[str] = field(default_factory=list, repr=False)
    tree: Node | None = None
    problems: list[Problem] = field(default_factory=list)
    _masks: Masks | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """What the file is called elsewhere in the configuration."""
        return self.name.removesuffix(".yaml")

    @property
    def root(self) -> Section:
        return self.tree if isinstance(self.tree, Section) else Section(TOP)

    @property
    def failed(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def report(  # noqa: PLR0913 - the parts of a problem
        self,
        code: Code,
        place: Spot | Node | None,
        message: str,
        hint: str | None = None,
        *,
        severity: Severity = Severity.ERROR,
        acknowledged: str | None = None,
    ) -> None:
        """Note a problem, once. Without a place it is one of the whole file."""
        if len(self.problems) >= MOST_PROBLEMS:
            return
        spot = TOP if place is None else place if isinstance(place, Spot) else place.spot
        problem = Problem(
            file=self.name,
            line=spot.line,
            column=spot.column,
            end_column=spot.end_column,
            code=code,
            severity=severity,
            message=message,
            hint=hint,
            excerpt=None if place is None else self._excerpt(spot.line),
            acknowledged=acknowledged,
        )
        if problem not in self.problems:
            self.problems.append(problem)

    def _excerpt(self, line: int) -> str | None:
        if self._masks is None:
            self._masks = Masks(self.lines, self.tree)
        return self._masks.line(line) if line <= len(self.lines) else None

    def has_problem_at(self, spot: Spot) -> bool:
        """Whether an error was reported there already: one place is told about once, where the second would be a consequence."""
        return any(
            (problem.line, problem.column) == (spot.line, spot.column) and problem.severity is Severity.ERROR for problem in self.problems
        )


def read_document(name: str, content: bytes) -> Document:
    """Read one file; what is wrong with it as YAML is reported in the document."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        document = Document(name)
        line = content.count(b"\n", 0, error.start) + 1
        document.report(Code.SYNTAX, Spot(line, 1, 1), "the file is not UTF-8", "save it as UTF-8, without UTF-16 or Windows encodings")
        return document
    text = _LINE_END.sub("\n", text)
    reading = read_yaml(text)
    document = Document(name, lines=text.split("\n"), tree=reading.root)
    for fault in reading.faults:
        document.report(fault.code, fault.spot, fault.message, fault.hint)
    if not reading.faults and not isinstance(reading.root, Section):
        hint = "it begins with: schema: 1"
        document.report(Code.EMPTY_VALUE if reading.root is None else Code.WRONG_VALUE, None, "the file holds no mapping of keys", hint)
    return document
