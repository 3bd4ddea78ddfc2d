"""Access rules: whether a mapped user may come in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from gateway.errors import AccessDenied, ExpressionFailed
from gateway.mapping.cel import Expression, Inputs, Scope, evaluate
from gateway.mapping.claims import SMALL_TEXT, SMALL_TOTAL, SMALL_VALUES, Subject, weigh
from gateway.model import QlikUser

_USER = re.compile(r"\buser\b")
"""However its members are written: `(user).id` is `user.id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """One rule of an identity provider or a virtual proxy. `owner` names whose it is in logs and traces.

    `allow:` must come out true. An entry of `deny:` (`denies`) must come out false; where it comes out true, `message` is
    what its author wants the user to read. `id` is told with every refusal, on the page, in the log and as a metric's label.
    """

    owner: str
    id: str = "allow"
    expression: Expression
    denies: bool = False
    message: str | None = None
    reads_user: bool = field(init=False, repr=False, compare=False)
    reads_overage: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What it does not name is not worked out for it."""
        object.__setattr__(self, "reads_user", _USER.search(self.expression.source) is not None)
        object.__setattr__(self, "reads_overage", "groups_overage" in self.expression.source)


def check_access(rules: Sequence[AccessRule], subject: Subject, user: QlikUser, *, idp: str) -> None:
    """Every rule passes, in their order. Raises `AccessDenied` where one refuses, `ExpressionFailed` where one decides nothing."""
    if not rules:
        return
    inputs = _inputs(rules, subject, user, idp)
    for rule in rules:
        _check_rule(rule, inputs)


def _check_rule(rule: AccessRule, inputs: Inputs) -> None:
    """A rule passes on its own boolean alone; an error decides nothing, and so refuses."""
    what = f"the access rule {rule.id} of {rule.owner}"
    try:
        outcome = evaluate(rule.expression, inputs, what=what)
    except ExpressionFailed as failure:
        raise ExpressionFailed(failure.detail, rule=rule.id) from None
    if not isinstance(outcome, bool):
        raise ExpressionFailed(f"{what} gave neither true nor false", rule=rule.id)
    if outcome is rule.denies:
        raise AccessDenied(f"{what} gave {str(outcome).lower()}", rule=rule.id, message=rule.message)


def _inputs(rules: Sequence[AccessRule], subject: Subject, user: QlikUser, idp: str) -> Inputs:
    data: dict[str, object] = {"claims": subject.claims, "idp": idp}
    large = subject.large
    if subject.name_id is not None:
        data["name_id"] = subject.name_id
    if any(rule.reads_overage for rule in rules):
        data["groups_overage"] = subject.groups_overage
    if any(rule.reads_user for rule in rules):
        data |= {"user.directory": user.directory, "user.id": user.user_id, "user.attributes": _by_name(user)}
        large = large or _is_large(user)
    return Inputs(Scope.ACCESS, data, large=large)


def _by_name(user: QlikUser) -> dict[str, list[str]]:
    attributes: dict[str, list[str]] = {}
    for name, value in user.attributes:
        attributes.setdefault(name, []).append(value)
    return attributes


def _is_large(user: QlikUser) -> bool:
    """As claims are large: what rules made of claims may be longer than they."""
    longest, total = weigh((user.directory, user.user_id, *chain.from_iterable(user.attributes)))
    return len(user.attributes) > SMALL_VALUES or longest > SMALL_TEXT or total > SMALL_TOTAL
