"""`mapping:`, `deny:` and `allow:` that passed every check to rules of the core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.config.folder import Surroundings
from gateway.config.tables import read_table
from gateway.config.wire_gateway import DenyWire
from gateway.config.wire_mapping import (
    AlternativeWire,
    AttributeWire,
    DirectoryWire,
    MappingWire,
    OneAlternativeWire,
    OverridesWire,
    UserIdWire,
)
from gateway.config.wire_steps import STEPS, FilterWire, ReplaceWire, StepWire, TableWire
from gateway.mapping import (
    AccessRule,
    Budget,
    Cel,
    ClaimPath,
    Constant,
    Expression,
    FirstOf,
    NameId,
    Overrides,
    Replacement,
    Rules,
    Source,
    Stepped,
    actions,
    read_replacement,
)

_PLAIN: dict[str, actions.Action] = {
    "lower": actions.Lower(),
    "upper": actions.Upper(),
    "trim": actions.Trim(),
    "unique": actions.Unique(),
}


def build_rules(wire: MappingWire, surroundings: Surroundings) -> Rules:
    """The mapping of an identity provider. Tables that it names have been read before."""
    listed = wire.user_directory.one_of
    return Rules(
        user_directory=_source(wire.user_directory, surroundings),
        directory_one_of=None if listed is None else frozenset(listed),
        user_id=_source(wire.user_id, surroundings),
        attributes=tuple((name, _source(attribute, surroundings)) for name, attribute in wire.attributes.items()),
        budget=_budget(wire),
    )


def build_overrides(wire: OverridesWire | None, surroundings: Surroundings) -> Overrides | None:
    """What a virtual proxy decides itself."""
    if wire is None:
        return None
    directory = wire.user_directory
    return Overrides(
        user_directory=None if directory is None else _source(directory, surroundings),
        directory_one_of=None if directory is None or directory.one_of is None else frozenset(directory.one_of),
        attributes=tuple((name, _source(attribute, surroundings)) for name, attribute in wire.attributes.items()),
        without=frozenset(wire.without),
        budget=_budget(wire),
    )


def build_access(owner: str, deny: Sequence[DenyWire], allow: Expression | None) -> tuple[AccessRule, ...]:
    """The access rules of one owner: first what it denies, then what it allows."""
    denials = [AccessRule(owner=owner, id=rule.id, expression=rule.when, denies=True, message=rule.message) for rule in deny]
    return (*denials, *([] if allow is None else [AccessRule(owner=owner, expression=allow)]))


def _budget(wire: MappingWire | OverridesWire | AttributeWire) -> Budget | None:
    return None if wire.budget is None else Budget(most=wire.budget, drop=wire.over_budget == "drop")


def _source(wire: DirectoryWire | UserIdWire | AttributeWire | OneAlternativeWire | AlternativeWire, surroundings: Surroundings) -> Source:
    source = _plain(wire, surroundings)
    steps = tuple(_action(step, surroundings) for step in wire.steps or ())
    default = wire.default if isinstance(wire, (DirectoryWire, AttributeWire)) else None
    budget = _budget(wire) if isinstance(wire, AttributeWire) else None
    if not steps and default is None and budget is None:
        return source
    return Stepped(source=source, actions=steps, default=_texts(default), budget=budget)


def _plain(wire: DirectoryWire | UserIdWire | AttributeWire | OneAlternativeWire | AlternativeWire, surroundings: Surroundings) -> Source:
    if wire.cel is not None:
        return Cel(wire.cel)
    if wire.claim is not None:
        return ClaimPath(_texts(wire.claim))
    if not isinstance(wire, (OneAlternativeWire, AlternativeWire)) and wire.first_of is not None:
        return FirstOf(tuple(_source(one, surroundings) for one in wire.first_of))
    return NameId() if wire.name_id else Constant(wire.value or "")


def _action(wire: str | StepWire, surroundings: Surroundings) -> actions.Action:
    if isinstance(wire, str):
        return _PLAIN[wire]
    if wire.table is not None:
        return _table(wire.table, surroundings)
    name = next(name for name in STEPS if getattr(wire, name) is not None)
    return _MAKERS[name](getattr(wire, name))


def _filter(wire: FilterWire) -> actions.Filter:
    return actions.Filter(prefixes=_texts(wire.prefix), exact=frozenset(_texts(wire.exact)), pattern=wire.match)


def _replace(wire: ReplaceWire) -> actions.Replace:
    if wire.pattern is not None:
        return actions.Replace(wire.pattern, read_replacement(wire.by, wire.pattern))
    return actions.Replace(wire.text or "", Replacement(wire.by, (wire.by,)))


def _table(wire: TableWire, surroundings: Surroundings) -> actions.Table:
    keep = wire.otherwise == "keep"
    if wire.file is None:
        return actions.Table(name="inline", entries={key: _texts(entry) for key, entry in (wire.values or {}).items()}, keep_others=keep)
    content = surroundings.table(wire.file)
    return actions.Table(name=wire.file, entries={} if content is None else read_table(wire.file, content), keep_others=keep)


def _texts(value: str | list[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


_MAKERS: dict[str, Callable[[Any], actions.Action]] = {
    "strip_prefix": actions.StripPrefix,
    "strip_suffix": actions.StripSuffix,
    "match": actions.Match,
    "replace": _replace,
    "split": actions.Split,
    "filter": _filter,
    "cap": actions.Cap,
}
