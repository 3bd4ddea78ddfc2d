"""The JSON Schema that editors use: the committed copies are the models', and every key is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.json_schema import MODELS, json_schema
from gateway.config.shape import NULLABLE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", MODELS)
def test_the_committed_schema_is_the_models(kind: str) -> None:
    """To renew it: qlikgw schema KIND > idp_configs/.schema/KIND.schema.json."""
    assert json.loads((ROOT / "idp_configs" / ".schema" / f"{kind}.schema.json").read_text()) == json_schema(kind)


@pytest.mark.parametrize("path", sorted((ROOT / "idp_configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_names_its_schema_in_the_first_line(path: Path) -> None:
    kind = "gateway" if path.name == "gateway.yaml" else "saml" if "protocol: saml" in path.read_text() else "oidc"
    first = path.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema=.schema/{kind}.schema.json"


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in [schema, *schema["$defs"].values()]:
        assert part.get("additionalProperties") is False
        yield from part["properties"].items()


@pytest.mark.parametrize("kind", MODELS)
def test_every_key_is_explained_and_none_may_be_null_unless_that_means_something(kind: str) -> None:
    whole = json_schema(kind)
    for name, schema in properties(whole):
        behind = whole["$defs"].get(schema.get("$ref", "").rpartition("/")[2], {})
        assert schema.get("description") or behind.get("description"), name
        assert ("null" in json.dumps(schema)) == (name in NULLABLE), name


@pytest.mark.parametrize("kind", MODELS)
def test_the_dialect_is_2020_12(kind: str) -> None:
    assert json_schema(kind)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_key_stands_in_the_reference() -> None:
    reference = (ROOT / "docs" / "configuration.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", reference))
    missing = {name for kind in MODELS for name, _ in properties(json_schema(kind))} - named
    assert missing == set()
