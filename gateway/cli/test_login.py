"""`qlikgw test-login`: a link to one test sign-in, minted by the running gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.folder_option import config_option
from gateway.cli.management_port import WHERE, ask, management_option

CREATED = 200


@click.command("test-login")
@config_option(WHERE)
@click.option("--idp", required=True, help="The identity provider to sign in at.")
@click.option("--vp", required=True, help="The virtual proxy to sign in for.")
@management_option
def test_login(folder: Path, idp: str, vp: str, management: str | None) -> None:
    """Print a link that signs in at the real provider, issues no ticket, and shows what a login would become.

    It is good for one sign-in within ten minutes. Run this on the machine (or in the pod) of a running gateway.
    Exit code 0: the link is alone on standard output; 1: the gateway gave none; 2: usage.
    """
    status, answer = ask(folder, management, "/test-logins", {"idp": idp, "vp": vp})
    if status != CREATED or "url" not in answer:
        click.echo(f"No link: {answer.get('error', f'status {status}')}", err=True)
        sys.exit(1)
    click.echo(answer["url"])
    click.echo(f"Good for one sign-in until {answer['expires_at']}.", err=True)
