"""`qlikgw explain`: what a set of claims becomes, and why. No network, and no secret is read."""

from __future__ import annotations

import json
import os
import sys
from math import isfinite
from pathlib import Path
from typing import BinaryIO

import click

from gateway import config
from gateway.cli.check import print_problems
from gateway.cli.folder_option import config_option
from gateway.config.settings import Configuration, VirtualProxySettings
from gateway.errors import ClaimsRefused
from gateway.explain import Explanation, RuleOutcome
from gateway.explain import explain as decide
from gateway.mapping import Change, Step
from gateway.model import JsonValue

_UINT64_DIGITS = 20


@click.command()
@config_option()
@click.option("--idp", required=True, help="The identity provider that the claims come from.")
@click.option("--vp", help="The virtual proxy whose mapping and access rules are to be applied, too.")
@click.option(
    "--claims",
    "file",
    required=True,
    type=click.File("rb"),
    help='JSON: the claims, or {"claims": …, "name_id": …}; - reads standard input.',
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(folder: Path, idp: str, vp: str | None, file: BinaryIO, form: str) -> None:
    """Show what a set of claims becomes: each mapping step, the access rules, the ticket's body or the refusal.

    Exit code 0: allowed; 1: refused; 2: usage, or a configuration that cannot be used.
    """
    explanation = _explain(_load(folder), idp, vp, file.read())
    report = _as_json(explanation, idp, vp) if form == "json" else _as_text(explanation, idp, vp)
    click.echo(report)
    sys.exit(0 if explanation.refusal is None else 1)


def _load(folder: Path) -> Configuration:
    loaded = config.load(folder, environ=os.environ, files=False)
    if loaded.configuration is None:
        print_problems(loaded.problems, file=sys.stderr)
        sys.exit(2)
    return loaded.configuration


def _explain(configuration: Configuration, idp: str, vp: str | None, data: bytes) -> Explanation:
    provider = configuration.providers.get(idp)
    if provider is None:
        raise click.BadParameter(f"there is no {idp}; configured: {', '.join(configuration.providers)}", param_hint="--idp")
    door = _virtual_proxy(configuration, idp, vp)
    rules, access = provider.rules, provider.access
    if door is not None:
        rules, access = rules if door.overrides is None else door.overrides.over(rules), access + door.access
    try:
        claims, name_id = _read_subject(data)
    except RecursionError:
        return Explanation(refusal=ClaimsRefused("the claims nest too deep to be read"))
    return decide(rules, access, claims=claims, name_id=name_id, idp=idp)


def _virtual_proxy(configuration: Configuration, idp: str, vp: str | None) -> VirtualProxySettings | None:
    if vp is None:
        return None
    virtual_proxy = configuration.virtual_proxies.get(vp)
    if virtual_proxy is None:
        raise click.BadParameter(f"there is no {vp}; configured: {', '.join(configuration.virtual_proxies)}", param_hint="--vp")
    if idp not in virtual_proxy.identity_providers:
        raise click.BadParameter(f"{vp} does not offer {idp}, only {', '.join(virtual_proxy.identity_providers)}", param_hint="--vp")
    return virtual_proxy


def _read_subject(data: bytes) -> tuple[dict[str, JsonValue], str | None]:
    """Claims and NameID. The wrapped form is one whose only members are `claims` and, if it wants, `name_id`."""
    try:
        value = json.loads(
            data.decode("utf-8-sig"), parse_int=_integer, parse_float=_finite, parse_constant=_no_constant, object_pairs_hook=_unique
        )
    except ValueError as error:
        raise click.BadParameter(f"not JSON in UTF-8: {error}", param_hint="--claims") from None
    name_id = None
    if isinstance(value, dict) and "claims" in value and value.keys() <= {"claims", "name_id"}:
        value, name_id = value["claims"], value.get("name_id")
    if not isinstance(value, dict):
        raise click.BadParameter("the claims are not a JSON object", param_hint="--claims")
    if not (name_id is None or isinstance(name_id, str)):
        raise click.BadParameter("name_id is not a string", param_hint="--claims")
    return value, name_id


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """An object. Where a name comes twice, two readers may see two things, and a provider's answer of that kind is refused."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits[:_UINT64_DIGITS]} is beyond what a number can be")
    return number


def _no_constant(word: str) -> JsonValue:
    raise ValueError(f"{word} is no JSON")


def _integer(digits: str) -> int:
    """An integer, cut where it is beyond 64 bits for certain: Python refuses to read one of thousands of digits."""
    return int(digits[: _UINT64_DIGITS + 2])


def _as_json(explanation: Explanation, idp: str, vp: str | None) -> str:
    refusal = explanation.refusal
    steps = [_step_as_json(step) for step in explanation.steps]
    rules = [_rule_as_json(rule) for rule in explanation.rules]
    report = {"allowed": refusal is None, "idp": idp, "virtual_proxy": vp, "notes": explanation.notes, "steps": steps, "rules": rules}
    if refusal is None:
        report["ticket_request"] = explanation.ticket_request
    else:
        rule = {} if refusal.rule is None else {"rule": refusal.rule, "message": refusal.message}
        report["refusal"] = {"code": refusal.code, "title": refusal.title, "detail": refusal.detail, **rule}
    return json.dumps(report, indent=2)


def _step_as_json(step: Step) -> dict[str, JsonValue]:
    output: JsonValue = None if step.output is None else list(step.output)
    told: dict[str, JsonValue] = {"name": step.name, "source": step.source, "output": output, "note": step.note}
    if step.changes:
        told["steps"] = [
            {"step": change.action, "input": list(change.before), "output": list(change.after), "note": change.note}
            for change in step.changes
        ]
    return told


def _rule_as_json(rule: RuleOutcome) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {
        "owner": rule.owner,
        "id": rule.id,
        "kind": "deny" if rule.denies else "allow",
        "expression": rule.expression,
    }
    told |= {"hit": rule.hit, "passed": rule.refusal is None}
    if rule.refusal is not None:
        told |= {"code": rule.refusal.code, "detail": rule.refusal.detail, "message": rule.message}
    return told


def _as_text(explanation: Explanation, idp: str, vp: str | None) -> str:
    lines = [f"Claims of identity provider {idp}" + (f" at virtual proxy {vp}" if vp else "")]
    lines += [f"  note: {note}" for note in explanation.notes]
    lines += ["", "Mapping"] if explanation.steps else []
    for step in explanation.steps:
        outcome = step.note if step.output is None else ", ".join(map(_quote, step.output)) or "no value"
        lines += [f"  {step.name}", f"    {step.source}", *map(_change_as_text, step.changes), f"    -> {outcome}"]
    lines += ["", "Access"] if explanation.rules else []
    for rule in explanation.rules:
        lines += [f"  {rule.id} of {rule.owner}", f"    {rule.expression}", f"    -> {_verdict(rule)}"]
    if (refusal := explanation.refusal) is not None:
        lines += ["", f"REFUSED {refusal.code}: {refusal.title}", f"  {refusal.detail}"]
        lines += [] if refusal.message is None else [f"  the user reads: {refusal.message}"]
    else:
        lines += ["", "ALLOWED, with this ticket request", json.dumps(explanation.ticket_request, indent=2, ensure_ascii=False)]
    return "\n".join(lines)


def _change_as_text(change: Change) -> str:
    values = ", ".join(map(_quote, change.after)) or "no value"
    return f"    {change.action}: {values}" + (f" ({change.note})" if change.note else "")


def _verdict(rule: RuleOutcome) -> str:
    if rule.refusal is None:
        return "passed"
    return f"{'hit' if rule.hit else 'miss'}, refuses" if rule.hit is not None else rule.refusal.detail


def _quote(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
