"""Every recipe of docs/mapping.md does what it says there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.explain import explain
from gateway.mapping import AccessRule, Cel, ClaimPath, Constant, NameId, Rules, Scope, Source, compile_expression

PAGE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text()
RECIPE = re.compile(r"^### (.+?)\n.*?```json\n(.+?)```\n```yaml\n(.+?)```\n```json\n(.+?)```", re.MULTILINE | re.DOTALL)
RECIPES = {title: parts for title, *parts in RECIPE.findall(PAGE)}


def source(rule: dict[str, Any], *, single: bool) -> Source:
    if "value" in rule:
        return Constant(rule["value"])
    if "name_id" in rule:
        return NameId()
    if "cel" in rule:
        return Cel(compile_expression(rule["cel"], Scope.MAPPING, single=single))
    claim = rule["claim"]
    return ClaimPath((claim,) if isinstance(claim, str) else tuple(claim))


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str) -> None:
    given, written, expected = RECIPES[title]
    claims, config = json.loads(given), yaml.safe_load(written)
    name_id = None
    if "claims" in claims:
        claims, name_id = claims["claims"], claims["name_id"]
    mapping = config["mapping"]
    rules = Rules(
        user_directory=source(mapping["user_directory"], single=True),
        directory_one_of=frozenset(mapping["user_directory"]["one_of"]) if "one_of" in mapping["user_directory"] else None,
        user_id=source(mapping["user_id"], single=True),
        attributes=tuple((name, source(rule, single=False)) for name, rule in mapping.get("attributes", {}).items()),
    )
    access = [AccessRule(owner=title, expression=compile_expression(config["allow"], Scope.ACCESS))] if "allow" in config else []
    told = explain(rules, access, claims=claims, name_id=name_id, idp="idp")
    assert (told.ticket_request if told.refusal is None else {"refusal": told.refusal.code}) == json.loads(expected)


def test_every_recipe_is_found() -> None:
    assert len(RECIPES) == PAGE.partition("## Recipes")[2].partition("\n## ")[0].count("\n### ")
