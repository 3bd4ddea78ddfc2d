"""Lookup tables in files of their own: CSV with the head `from,to`, or a YAML mapping."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from gateway.config.diagnostics import Code
from gateway.config.provider_values import read_attribute_value
from gateway.config.tree import Listing, Node, Scalar, Section
from gateway.config.values import Refusal
from gateway.config.yaml12 import read_yaml

MOST_ENTRIES = 50_000


def read_table(name: str, content: bytes) -> Mapping[str, tuple[str, ...]]:
    """The table in a file's content; its kind is what the name ends in. Raises `Refusal` with the line inside that file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refusal(Code.NAMED_FILE, f"line {line} of the table is not UTF-8", "save it as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if name.endswith(".csv"):
        return _collected(text, "csv")
    if name.endswith((".yaml", ".yml")):
        return _collected(text, "yaml")
    raise Refusal(Code.NAMED_FILE, "a table's file is .csv or .yaml")


@lru_cache(maxsize=64)
def _collected(text: str, kind: str) -> Mapping[str, tuple[str, ...]]:
    """Every value with its entries, in the order of the lines. Cached: many virtual proxies may share a table."""
    table: dict[str, list[str]] = {}
    for line, key, entry in _csv(text) if kind == "csv" else _yaml(text):
        if not key or not entry:
            raise Refusal(Code.NAMED_FILE, f"line {line} of the table has an empty value")
        try:
            table.setdefault(key, []).append(read_attribute_value(entry))
        except Refusal as refusal:
            raise Refusal(Code.NAMED_FILE, f"line {line} of the table: {refusal.message}") from None
        if len(table) > MOST_ENTRIES:
            raise Refusal(Code.NAMED_FILE, f"the table has more than {MOST_ENTRIES} entries")
    if not table:
        raise Refusal(Code.NAMED_FILE, "the table has no entries")
    return MappingProxyType({key: tuple(dict.fromkeys(entries)) for key, entries in table.items()})


def _csv(text: str) -> Iterator[tuple[int, str, str]]:
    """RFC 4180, with a comma or (as spreadsheets write where the comma is for decimals) a semicolon."""
    lines = text.split("\n")
    head = lines[0].strip() if lines else ""
    if head not in ("from,to", "from;to"):
        raise Refusal(Code.NAMED_FILE, "the first line of a table in CSV is from,to", "from,to names the two columns")
    rows = csv.reader(lines, delimiter=head[4], strict=True)
    try:
        next(rows)
        for row in rows:
            if row and len(row) != 2:  # noqa: PLR2004 - from and to
                raise Refusal(Code.NAMED_FILE, f"line {rows.line_num} of the table has {len(row)} columns, not two")
            if row:
                yield rows.line_num, row[0].strip(), row[1].strip()
    except csv.Error as error:
        raise Refusal(Code.NAMED_FILE, f"line {rows.line_num} of the table is no CSV: {error}") from None


def _yaml(text: str) -> Iterator[tuple[int, str, str]]:
    reading = read_yaml(text)
    for fault in reading.faults:
        raise Refusal(Code.NAMED_FILE, f"line {fault.spot.line} of the table: {fault.message}", fault.hint)
    if not isinstance(reading.root, Section):
        raise Refusal(Code.NAMED_FILE, "a table in YAML is a mapping of values to values")
    for key, (place, node) in reading.root.entries.items():
        for item in node.items if isinstance(node, Listing) else [node]:
            yield place.spot.line, key, _entry(item)


def _entry(node: Node) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise Refusal(Code.NAMED_FILE, f"line {node.spot.line} of the table holds something else than text", "in quotes it is a text")
    return node.value
