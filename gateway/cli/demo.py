"""`qlikgw demo`: the whole login on loopback, with nothing but this package."""

from __future__ import annotations

import sys

import click

from gateway.demo import run
from gateway.web import rounds


@click.command()
@click.option("--once", is_flag=True, help="Complete one login per protocol by itself, print every hop, and end.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"The gateway's port.  [default: {run.USUAL_PORT} if it is free; any free one with --once]",
)
def demo(*, once: bool, port: int | None) -> None:
    """Run a simulated Qlik site, demo identity providers (OpenID Connect and SAML) and this gateway on loopback.

    Stays up and prints the link to open. With --once: exit code 0 when every login ended with the right Qlik session, else 1.
    """
    try:
        sys.exit(rounds.run(run.log_in_once(port, click.echo) if once else run.stay_up(port, click.echo)))
    except run.CannotStart as problem:
        click.echo(f"qlikgw demo: {problem}", err=True)
        sys.exit(1)
