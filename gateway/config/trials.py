"""Runs the tests that stand in an identity provider's file: each is a login by its claims, without the login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.config.diagnostics import Code
from gateway.config.document import Document
from gateway.config.tree import Node, Section
from gateway.config.wire_trials import ExpectWire, TrialWire
from gateway.explain import Explanation, explain
from gateway.mapping import AccessRule, Overrides, Rules
from gateway.model import QlikUser

_LONGEST = 300
_Complaint: TypeAlias = tuple[tuple[str, ...], str]
"""The keys that lead to an expectation, and what came instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a test signs in: what a virtual proxy adds to the provider's own mapping and rules."""

    overrides: Overrides | None = None
    access: tuple[AccessRule, ...] = ()


def run_trials(
    document: Document, trials: Sequence[TrialWire], rules: Rules, access: tuple[AccessRule, ...], doors: Mapping[str, Door] | None
) -> None:
    """Every test that does not come out as it says is a problem at its place. `doors` None: gateway.yaml has problems of its own."""
    for trial, node in zip(trials, document.root.items("tests"), strict=True):
        if trial.virtual_proxy is not None and (doors is None or trial.virtual_proxy not in doors):
            continue  # nothing to sign in at; told elsewhere
        door = doors[trial.virtual_proxy] if doors is not None and trial.virtual_proxy is not None else Door()
        told = explain(
            rules if door.overrides is None else door.overrides.over(rules),
            access + door.access,
            claims=trial.claims,
            name_id=trial.name_id,
            idp=document.id,
        )
        for key, complaint in _complaints(trial, told):
            document.report(Code.TRIAL, _place(node, key), f"test '{trial.name}': {complaint}"[:_LONGEST])


def _place(node: Node, path: tuple[str, ...]) -> Node:
    return (node.get(*path) if isinstance(node, Section) else None) or node


def _complaints(trial: TrialWire, told: Explanation) -> list[_Complaint]:
    """What came out otherwise, each with the keys that lead to the expectation."""
    if trial.expect is None:
        return _refusal_complaints(trial, told)
    if told.user is None or told.refusal is not None:
        reason = "" if told.refusal is None else f"{told.refusal.code}: {told.refusal.detail}"
        return [(("expect",), f"refused with {reason}")]
    return _user_complaints(trial.expect, told.user)


def _refusal_complaints(trial: TrialWire, told: Explanation) -> list[_Complaint]:
    if told.refusal is None:
        who = "nobody" if told.user is None else f"{told.user.directory}\\{told.user.user_id}"
        return [(("refused",), f"allowed in as {who}")]
    if told.refusal.code != trial.refused:
        return [(("refused",), f"refused with {told.refusal.code}: {told.refusal.detail}")]
    if trial.rule is not None and told.refusal.rule != trial.rule:
        return [(("rule",), f"refused by {told.refusal.rule or 'no rule'}: {told.refusal.detail}")]
    return []


def _user_complaints(expect: ExpectWire, user: QlikUser) -> list[_Complaint]:
    found: list[_Complaint] = []
    if expect.user_directory not in (None, user.directory):
        found.append((("expect", "user_directory"), f"the user directory is '{user.directory}'"))
    if expect.user_id not in (None, user.user_id):
        found.append((("expect", "user_id"), f"the user id is '{user.user_id}'"))
    if expect.attributes is not None:
        found += [(("expect", "attributes", *path), complaint) for path, complaint in _attribute_complaints(expect.attributes, user)]
    return found


def _attribute_complaints(expected: Mapping[str, str | list[str]], user: QlikUser) -> list[_Complaint]:
    given: dict[str, list[str]] = {}
    for name, value in user.attributes:
        given.setdefault(name, []).append(value)
    wanted = {name: [values] if isinstance(values, str) else values for name, values in expected.items()}
    wrong = [name for name, values in wanted.items() if given.get(name, []) != values]
    found: list[_Complaint] = [((name,), f"the attribute '{name}' is {_listed(given.get(name, []))}") for name in wrong]
    found += [((), f"there is an attribute '{name}', too: {_listed(given[name])}") for name in given if name not in wanted]
    return found


def _listed(values: Sequence[str]) -> str:
    return f"[{', '.join(values)}]" if values else "not there"
