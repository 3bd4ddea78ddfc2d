"""What a test sign-in shows, as texts.

The verified claims without anything that could be used elsewhere, each step, each rule, the ticket that a login would have
asked for, and the same as a test for the identity provider's file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.explain import Explanation
from gateway.model import Claims, JsonValue, QlikUser, VerifiedIdentity

HIDDEN: Final = "(not shown)"
_TOKENS: Final = frozenset({"access_token", "refresh_token", "id_token", "jwt", "id_token_hint", "code", "client_secret", "assertion"})
"""Members that carry what opens something elsewhere, such as the access token of a distributed claim (OIDC Core §5.6.2)."""
_COMPACT: Final = re.compile(r"e[yw][A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}")
"""A JWS or JWE in compact form (RFC 7515 §7.1, RFC 7516 §7.1): its header is JSON, which begins like this in base64url."""
_SHORTEST_TOKEN: Final = 40
_OF_ONE_LOGIN: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "jti", "sid", "session_state"})
"""Claims that are another at every login, and say nothing about the user."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step or rule: what it is called, what it says, what came of it. `good` None: neither good nor bad."""

    name: str
    source: str = field(repr=False)
    outcome: str = field(repr=False)
    good: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One test sign-in, ready to be shown. `code`, `title` and `detail` are those of the refusal; None and empty when there is none."""

    idp: str
    virtual_proxy: str
    code: str | None = None
    title: str = ""
    detail: str = field(default="", repr=False)
    notes: tuple[str, ...] = ()
    claims: str = field(repr=False)
    steps: tuple[Line, ...] = field(repr=False)
    rules: tuple[Line, ...] = field(repr=False)
    ticket_request: str | None = field(repr=False)
    test_case: str = field(repr=False)


def trace_of(told: Explanation, identity: VerifiedIdentity, *, idp: str, virtual_proxy: str) -> Trace:
    """The explanation of what this identity becomes, as texts."""
    refusal = told.refusal
    shown = {name: without_tokens(value, name) for name, value in identity.claims.items()}
    name_id = {} if identity.name_id is None else {"name_id": identity.name_id}
    return Trace(
        idp=idp,
        virtual_proxy=virtual_proxy,
        code=None if refusal is None else refusal.code,
        title="" if refusal is None else refusal.title,
        detail="" if refusal is None else refusal.detail,
        notes=told.notes,
        claims=_json(shown if not name_id else {"claims": shown, **name_id}),
        steps=tuple(_steps(told)),
        rules=tuple(_rules(told)),
        ticket_request=None if told.ticket_request is None else _json(told.ticket_request),
        test_case=as_test(told, shown, name_id, virtual_proxy=virtual_proxy),
    )


def without_tokens(value: JsonValue, name: str = "") -> JsonValue:
    """A claim as it may be shown: tokens inside it are taken out, wherever they stand."""
    if name.lower() in _TOKENS:
        return HIDDEN
    if isinstance(value, str):
        return _COMPACT.sub(lambda match: HIDDEN if len(match[0]) >= _SHORTEST_TOKEN else match[0], value)
    if isinstance(value, dict):
        return {key: without_tokens(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_tokens(inner) for inner in value]
    return value


def as_test(told: Explanation, claims: Claims, name_id: Mapping[str, str], *, virtual_proxy: str) -> str:
    """An entry of `tests:` in the identity provider's file that comes out like this sign-in."""
    kept = {name: value for name, value in claims.items() if name not in _OF_ONE_LOGIN}
    case: dict[str, JsonValue] = {"name": "copied from a test sign-in", "claims": kept, **name_id, "virtual_proxy": virtual_proxy}
    if told.refusal is not None:
        case["refused"] = told.refusal.code
        case |= {} if told.refusal.rule is None else {"rule": told.refusal.rule}
    elif told.user is not None:
        case["expect"] = _expected(told.user)
    return "\n".join(_yaml_item(case))


def _expected(user: QlikUser) -> dict[str, JsonValue]:
    attributes: dict[str, list[JsonValue]] = {}
    for name, value in user.attributes:
        attributes.setdefault(name, []).append(value)
    single_or_all = {name: values[0] if len(values) == 1 else values for name, values in attributes.items()}
    return {"user_directory": user.directory, "user_id": user.user_id, "attributes": single_or_all}


def _texts(values: Sequence[str]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values) or "no value"


def _steps(told: Explanation) -> Iterator[Line]:
    for step in told.steps:
        changes = [f"{change.action}: {_texts(change.before)} → {_texts(change.after)} {change.note}".rstrip() for change in step.changes]
        outcome = [] if step.output is None else [_texts(step.output)]
        yield Line(
            name=step.name,
            source=step.source,
            outcome="\n".join([*changes, *outcome, *filter(None, [step.note])]),
            good=None if step.output is None else True,
        )


def _rules(told: Explanation) -> Iterator[Line]:
    for rule in told.rules:
        passed = rule.refusal is None
        outcome = "passed" if rule.refusal is None else f"{rule.refusal.code}: {rule.refusal.detail}"
        source = f"{'deny when' if rule.denies else 'allow'} {rule.expression}"
        yield Line(name=f"{rule.owner}, rule {rule.id}", source=source, outcome=outcome, good=passed)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _yaml_item(case: Mapping[str, JsonValue]) -> Iterator[str]:
    """One item of a list, in block form; every value in JSON's form, which YAML 1.2 reads the same."""
    for number, line in enumerate(_yaml(case, 0)):
        yield f"{'  ' if number else '- '}{line}"


def _yaml(value: Mapping[str, JsonValue], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, inner in value.items():
        key = name if _PLAIN.fullmatch(name) and name.lower() not in {"true", "false", "null"} else json.dumps(name, ensure_ascii=False)
        if isinstance(inner, dict) and inner:
            yield f"{indent}{key}:"
            yield from _yaml(inner, depth + 1)
        else:
            yield f"{indent}{key}: {json.dumps(inner, ensure_ascii=False)}"
