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
from gateway.web.veil import Veil

_OF_ONE_LOGIN: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "jti", "sid", "session_state"})
"""Claims that are another at every login, and say nothing about the user."""
_UNFIT: Final = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
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
    refusal, veil = told.refusal, Veil.over(identity.claims)
    shown = {veil.text(name): veil.value(value, name) for name, value in identity.claims.items()}
    name_id = {} if identity.name_id is None else {"name_id": veil.text(identity.name_id)}
    return Trace(
        idp=idp,
        virtual_proxy=virtual_proxy,
        code=None if refusal is None else refusal.code,
        title="" if refusal is None else refusal.title,
        detail="" if refusal is None else veil.text(refusal.detail),
        notes=tuple(map(veil.text, told.notes)),
        claims=_json(shown if not name_id else {"claims": shown, **name_id}),
        steps=tuple(_steps(told, veil)),
        rules=tuple(_rules(told, veil)),
        ticket_request=None if told.ticket_request is None else _json(veil.value(dict(told.ticket_request))),
        test_case=as_test(told, shown, name_id, veil, virtual_proxy=virtual_proxy),
    )


def as_test(told: Explanation, claims: Claims, name_id: Mapping[str, str], veil: Veil, *, virtual_proxy: str) -> str:
    """An entry of `tests:` in the identity provider's file that comes out like this sign-in."""
    kept = {name: value for name, value in claims.items() if name not in _OF_ONE_LOGIN}
    case: dict[str, JsonValue] = {"name": "copied from a test sign-in", "claims": kept, **name_id, "virtual_proxy": virtual_proxy}
    if told.refusal is not None:
        case["refused"] = told.refusal.code
        case |= {} if told.refusal.rule is None else {"rule": told.refusal.rule}
    elif told.user is not None:
        case["expect"] = _expected(told.user, veil)
    return "\n".join(_yaml_item(case))


def _expected(user: QlikUser, veil: Veil) -> dict[str, JsonValue]:
    attributes: dict[str, list[JsonValue]] = {}
    for name, value in user.attributes:
        attributes.setdefault(name, []).append(veil.text(value))
    single_or_all = {name: values[0] if len(values) == 1 else values for name, values in attributes.items()}
    return {"user_directory": user.directory, "user_id": veil.text(user.user_id), "attributes": single_or_all}


def _texts(values: Sequence[str], veil: Veil) -> str:
    return ", ".join(json.dumps(veil.text(value), ensure_ascii=False) for value in values) or "no value"


def _steps(told: Explanation, veil: Veil) -> Iterator[Line]:
    for step in told.steps:
        changes = [
            f"{change.action}: {_texts(change.before, veil)} → {_texts(change.after, veil)} {veil.text(change.note)}".rstrip()
            for change in step.changes
        ]
        outcome = [] if step.output is None else [_texts(step.output, veil)]
        yield Line(
            name=step.name,
            source=step.source,
            outcome="\n".join([*changes, *outcome, *filter(None, [veil.text(step.note)])]),
            good=None if step.output is None else True,
        )


def _rules(told: Explanation, veil: Veil) -> Iterator[Line]:
    for rule in told.rules:
        passed = rule.refusal is None
        outcome = "passed" if rule.refusal is None else f"{rule.refusal.code}: {veil.text(rule.refusal.detail)}"
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
        key = name if _PLAIN.fullmatch(name) and name.lower() not in {"true", "false", "null"} else _quoted(name)
        if isinstance(inner, dict) and inner:
            yield f"{indent}{key}:"
            yield from _yaml(inner, depth + 1)
        else:
            yield f"{indent}{key}: {_quoted(inner)}"


def _quoted(value: JsonValue) -> str:
    """As JSON, without the characters that no YAML file may hold (YAML 1.2 §5.1) or that end its lines for some readers."""
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
