"""Whether rules read something that the provider sent a pointer for: they would decide as if the user had none of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.errors import GroupsWithheld
from gateway.mapping.access import AccessRule
from gateway.mapping.claims import Subject, show
from gateway.mapping.rules import Rules
from gateway.mapping.sources import Cel, ClaimPath, FirstOf, Source, Stepped

_MEMBER: Final = r"""\s*(?:\.\s*\??\s*([A-Za-z_]\w*)(?![\w(])|\[\s*\??\s*[rR]?(?:"([^"]*)"|'([^']*)')\s*\])"""
_PATH: Final = re.compile(rf"(?<![\w.])claims((?:{_MEMBER})+)")
_NEXT: Final = re.compile(_MEMBER)
_ASKED: Final = re.compile(r"""(?:"([^"]*)"|'([^']*)')\s+in\s+claims(?![\w.\[])""")


def claim_paths(expression: str) -> Iterator[tuple[str, ...]]:
    """The claims that an expression names, each with the members that it follows: a reading of its text, for advice and refusals alone."""
    for path in _PATH.finditer(expression):
        yield tuple("".join(filter(None, member)) for member in _NEXT.findall(path[1]))
    for asked in _ASKED.findall(expression):
        yield ("".join(asked),)


def check_complete(rules: Rules, access: Sequence[AccessRule], subject: Subject) -> None:
    """No rule reads a claim that is withheld. Raises `GroupsWithheld`.

    An access rule that asks for `groups_overage` knows about it and decides itself. Expressions are looked at by the names
    that stand in them: one that only names the claim in passing is taken for one that reads it.
    """
    if not subject.withheld:
        return
    for what, source in (("user_directory", rules.user_directory), ("user_id", rules.user_id), *rules.attributes):
        _check(_missing(source, subject), f"the mapping of {what}")
    for rule in access:
        if not _names(rule.expression.source, "groups_overage"):
            _check(_missing_in(rule.expression.source, subject), f"the access rule {rule.id} of {rule.owner}", rule.id)


def _check(missing: Iterable[str], what: str, rule: str | None = None) -> None:
    for name in sorted(missing):
        raise GroupsWithheld(f"{what} reads claim {show((name,))}, which the provider sent a pointer for instead of values", rule=rule)


def _missing(source: Source, subject: Subject) -> frozenset[str]:
    match source:
        case ClaimPath():
            return frozenset(name for name in source.path[:1] if subject.withholds(name))
        case Cel():
            return _missing_in(source.expression.source, subject)
        case FirstOf():
            return frozenset().union(*(_missing(inner, subject) for inner in source.sources))
        case Stepped():
            return _missing(source.source, subject)
    return frozenset()


def _missing_in(expression: str, subject: Subject) -> frozenset[str]:
    read = frozenset(name for name, *_ in claim_paths(expression) if subject.withholds(name))
    return read | {name for name in subject.withheld if _names(expression, name)}


def _names(expression: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", expression) is not None
