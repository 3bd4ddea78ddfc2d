"""`qlikgw check`: every problem of the configuration at once, without the network."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

from gateway import config
from gateway.cli.folder_option import config_option
from gateway.config.diagnostics import Problem
from gateway.config.reporting import as_json, as_sarif, as_summary, as_text


@click.command()
@config_option()
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option("--no-files", is_flag=True, help="Leave the contents of named files and environment variables unread.")
def check(folder: Path, form: str, no_files: bool) -> None:  # noqa: FBT001 - click passes it so
    """Find every problem of the configuration, each with file, line and column. Needs no network.

    Exit code 0: no errors (there may be warnings); 1: errors; 2: usage, or a folder that cannot be read.
    """
    loaded = config.load(folder, environ=os.environ, files=not no_files, tables=not no_files)
    if form == "text":
        print_problems(loaded.problems, file=sys.stdout)
        click.echo(as_summary(loaded.problems, folder, acknowledged=len(loaded.acknowledged)))
    else:
        known = loaded.acknowledged
        report = as_json(loaded.problems, known) if form == "json" else as_sarif((*loaded.problems, *known), folder)
        click.echo(json.dumps(report, indent=2))
    sys.exit(_exit_code(loaded))


def print_problems(problems: Iterable[Problem], *, file: TextIO) -> None:
    """Each problem for people, with an empty line behind it; in colour on a terminal that has not said NO_COLOR."""
    colour = file.isatty() and not os.environ.get("NO_COLOR")
    for problem in problems:
        click.echo(as_text(problem, colour=colour) + "\n", file=file, color=colour)


def _exit_code(loaded: config.Loaded) -> int:
    if loaded.configuration is not None:
        return 0
    return 2 if loaded.folder_unreadable else 1
