"""Whether rules read something that the provider sent a pointer for: they would decide as if the user had none of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.errors import GroupsWithheld
from gateway.mapping.access import AccessRule
from gateway.mapping.cel import Expression
from gateway.mapping.claims import Subject, show
from gateway.mapping.rules import Rules
from gateway.mapping.sources import Cel, ClaimPath, FirstOf, Source, Stepped
from gateway.mapping.syntax import Call, Ident, Literal, Select, Tree, walk

_MEMBER: Final = r"""\s*(?:\.\s*\??\s*([A-Za-z_]\w*)(?![\w(])|\[\s*\??\s*[rR]?(?:"([^"]*)"|'([^']*)')\s*\])"""
_PATH: Final = re.compile(rf"(?<![\w.])claims((?:{_MEMBER})+)")
_NEXT: Final = re.compile(_MEMBER)
_CLAIMS: Final = (Ident("claims"), Ident(".claims"))
_OVERAGE: Final = (Ident("groups_overage"), Ident(".groups_overage"))
_ASKED: Final = re.compile(r"""(?:"([^"]*)"|'([^']*)')\s+in\s+claims(?![\w.\[])""")


def claim_paths(expression: str) -> Iterator[tuple[str, ...]]:
    """The claims that an expression names, each with the members that it follows: a reading of its text, for advice alone."""
    for path in _PATH.finditer(expression):
        yield tuple("".join(filter(None, member)) for member in _NEXT.findall(path[1]))
    for asked in _ASKED.findall(expression):
        yield ("".join(asked),)


def check_complete(rules: Rules, access: Sequence[AccessRule], subject: Subject) -> None:
    """No rule reads a claim that is withheld. Raises `GroupsWithheld`.

    An access rule that asks for `groups_overage` knows about it and decides itself. Expressions are looked at by the names that
    stand in them: one that only names the claim in passing, or goes through all claims, is taken for one that reads it.
    """
    if not subject.withheld:
        return
    for what, source in (("user_directory", rules.user_directory), ("user_id", rules.user_id), *rules.attributes):
        _check(_missing(source, subject), f"the mapping of {what}")
    for rule in access:
        if not any(part in _OVERAGE for part in walk(rule.expression.demand.tree)):
            _check(_missing_in(rule.expression, subject), f"the access rule {rule.id} of {rule.owner}", rule.id)


def _check(missing: Iterable[str], what: str, rule: str | None = None) -> None:
    for name in sorted(missing):
        raise GroupsWithheld(f"{what} reads claim {show((name,))}, which the provider sent a pointer for instead of values", rule=rule)


def _missing(source: Source, subject: Subject) -> frozenset[str]:
    match source:
        case ClaimPath():
            return frozenset(name for name in source.path[:1] if subject.withholds(name))
        case Cel():
            return _missing_in(source.expression, subject)
        case FirstOf():
            return frozenset().union(*(_missing(inner, subject) for inner in source.sources))
        case Stepped():
            return _missing(source.source, subject)
    return frozenset()


def _missing_in(expression: Expression, subject: Subject) -> frozenset[str]:
    read = frozenset(name for name in _read(expression.demand.tree) if subject.withholds(name))
    return read | {name for name in subject.withheld if _names(expression.source, name)}


def _read(tree: Tree) -> Iterator[str]:
    """The claims that an expression may read, however their names are written: where it takes all claims at once, every text in it."""
    texts: list[str] = []
    whole = 0
    for part in walk(tree):
        match part:
            case Literal(bytes(text)):
                texts.append(text.decode(errors="replace"))
            case Ident() if part in _CLAIMS:
                whole += 1
            case Select(Ident() as held, name, _) if held in _CLAIMS:
                whole -= 1
                yield name
            case Call("_?._" | "_[_]" | "_[?_]", (Ident() as held, Literal(bytes(text)))) if held in _CLAIMS:
                whole -= 1
                yield text.decode(errors="replace")
            case Call("@in", (Literal(bytes(text)), Ident() as held)) if held in _CLAIMS:
                whole -= 1
                yield text.decode(errors="replace")
    if whole:
        yield from texts


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
