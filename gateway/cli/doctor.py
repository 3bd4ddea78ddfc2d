"""`qlikgw doctor`: the configuration as `check` sees it, and then everything that it names, over the network."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import click

from gateway import config
from gateway.cli.check import print_problems
from gateway.cli.folder_option import config_option
from gateway.config.reporting import as_json as problems_as_json
from gateway.config.reporting import as_summary as problems_summary
from gateway.doctor import Finding, Status, examine
from gateway.doctor.reporting import as_json, as_summary, as_text
from gateway.system import SystemClock, SystemEntropy


@click.command()
@config_option()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(folder: Path, form: str) -> None:
    """Check the configuration, and ask everything that it names: names, TLS, discovery, keys, metadata, clocks, nodes, the store.

    Changes nothing: no ticket, no session. Exit code 0: no errors (there may be warnings); 1: errors; 2: usage, or a folder that
    cannot be read.
    """
    loaded = config.load(folder, environ=os.environ)
    findings: list[Finding] = []
    if loaded.configuration is not None:
        if sys.stderr.isatty():
            click.echo("Asking every identity provider and node ...", err=True)
        findings = asyncio.run(examine(loaded.configuration, clock=SystemClock(), entropy=SystemEntropy()))
    _print(loaded, findings, folder, form)
    if loaded.configuration is None:
        sys.exit(2 if loaded.folder_unreadable else 1)
    sys.exit(1 if any(finding.status is Status.ERROR for finding in findings) else 0)


def _print(loaded: config.Loaded, findings: list[Finding], folder: Path, form: str) -> None:
    if form == "json":
        report = problems_as_json(loaded.problems, loaded.acknowledged)
        assert isinstance(report, dict)  # noqa: S101 - the form of `check`
        click.echo(json.dumps(report | {"findings": as_json(findings)}, indent=2))
        return
    print_problems(loaded.problems, file=sys.stdout)
    click.echo(problems_summary(loaded.problems, folder, acknowledged=len(loaded.acknowledged)))
    if loaded.configuration is None:
        click.echo("Nothing was asked: mend these first.")
        return
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo("\n" + as_text(findings, colour=colour), color=colour)
    click.echo(as_summary(findings))
