"""A YAML file as a tree in which everything knows its place. Keys are text, whatever they look like.

Lines and columns count from 1, in characters. The rules of the configuration read the tree leniently: what is absent or of
another kind comes as None, because the wire models have complained about it already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"


@dataclass(frozen=True, slots=True)
class Spot:
    """A piece of one line. `end_column` is the first column behind it."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `style` is the quoting character, | or >, or empty for plain text; `raw` is what stands in the file."""

    spot: Spot
    value: str | int | float | bool | None
    style: str = ""
    raw: str = field(default="", repr=False)

    def plain(self) -> Plain:
        return self.value


@dataclass(slots=True)
class Listing:
    """A sequence."""

    spot: Spot
    items: list[Node] = field(default_factory=list)

    def plain(self) -> Plain:
        return [item.plain() for item in self.items]


@dataclass(slots=True)
class Section:
    """A mapping, in its order. `data` is its plain form once `plain` was called: models remember by it where they were read."""

    spot: Spot
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    data: dict[str, Plain] | None = field(default=None, repr=False)

    def plain(self) -> Plain:
        self.data = {key: node.plain() for key, (_, node) in self.entries.items()}
        return self.data

    def key(self, name: str) -> Scalar | None:
        """The key itself."""
        entry = self.entries.get(name)
        return None if entry is None else entry[0]

    def get(self, *path: str) -> Node | None:
        """What stands behind a key, or behind keys inside one another."""
        node: Node | None = self
        for name in path:
            node = node.entries.get(name, (None, None))[1] if isinstance(node, Section) else None
        return node

    def scalar(self, *path: str) -> Scalar | None:
        """A value that is text and not empty."""
        node = self.get(*path)
        return node if isinstance(node, Scalar) and isinstance(node.value, str) and node.value else None

    def text(self, *path: str) -> str | None:
        """The text of such a value."""
        node = self.scalar(*path)
        return None if node is None else str(node.value)

    def section(self, *path: str) -> Section:
        """A mapping; an empty one where there is none."""
        node = self.get(*path)
        return node if isinstance(node, Section) else Section(self.spot)

    def sections(self, *path: str) -> Iterator[tuple[str, Section]]:
        """The mappings inside a mapping, by name."""
        for name, (_, node) in self.section(*path).entries.items():
            if isinstance(node, Section):
                yield name, node

    def items(self, *path: str) -> list[Node]:
        """The items of a sequence."""
        node = self.get(*path)
        return node.items if isinstance(node, Listing) else []


Node: TypeAlias = Scalar | Listing | Section

_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def spot_inside(scalar: Scalar, line: int, column: int) -> Spot | None:
    """Where a place inside a text (counted from 1) lies in the file; None where line folding or escapes hide it."""
    first = scalar.spot
    if scalar.style == "|":
        return _spot_in_block(scalar, line, column)
    if scalar.style == ">" or "\n" in scalar.raw or line != 1:
        return None
    offset = _offset_in_raw(scalar, column - 1)
    return Spot(first.line, first.column + offset, first.column + offset + 1)


def _offset_in_raw(scalar: Scalar, characters: int) -> int:
    """How much of the raw text the first `characters` of the value and the opening quote take."""
    if not scalar.style:
        return characters
    raw, offset = scalar.raw, 1
    for _ in range(characters):
        if scalar.style == "'" and raw[offset : offset + 2] == "''":
            offset += 2
        elif scalar.style == '"' and raw[offset : offset + 1] == "\\":
            offset += _ESCAPE_LENGTHS.get(raw[offset + 1 : offset + 2], 2)
        else:
            offset += 1
    return offset


def _spot_in_block(scalar: Scalar, line: int, column: int) -> Spot | None:
    """A literal block: each line of the value is a line of the file, behind the indentation of the first that is not empty."""
    lines = scalar.raw.splitlines()[1:]
    indent = next((len(text) - len(text.lstrip(" ")) for text in lines if text.strip()), 0)
    if not 1 <= line <= len(lines) or scalar.raw[1:2].isdigit():
        return None
    start = indent + column
    return Spot(scalar.spot.line + line, start, start + 1)
