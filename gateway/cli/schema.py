"""`qlikgw schema`: the JSON Schema of a configuration file, for editors."""

from __future__ import annotations

import json

import click

from gateway.config.json_schema import MODELS, json_schema


@click.command()
@click.argument("kind", type=click.Choice(list(MODELS)), default="gateway")
def schema(kind: str) -> None:
    """Print the JSON Schema (draft 2020-12) of gateway.yaml, or of an identity provider's file by its protocol."""
    click.echo(json.dumps(json_schema(kind), indent=2, ensure_ascii=False))
