"""The last gate before every ticket: what a user may be, whatever mapping and rules decided.

Shape of directory and user id: Qlik "Add ticket". Attributes travel inside Qlik Sense as one form-encoded header,
X-Qlik-Security, next to names that Qlik Sense sets itself (Qlik "Header authentication", "Add session: Limitations").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from gateway.errors import AttributesTooLarge, AttributeUnmapped, MalformedUser, ReservedAttribute, ReservedDirectory
from gateway.model import QlikUser, attribute_size, attributes_size

RESERVED_DIRECTORIES = frozenset({"internal", "none"})
"""The service accounts' and the anonymous users' directory."""

RESERVED_ATTRIBUTES = frozenset({"securerequest", "context", "os", "device", "browser", "ip", "clientosversion"})
"""What Qlik Sense itself writes into X-Qlik-Security, in lower case."""

ATTRIBUTE_BUDGET = 12 * 1024
"""Bytes of X-Qlik-Security that our attributes may take: Windows refuses headers over 16 KiB unless its registry says otherwise."""

LONGEST_NAME = 256
"""Characters of a directory, a user id or an attribute name. Ours: Qlik documents no limit."""

MOST_AROUND, MOST_BYTES = len("=; "), len("%F0%9F%98%80")
"""Bytes of X-Qlik-Security that an attribute takes besides its texts, and that a character of these does at most."""

Runs: TypeAlias = Sequence[tuple[str, Sequence[str]]]

_NAME, _VALUE = itemgetter(0), itemgetter(1)
_PLAIN = re.compile(r"[!-.0-\[\]-~]+(?: +[!-.0-\[\]-~]+)*")  # neither slash nor backslash
_UNCARRIED = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line and paragraph separators
_INVISIBLE = frozenset({"Cf", "Mn"})  # zero-width characters and combining marks


def runs_of(attributes: Iterable[tuple[str, str]]) -> Runs:
    """Attributes in their order, those of one name that follow each other together."""
    return [(name, list(map(_VALUE, run))) for name, run in groupby(attributes, _NAME)]


def check_user(user: QlikUser, runs: Runs | None = None) -> None:
    """Raises `MalformedUser`, `ReservedDirectory`, `ReservedAttribute`, `AttributeUnmapped` or `AttributesTooLarge`.

    `runs`: the user's attributes, where they are at hand.
    """
    check_directory(user.directory)
    check_name(user.directory, "directory")
    check_name(user.user_id, "user id")
    runs = runs_of(user.attributes) if runs is None else runs
    for name, _ in runs:
        check_attribute_name(name)
    most = 0
    for name, values in runs:
        together = "".join(values)
        if not together.isprintable():  # what is printable can be carried
            for value in values:
                check_attribute_value(name, value)
        most += (MOST_AROUND + MOST_BYTES * len(name)) * len(values) + MOST_BYTES * len(together)
    if most > ATTRIBUTE_BUDGET:  # else it cannot be too much
        check_size(user.attributes)


def check_name(value: str, what: str) -> None:
    """A directory or user id: not blank, no blanks at the ends, no backslash, nothing that controls or hides, NFC, of bounded length."""
    if len(value) > LONGEST_NAME or not _PLAIN.fullmatch(value) or value in {".", ".."}:
        check_unusual_name(value, what)


def check_unusual_name(value: str, what: str) -> None:
    """`check_name` for any name. Raises `MalformedUser`.

    Dots that lead elsewhere in an address, too: a server that reads `%2F` as a slash, as some do, would end another user's sessions.
    """
    if not value or len(value) > LONGEST_NAME:
        raise MalformedUser(f"the {what} has {len(value)} characters, 1 to {LONGEST_NAME} are possible")
    if _is_blank(value[0]) or _is_blank(value[-1]):
        raise MalformedUser(f"the {what} begins or ends with a blank")
    if {".", ".."} & set(value.split("/")):
        raise MalformedUser(f"the {what} is or contains a path of dots: no address could name this user, to end the sessions")
    if "\\" in value:
        raise MalformedUser(f"the {what} contains a backslash")
    if not _is_carried(value) or any(unicodedata.category(character) == "Cf" for character in value):
        raise MalformedUser(f"the {what} contains a control character, an invisible one, or half a character")
    if not unicodedata.is_normalized("NFC", value):
        raise MalformedUser(f"the {what} is not in Unicode normalization form C")


def check_directory(directory: str) -> None:
    """Not one that Qlik Sense keeps for itself, nor one that some folding of letters turns into it."""
    if _skeleton(directory) in RESERVED_DIRECTORIES:
        raise ReservedDirectory(f"the directory {directory!a} belongs to Qlik Sense itself")


@lru_cache(maxsize=512)
def check_attribute_name(name: str) -> None:
    """An attribute's name that can be carried and cannot pass for one of Qlik Sense's own. Raises `ReservedAttribute`."""
    shown = ascii(name[:LONGEST_NAME])
    if _skeleton(name) in RESERVED_ATTRIBUTES:
        raise ReservedAttribute(f"the attribute {shown} is set by Qlik Sense itself")
    if not name or len(name) > LONGEST_NAME:
        raise ReservedAttribute(f"an attribute's name has {len(name)} characters, 1 to {LONGEST_NAME} are possible")
    if not _is_carried(name) or any(character in ";=" or _is_blank(character) for character in name):
        raise ReservedAttribute(f"the attribute {shown} has ; = a blank or a control character in its name")


def check_attribute_value(name: str, value: str) -> None:
    """An attribute's value; it may be empty. Raises `AttributeUnmapped`."""
    if not _is_carried(value):
        raise AttributeUnmapped(f"a value of the attribute {name!a} contains a control character or half a character")


def check_size(attributes: tuple[tuple[str, str], ...]) -> None:
    """All attributes together, as X-Qlik-Security will carry them. Raises `AttributesTooLarge`."""
    total = attributes_size(attributes)
    if total > ATTRIBUTE_BUDGET:
        totals: dict[str, int] = {}
        for name, value in attributes:
            totals[name] = totals.get(name, 0) + attribute_size(name, value)
        largest = max(totals, key=lambda name: totals[name])
        raise AttributesTooLarge(
            f"{len(attributes)} attributes take {total} bytes of {ATTRIBUTE_BUDGET}, {largest!a} alone {totals[largest]}"
        )


def _is_carried(text: str) -> bool:
    """None of `_UNCARRIED` is printable (`str.isprintable`), so that the usual text is not taken apart."""
    return text.isprintable() or not any(unicodedata.category(character) in _UNCARRIED for character in text)


def _is_blank(character: str) -> bool:
    """Unicode blanks and zero-width characters: older .NET trims both."""
    if character.isascii():
        return character.isspace()
    return character.isspace() or unicodedata.category(character) in ("Cf", "Zs")


def _skeleton(text: str) -> str:
    """`text` with everything folded away in which two spellings of one word can differ: case, width, marks, invisible characters."""
    if text.isascii():  # nothing of the following is there
        return text.lower().strip()
    decomposed = unicodedata.normalize("NFKD", text)
    visible = "".join(character for character in decomposed if unicodedata.category(character) not in _INVISIBLE)
    return visible.upper().casefold().strip()
