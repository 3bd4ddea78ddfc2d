"""Access rules: whether a mapped user may come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import AccessDenied, ExpressionFailed
from gateway.mapping.cel import Expression, Inputs, Scope, evaluate
from gateway.mapping.claims import Subject
from gateway.model import QlikUser

_MANY = 500
"""With more attribute values than this, list expressions over them are held short as with large claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """`allow:` of an identity provider or a virtual proxy. `owner` names it in logs and traces."""

    owner: str
    expression: Expression


def check_access(rules: Sequence[AccessRule], subject: Subject, user: QlikUser, *, idp: str) -> None:
    """Every rule comes out as the boolean true. Raises `AccessDenied` on false, `ExpressionFailed` on anything else."""
    if not rules:
        return
    inputs = _inputs(subject, user, idp)
    for rule in rules:
        what = f"the access rule of {rule.owner}"
        outcome = evaluate(rule.expression, inputs, what=what)
        if outcome is False:
            raise AccessDenied(f"{what} gave false")
        if outcome is not True:
            raise ExpressionFailed(f"{what} gave neither true nor false")


def _inputs(subject: Subject, user: QlikUser, idp: str) -> Inputs:
    attributes: dict[str, list[str]] = {}
    for name, value in user.attributes:
        attributes.setdefault(name, []).append(value)
    data: dict[str, object] = {
        "claims": subject.claims,
        "idp": idp,
        "groups_overage": subject.groups_overage,
        "user.directory": user.directory,
        "user.id": user.user_id,
        "user.attributes": attributes,
    }
    if subject.name_id is not None:
        data["name_id"] = subject.name_id
    return Inputs(Scope.ACCESS, data, large=subject.large or len(user.attributes) > _MANY)
