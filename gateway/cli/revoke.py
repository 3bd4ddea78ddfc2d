"""`qlikgw revoke`: ends a user's Qlik sessions, through the running gateway."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.folder_option import config_option
from gateway.cli.management_port import WHERE, ask, management_option

ASKED = 200


@click.command()
@config_option(WHERE)
@click.option("--vp", required=True, help="The virtual proxy whose sessions end.")
@click.option("--user", required=True, metavar=r"DIRECTORY\ID", help="The user, as Qlik Sense names it.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@management_option
def revoke(folder: Path, vp: str, user: str, form: str, management: str | None) -> None:
    r"""End all Qlik sessions of a user in a virtual proxy, on every node, whoever signed them in.

    It does not keep the user from signing in again. Run this on the machine (or in the pod) of a running gateway.
    Exit code 0: every node has done it; 1: some have not, and are asked again by the gateway; 2: usage.
    """
    directory, backslash, user_id = user.partition("\\")
    if not (directory and backslash and user_id):
        raise click.BadParameter("write DIRECTORY\\ID (in quotes: shells take the backslash away)", param_hint="--user")
    status, answer = ask(folder, management, "/revocations", {"vp": vp, "directory": directory, "user_id": user_id})
    if status != ASKED or not isinstance(answer.get("nodes"), list):
        click.echo(f"Nothing was ended: {answer.get('error', f'status {status}')}", err=True)
        sys.exit(2 if status in {400, 404} else 1)
    if form == "json":
        click.echo(json.dumps(answer))
    else:
        for node in answer["nodes"]:
            click.echo(told(node))
    sys.exit(0 if answer.get("complete") is True else 1)


def told(node: dict[str, Any]) -> str:
    """One node's line."""
    if node.get("code") is None:
        return f"{node['node']}: {node['sessions']} sessions ended"
    return f"{node['node']}: not done ({node['code']}); the gateway asks again"
