"""`qlikgw serve`: run the gateway until SIGTERM or SIGINT, by what its folder says at each time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gateway import app, config
from gateway.cli.check import print_problems
from gateway.cli.folder_option import config_option
from gateway.web import rounds


@click.command()
@config_option(exists=False)
def serve(folder: Path) -> None:
    """Run the gateway. Ends with exit code 0 after a graceful stop (SIGTERM or SIGINT).

    Changes of the folder and of the files that it names go into use while it runs; SIGHUP makes it look at once.
    """
    loaded = config.load(folder, environ=os.environ)
    if loaded.folder_unreadable:
        click.echo(f"{folder}: {loaded.problems[0].message} (--config DIR, or QLIKGW_CONFIG)", err=True)
        sys.exit(2)
    print_problems(loaded.problems, file=sys.stderr)
    sys.exit(rounds.run(app.serve(folder, loaded)))
