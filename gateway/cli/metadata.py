"""`qlikgw metadata`: our SAML metadata for one identity provider, to hand to its administrators."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gateway import config
from gateway.cli.check import print_problems
from gateway.cli.folder_option import config_option
from gateway.config.settings import SamlSettings
from gateway.protocol import saml


@click.command()
@config_option()
@click.option("--idp", required=True, help="The identity provider's id.")
def metadata(folder: Path, idp: str) -> None:
    """Print the service provider metadata that the gateway serves at /idp/IDP/metadata. Needs no network."""
    loaded = config.load(folder, environ=os.environ)
    if loaded.configuration is None:
        print_problems(loaded.problems, file=sys.stderr)
        sys.exit(1)
    settings = loaded.configuration.providers.get(idp)
    if not isinstance(settings, SamlSettings):
        click.echo(f"there is no SAML provider {idp!r}", err=True)
        sys.exit(2)
    click.echo(saml.metadata_document(settings.service_provider, signed=settings.sign_metadata))
