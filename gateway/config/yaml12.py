"""YAML text to a tree: the core schema of YAML 1.2 (§10.3.2) and no more than a configuration needs.

`no` is a text and `2026-03-02` is one, too; only true and false are booleans. Anchors, aliases, tags, merge keys, directives
and second documents are refused: a configuration should mean what it says where it says it, and none of them can be shown
at one place. Works on the parser's events, so that depth costs no stack and a place is known for everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml

from gateway.config.diagnostics import Code
from gateway.config.tree import Listing, Node, Scalar, Section, Spot

LARGEST_FILE = 256 * 1024
DEEPEST = 20
_LONGEST_NUMBER = 18

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NULL = re.compile(r"(?:null|Null|NULL|~)?")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)")
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_INT = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in the YAML itself."""

    code: Code
    spot: Spot
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Reading:
    """What came of a text: a tree, unless it does not parse; faults that leave the rest readable stand beside it."""

    root: Node | None = None
    faults: list[Fault] = field(default_factory=list)


class _Incomplete(Exception):
    """The rest of the file is not looked at: what it says would be told wrongly."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read_yaml(text: str) -> Reading:
    """Read one file's text, with line feeds at its line ends. Never raises."""
    if (bad := _UNPRINTABLE.search(text)) is not None:
        return Reading(faults=[_unprintable(text, bad)])
    reader = _Reader(text)
    reading = Reading(faults=reader.faults)
    try:
        reading.root = reader.document()
    except _Incomplete as error:
        reading.faults.append(error.fault)
    except yaml.YAMLError as error:
        reading.faults.append(_syntax_fault(error))
    return reading


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
        self.faults: list[Fault] = []

    def document(self) -> Node | None:
        """The one document of the file; None when it is empty."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    message, hint = "a second document in one file", "one file is one document: leave the line --- out"
                    raise _Incomplete(Fault(Code.YAML_FEATURE, _spot(event), message, hint))
                if event.version or event.tags:
                    self._refuse(event, "a directive (%) is not used in a configuration", "leave the line out")
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._check_features(event)
        if isinstance(event, yaml.AliasEvent):
            return Scalar(_spot(event), None)
        if depth > DEEPEST:
            raise _Incomplete(Fault(Code.YAML_FEATURE, _spot(event), f"more than {DEEPEST} levels inside one another"))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._section(event, depth)
        return self._listing(event, depth)

    def _check_features(self, event: yaml.Event) -> None:
        for feature, present in (
            ("an alias (*)", isinstance(event, yaml.AliasEvent)),
            ("an anchor (&)", not isinstance(event, yaml.AliasEvent) and getattr(event, "anchor", None) is not None),
            ("a tag (!)", getattr(event, "tag", None) is not None),
        ):
            if present:
                self._refuse(event, f"{feature} is not used in a configuration", "write the value out, or quote the text")

    def _refuse(self, event: yaml.Event, message: str, hint: str | None) -> None:
        """Report a feature that is not used here; the rest of the file is read all the same."""
        self.faults.append(Fault(Code.YAML_FEATURE, _spot(event), message, hint))

    def _listing(self, start: yaml.Event, depth: int) -> Listing:
        listing = Listing(_spot(start))
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            listing.items.append(self._node(event, depth + 1))
        return listing

    def _section(self, start: yaml.MappingStartEvent, depth: int) -> Section:
        section = Section(_spot(start))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, depth)
            node = self._node(next(self._events), depth + 1)
            if key is not None and key.value in section.entries:
                first = section.entries[str(key.value)][0].spot.line
                message = f"the key '{key.value}' stands here a second time"
                self.faults.append(Fault(Code.DUPLICATE_KEY, key.spot, message, f"the first stands in line {first}"))
            elif key is not None:
                section.entries[str(key.value)] = (key, node)
        if section.entries and not start.flow_style:
            section.spot = next(iter(section.entries.values()))[0].spot
        return section

    def _key(self, event: yaml.Event, depth: int) -> Scalar | None:
        """A key; None for one that is refused, so that its value is passed over."""
        self._check_features(event)
        if not isinstance(event, yaml.ScalarEvent):
            if not isinstance(event, yaml.AliasEvent):
                self._refuse(event, "a key must be plain text", None)
                self._node(event, depth + 1)
            return None
        if event.value == "<<" and not event.style:
            self._refuse(event, "a merge key (<<) is not used in a configuration", "write the keys out")
            return None
        return Scalar(_spot(event), event.value, event.style or "")

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        style, raw = event.style or "", self._text[cast("yaml.Mark", event.start_mark).index : cast("yaml.Mark", event.end_mark).index]
        if style:
            return Scalar(_spot(event), event.value, style, raw)
        return Scalar(_spot(event), self._resolve(event), "", raw)

    def _resolve(self, event: yaml.ScalarEvent) -> str | int | float | bool | None:
        """A plain scalar's value (YAML 1.2 §10.3.2)."""
        text: str = event.value
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text) or _OTHER_INT.fullmatch(text):
            return self._integer(event)
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text

    def _integer(self, event: yaml.ScalarEvent) -> int | str:
        text: str = event.value
        digits = text.lstrip("+-")
        if len(digits) > _LONGEST_NUMBER:
            self.faults.append(Fault(Code.WRONG_VALUE, _spot(event), "this number is too large", "a text of digits stands in quotes"))
            return text
        if _OTHER_INT.fullmatch(text):
            return int(text, 0)
        if len(digits) > 1 and digits.startswith("0"):
            hint = "write it without the 0, or in quotes if it is a text"  # the value itself may be a secret in the wrong place
            self.faults.append(Fault(Code.WRONG_VALUE, _spot(event), "a number does not begin with 0", hint))
            return text
        return int(text)


def _spot(event: yaml.Event) -> Spot:
    """The first line of what an event stands for, or one character where it goes on below."""
    start, end = cast("yaml.Mark", event.start_mark), cast("yaml.Mark", event.end_mark)
    column = start.column + 1
    return Spot(start.line + 1, column, max(end.column + 1, column + 1) if end.line == start.line else column + 1)


def _unprintable(text: str, bad: re.Match[str]) -> Fault:
    line = text.count("\n", 0, bad.start()) + 1
    column = bad.start() - text.rfind("\n", 0, bad.start())
    return Fault(Code.SYNTAX, Spot(line, column, column + 1), f"the character U+{ord(bad[0]):04X} cannot stand in a YAML file")


def _syntax_fault(error: yaml.YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    spot = Spot(1, 1, 2) if mark is None else Spot(mark.line + 1, mark.column + 1, mark.column + 2)
    parts = [str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part]
    return Fault(Code.SYNTAX, spot, "not valid YAML: " + (", ".join(parts) or "it cannot be read"), _syntax_hint(" ".join(parts)))


def _syntax_hint(text: str) -> str | None:
    if "mapping values are not allowed" in text:
        return "a value that contains ': ' needs quotes; else look at the indentation"
    if "found character '\\t'" in text or "found character that cannot start any token" in text or "cannot start any token" in text:
        return "indent with blanks, not tabs; a value that begins with @, ` or % needs quotes"
    if "could not find expected ':'" in text or "did not find expected" in text:
        return "look at the indentation, and for a quote or bracket that is not closed"
    return None
