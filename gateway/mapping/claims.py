"""The one gate that claims pass before any rule sees them.

Claims are proven to come from the provider, but what stands in them is often the user's own text, and the expression
runtime behind the rules is not made for hostile text: NUL ends a string, one lone surrogate or one integer beyond 64
bits breaks every expression, nesting by the thousand ends the process. So what a rule sees is bounded here, once, and
a `Subject` cannot exist without having passed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, cast

from gateway.errors import ClaimsRefused
from gateway.model import Claims, JsonValue, VerifiedIdentity

MAX_DEPTH: Final = 32
"""How deep objects and lists may nest; the claims object itself is the first."""
MAX_NODES: Final = 5_000
"""How many JSON values the claims may hold, objects and lists counted."""
MAX_STRING: Final = 8_192
"""How long a string or a member's name may be, in bytes of UTF-8."""

_SHORT: Final = MAX_STRING // 4
"""So many characters are never too long: none takes more than four bytes."""
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1
SMALL_VALUES: Final = 500
SMALL_TEXT: Final = 500
SMALL_TOTAL: Final = 32_768
"""Claims of at most so many values, no text or name longer than so many bytes, nor all together than these, are of the usual size."""
_SHOWN: Final = 200
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SAML_POINTER: Final = "http://schemas.microsoft.com/claims/groups.link"
_SAML_GROUPS: Final = frozenset(
    {"http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "http://schemas.xmlsoap.org/claims/Group", "groups"}
)
"""The attributes that groups arrive in, unless a pointer does; the last is the short name that presets give them."""
_NOTHING: Final = frozenset[str]()
_LIKE_GROUPS: Final = re.compile("group|role|member", re.IGNORECASE)
"""How claims are called that groups may arrive in under a name of the administrators' own, or as roles."""
_MULTILINE: Final = frozenset({("address", "formatted"), ("address", "street_address")})
"""The claims that may hold several lines by their own definition (OIDC Core §5.1.1)."""


def text_fault(text: str) -> str | None:
    """Why a string can neither be given to a rule nor put into a ticket; None: it can."""
    if text.isprintable() and len(text) <= _SHORT:  # nothing that is unfit is printable
        return None
    if (unfit := _UNFIT.search(text)) is not None:
        character = ord(unfit.group())
        kind = "a lone surrogate" if character >= 0xD800 else "a control character"  # noqa: PLR2004 the first surrogate
        return f"{kind} (U+{character:04X})"
    if len(text) > _SHORT and len(text.encode()) > MAX_STRING:
        return f"more than {MAX_STRING} bytes"
    return None


def read_claims(claims: Claims) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
    """A bounded copy of the claims, and a note on everything that was left out of it. Raises `ClaimsRefused`.

    Refused: control characters (line breaks in the two multi-line members of `address` excepted), lone surrogates,
    strings over `MAX_STRING`, more than `MAX_NODES` values, more than `MAX_DEPTH` levels, and anything but JSON; names
    of members are held to the same. Left out with a note: integers beyond 64 bits, numbers that are not finite.
    """
    gate = _Gate()
    return gate.members(claims, ()), tuple(dict.fromkeys(gate.notes))


def are_plain_texts(values: Sequence[object]) -> bool:
    """Whether there are values, and all are short, printable texts, as groups usually are: told at once, for there may be hundreds."""
    together = _printable(values)
    if together is None:
        return False
    return len(together) <= _SHORT or max(map(len, cast("Sequence[str]", values))) <= _SHORT


def _printable(values: Sequence[object]) -> str | None:
    """All in one, where all are printable texts, and not all of them empty."""
    try:
        together = "".join(cast("Sequence[str]", values))
    except TypeError:
        return None
    return together if together and together.isprintable() else None


def weigh(texts: Collection[str]) -> tuple[int, int]:
    """How many bytes of UTF-8 the longest text, and all together have at most; told from their lengths."""
    return _weigh(texts, "".join(texts))


def _weigh(texts: Collection[str], together: str) -> tuple[int, int]:
    if not texts:
        return 0, 0
    if together.isascii():
        return max(map(len, texts)), len(together)
    lengths = [len(text) if text.isascii() else 4 * len(text) for text in texts]
    return max(lengths), sum(lengths)


class _Gate:
    """One pass over the claims: counts, copies what may stay, notes what was left out."""

    __slots__ = ("longest", "nodes", "notes", "total")

    def __init__(self) -> None:
        self.nodes = 0
        self.total = 0
        self.longest = 0
        self.notes: list[str] = []

    @property
    def large(self) -> bool:
        return self.nodes > SMALL_VALUES or self.longest > SMALL_TEXT or self.total > SMALL_TOTAL

    def members(self, members: Claims, path: tuple[str, ...], depth: int = 1) -> dict[str, JsonValue]:
        return self.plain(members, depth) or self.copied(members, path, depth)

    def plain(self, members: Claims, depth: int) -> dict[str, JsonValue] | None:
        """What `copied` does, at once, with members that are short, printable texts, lists of these, or usual scalars; None for others."""
        texts = list(members)
        nodes = 1 + len(members)
        for value in members.values():
            kind = type(value)
            if kind is str:
                texts.append(cast("str", value))
            elif kind is list:
                texts += cast("list[str]", value)
                nodes += len(cast("list[str]", value))
            elif not (value is None or kind is bool or (kind is int and _SMALLEST <= cast("int", value) <= _LARGEST)):
                return None
        if depth >= MAX_DEPTH or self.nodes + nodes > MAX_NODES or (together := _printable(texts)) is None:
            return None
        longest, total = _weigh(texts, together)
        if longest > _SHORT and max(map(len, texts)) > _SHORT:
            return None
        self.nodes += nodes
        self._add(longest, total)
        return {name: value.copy() if type(value) is list else value for name, value in members.items()}

    def copied(self, members: Claims, path: tuple[str, ...], depth: int) -> dict[str, JsonValue]:
        self._count(path, depth)
        copy: dict[str, JsonValue] = {}
        for name, value in members.items():
            self._check_name(name, path)
            if self._fits(value, (*path, name)):
                copy[name] = self._copy(value, (*path, name), depth)
        self._measure(copy)
        return copy

    def _copy(self, value: object, path: tuple[str, ...], depth: int) -> JsonValue:
        if isinstance(value, str):
            self._count(path, depth)
            return self.text(value, path)
        if isinstance(value, dict):
            return self.members(value, path, depth + 1)
        if isinstance(value, list):
            self._count(path, depth + 1)
            if are_plain_texts(value):
                self._count(path, depth + 1, len(value))
                self._measure(cast("list[str]", value))
                return value.copy()
            return [self._copy(item, path, depth + 1) for item in value if self._fits(item, path)]
        self._count(path, depth)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        raise ClaimsRefused(f"claim {show(path)} is no JSON value")

    def text(self, text: str, path: tuple[str, ...]) -> str:
        if not text.isprintable() and path in _MULTILINE:
            fault = text_fault(text.replace("\r\n", " ").replace("\n", " "))
        else:
            fault = text_fault(text)
        if fault is not None:
            raise ClaimsRefused(f"claim {show(path)} holds {fault}")
        length = len(text) if text.isascii() else 4 * len(text)
        if length > self.longest:  # noqa: PLR1730 a call less for each text
            self.longest = length
        self.total += length
        return text

    def _check_name(self, name: object, path: tuple[str, ...]) -> None:
        fault = text_fault(name) if isinstance(name, str) else "something else than text"
        if fault is not None:
            raise ClaimsRefused(f"the name of a member of {show(path) or 'the claims'} holds {fault}")

    def _measure(self, texts: Collection[str]) -> None:
        self._add(*weigh(texts))

    def _add(self, longest: int, total: int) -> None:
        if longest > self.longest:  # noqa: PLR1730 a call less
            self.longest = longest
        self.total += total

    def _count(self, path: tuple[str, ...], depth: int, values: int = 1) -> None:
        self.nodes += values
        if self.nodes > MAX_NODES:
            raise ClaimsRefused(f"the claims hold more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise ClaimsRefused(f"claim {show(path[:3])} nests more than {MAX_DEPTH} levels")

    def _fits(self, value: object, path: tuple[str, ...]) -> bool:
        """Whether the runtime can hold a number; what it cannot hold is left out with a note (True for all but numbers)."""
        if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
            self.notes.append(f"claim {show(path)}: an integer beyond 64 bits was left out")
            return False
        if isinstance(value, float) and not isfinite(value):
            self.notes.append(f"claim {show(path)}: a number that is not finite was left out")
            return False
        return True


def show(path: tuple[str, ...]) -> str:
    """A claim's place, as traces and logs name it."""
    return " → ".join(path)[:_SHOWN]


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Subject:
    """What rules may know about a user: claims and NameID that have passed the gate. Raises `ClaimsRefused`.

    `notes` says what the gate left out; `large`, that the claims are longer than usual, so that expressions may become expensive.
    """

    claims: Claims = field(repr=False)
    name_id: str | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    large: bool = False

    def __init__(self, *, claims: Claims, name_id: str | None = None) -> None:
        gate = _Gate()
        passed = gate.members(claims, ())
        if name_id is not None:
            gate.text(name_id, ("name_id",))
        object.__setattr__(self, "claims", passed)
        object.__setattr__(self, "name_id", name_id)
        object.__setattr__(self, "notes", tuple(dict.fromkeys(gate.notes)))
        object.__setattr__(self, "large", gate.large)

    @classmethod
    def of(cls, identity: VerifiedIdentity) -> Subject:
        """The subject of a verified identity. Raises `ClaimsRefused`."""
        return cls(claims=identity.claims, name_id=identity.name_id)

    @property
    def withheld(self) -> frozenset[str]:
        """The names of claims that the provider sent a pointer for instead of values, as Entra does for users in many groups.

        OIDC Core §5.6.2 (`_claim_names`), Entra's `hasgroups`, and its SAML attribute `groups.link`. The pointer itself
        is never followed.
        """
        names = self.claims.get("_claim_names")
        found: frozenset[str] = frozenset(names) if isinstance(names, dict) else _NOTHING
        if self.claims.get("hasgroups") in (True, "true"):
            found |= {"groups"}
        return found | _SAML_GROUPS if _SAML_POINTER in self.claims else found

    def withholds(self, name: str) -> bool:
        """Whether a claim is withheld. The pointer in SAML does not say which: one that is not there and may hold groups counts."""
        if name in self.withheld:
            return True
        return _SAML_POINTER in self.claims and name not in self.claims and _LIKE_GROUPS.search(name) is not None

    @property
    def groups_overage(self) -> bool:
        """Whether what is withheld are groups."""
        return not self.withheld.isdisjoint({"groups"} | _SAML_GROUPS)
