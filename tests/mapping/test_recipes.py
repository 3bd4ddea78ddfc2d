"""Every recipe of docs/mapping.md does what it says there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from gateway.config.building_mapping import build_access, build_rules
from gateway.config.folder import Surroundings
from gateway.config.wire_gateway import DenyWire
from gateway.config.wire_mapping import MappingWire
from gateway.explain import explain
from gateway.mapping import Scope, compile_expression

PAGE_FOLDER = Path(__file__).parents[2] / "docs"
PAGE = (PAGE_FOLDER / "mapping.md").read_text()
RECIPE = re.compile(r"^### (.+?)\n.*?```json\n(.+?)```\n```yaml\n(.+?)```\n```json\n(.+?)```", re.MULTILINE | re.DOTALL)
RECIPES = {title: parts for title, *parts in RECIPE.findall(PAGE)}


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str) -> None:
    given, written, expected = RECIPES[title]
    claims, config = json.loads(given), yaml.safe_load(written)
    name_id = None
    if "claims" in claims:
        claims, name_id = claims["claims"], claims["name_id"]
    rules = build_rules(MappingWire.model_validate(config["mapping"]), Surroundings(PAGE_FOLDER, {}))
    deny = [DenyWire.model_validate(rule) for rule in config.get("deny", [])]
    allow = compile_expression(config["allow"], Scope.ACCESS) if "allow" in config else None
    access = build_access(title, deny, allow)
    told = explain(rules, access, claims=claims, name_id=name_id, idp="idp")
    assert (told.ticket_request if told.refusal is None else {"refusal": told.refusal.code}) == json.loads(expected)


def test_every_recipe_is_found() -> None:
    assert len(RECIPES) == PAGE.partition("## Recipes")[2].partition("\n## ")[0].count("\n### ")
