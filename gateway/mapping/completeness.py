"""Whether rules read something that the provider sent a pointer for: they would decide as if the user had none of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gateway.errors import GroupsWithheld
from gateway.mapping.access import AccessRule
from gateway.mapping.claims import Subject, show
from gateway.mapping.rules import Rules
from gateway.mapping.sources import Cel, ClaimPath, FirstOf, Source, Stepped


def check_complete(rules: Rules, access: Sequence[AccessRule], subject: Subject) -> None:
    """No rule reads a claim that is withheld. Raises `GroupsWithheld`.

    An access rule that asks for `groups_overage` knows about it and decides itself. Expressions are looked at by the names
    that stand in them: one that only names the claim in passing is taken for one that reads it.
    """
    withheld = subject.withheld
    if not withheld:
        return
    for what, source in (("user_directory", rules.user_directory), ("user_id", rules.user_id), *rules.attributes):
        _check((name for name in withheld if _reads(source, name)), f"the mapping of {what}")
    for rule in access:
        text = rule.expression.source
        if not _names(text, "groups_overage"):
            _check((name for name in withheld if _names(text, name)), f"the access rule {rule.id} of {rule.owner}", rule.id)


def _check(missing: Iterable[str], what: str, rule: str | None = None) -> None:
    for name in sorted(missing):
        raise GroupsWithheld(f"{what} reads claim {show((name,))}, which the provider sent a pointer for instead of values", rule=rule)


def _reads(source: Source, name: str) -> bool:
    match source:
        case ClaimPath():
            return source.path[0] == name
        case Cel():
            return _names(source.expression.source, name)
        case FirstOf():
            return any(_reads(inner, name) for inner in source.sources)
        case Stepped():
            return _reads(source.source, name)
    return False


def _names(expression: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", expression) is not None
