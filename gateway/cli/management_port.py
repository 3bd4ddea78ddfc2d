"""How a command talks to the running gateway: JSON over its management port, from this machine, past every proxy."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from gateway import config
from gateway.cli.check import print_problems
from gateway.cli.folder_option import Command

TIMEOUT = 8.0
"""Seconds: an answer may have to wait for nodes."""

WHERE = "The configuration folder; it says where the gateway's management port is."


def management_option(command: Command) -> Command:
    """`--management`."""
    text = "The management port, where the folder's is not the running gateway's."
    return click.option("--management", metavar="HOST:PORT", help=text)(command)


def ask(folder: Path, management: str | None, path: str, wanted: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and answer. Ends the command with 1 where nobody answers, with 2 where nobody can be asked."""
    host, port = _address(management) if management else _configured(folder)
    try:
        return _send(host, port, path, wanted)
    except (OSError, http.client.HTTPException, ValueError) as error:
        click.echo(f"No gateway answers on {host}:{port} ({error}). Is it running on this machine?", err=True)
        sys.exit(1)


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
    """The loopback address under which the gateway listens as well, whatever it says: it believes no other."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_loopback:
        return host
    return "::1" if address.is_unspecified and address.version > 4 else "127.0.0.1"  # noqa: PLR2004 - IPv4


def _send(host: str, port: int, path: str, wanted: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """No proxy of the environment is used: the request must not leave the machine."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("POST", path, json.dumps(wanted), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    return response.status, answer if isinstance(answer, dict) else {}
