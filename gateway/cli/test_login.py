"""`qlikgw test-login`: a link to one test sign-in, minted by the running gateway."""

from __future__ import annotations

import http.client
import json
import os
import sys
from ipaddress import ip_address
from pathlib import Path

import click

from gateway import config
from gateway.cli.check import print_problems

TIMEOUT = 5.0
CREATED = 200


@click.command("test-login")
@click.option(
    "--config",
    "folder",
    envvar="QLIKGW_CONFIG",
    default="idp_configs",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The configuration folder; it says where the gateway's management port is.",
)
@click.option("--idp", required=True, help="The identity provider to sign in at.")
@click.option("--vp", required=True, help="The virtual proxy to sign in for.")
@click.option("--management", metavar="HOST:PORT", help="The management port, where the folder's is not the running gateway's.")
def test_login(folder: Path, idp: str, vp: str, management: str | None) -> None:
    """Print a link that signs in at the real provider, issues no ticket, and shows what a login would become.

    It is good for one sign-in within ten minutes. Run this on the machine (or in the pod) of a running gateway.
    Exit code 0: the link is alone on standard output; 1: the gateway gave none; 2: usage.
    """
    host, port = _address(management) if management else _configured(folder)
    try:
        status, answer = _ask(host, port, idp, vp)
    except (OSError, http.client.HTTPException, ValueError) as error:
        click.echo(f"No gateway answers on {host}:{port} ({error}). Is it running on this machine?", err=True)
        sys.exit(1)
    if status != CREATED or "url" not in answer:
        click.echo(f"No link: {answer.get('error', f'status {status}')}", err=True)
        sys.exit(1)
    click.echo(answer["url"])
    click.echo(f"Good for one sign-in until {answer['expires_at']}.", err=True)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter("write HOST:PORT", param_hint="--management")
    return host.strip("[]"), int(port)


def _configured(folder: Path) -> tuple[str, int]:
    loaded = config.load(folder, environ=os.environ, files=False)
    if loaded.configuration is None:
        print_problems(loaded.problems, file=sys.stderr)
        sys.exit(2)
    listen = loaded.configuration.gateway.management
    return _reachable(listen.host), listen.port


def _reachable(host: str) -> str:
    """The loopback address under which a listener on all addresses is reached."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return ("::1" if address.version > 4 else "127.0.0.1") if address.is_unspecified else host  # noqa: PLR2004 - IPv4


def _ask(host: str, port: int, idp: str, vp: str) -> tuple[int, dict[str, str]]:
    """No proxy of the environment is used: the request must not leave the machine."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("POST", "/test-logins", json.dumps({"idp": idp, "vp": vp}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    return response.status, answer if isinstance(answer, dict) else {}
