"""Short ways to write rules and subjects in tests."""

from __future__ import annotations

from gateway.mapping import AccessRule, Cel, Constant, Rules, Scope, Source, Subject, compile_expression
from gateway.model import JsonValue, QlikUser

USER = QlikUser(directory="CONTOSO", user_id="alice", attributes=(("group", "sales"), ("group", "emea"), ("email", "alice@example.com")))


def subject(*, name_id: str | None = None, **claims: JsonValue) -> Subject:
    return Subject(claims=claims, name_id=name_id)


def cel(source: str) -> Cel:
    return Cel(compile_expression(source, Scope.MAPPING))


def rules(
    user_directory: Source | None = None,
    user_id: Source | None = None,
    *,
    one_of: frozenset[str] | None = None,
    **attributes: Source,
) -> Rules:
    return Rules(
        user_directory=user_directory or Constant("CONTOSO"),
        user_id=user_id or Constant("alice"),
        directory_one_of=one_of,
        attributes=tuple(attributes.items()),
    )


def access(source: str, owner: str = "identity provider entra") -> AccessRule:
    return AccessRule(owner=owner, expression=compile_expression(source, Scope.ACCESS))
