"""`--config`: the folder, for every command that reads the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = "The configuration folder."


def config_option(help_text: str = FOLDER, *, exists: bool = True) -> Callable[[Command], Command]:
    """The option as a decorator; the command gets a `Path` named `folder`. `exists` False: the command says itself what is missing."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path) if exists else click.Path(path_type=Path)
    return click.option("--config", "folder", envvar="QLIKGW_CONFIG", default="idp_configs", show_default=True, type=kind, help=help_text)
