"""The command line: reads arguments, calls, prints; no logic of its own. A command's module is imported only when it is asked for."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Final

import click

from gateway import __version__

NOT_LOOKED_FOR: Final = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""What libraries look for when they are loaded, and nobody here wants.

aiohttp reads the system's roots twice, for contexts of its own; every client of ours brings the one that it trusts by.
pydantic asks every package that is installed whether it is a plugin.
"""

COMMANDS = {
    "serve": "Run the gateway.",
    "check": "Find every problem of the configuration, without the network.",
    "doctor": "Check the configuration, and ask everything that it names over the network.",
    "explain": "Show what a set of claims becomes, and why.",
    "revoke": "End a user's Qlik sessions in a virtual proxy, on every node.",
    "test-login": "Get a link to one sign-in that issues no ticket and shows why.",
    "demo": "A simulated Qlik site, demo identity providers and this gateway on loopback.",
    "keygen": "Make keys.",
    "metadata": "Print our SAML metadata for an identity provider.",
    "schema": "Print the JSON Schema of a configuration file.",
}


class LazyGroup(click.Group):
    """Loads `gateway.cli.NAME:NAME` when NAME is called (with `_` for `-`); `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        with quick_loading():
            command: click.Command = getattr(import_module(f"gateway.cli.{module}"), module)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """A mistyped command ends with the one that was probably meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from their one-line texts, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@contextmanager
def quick_loading() -> Iterator[None]:
    """Load modules without what takes a third of the time and serves nobody."""
    inherited = {name: os.environ.get(name) for name in NOT_LOOKED_FOR}
    os.environ.update(NOT_LOOKED_FOR)
    gc.disable()  # nothing of what is loaded is garbage
    try:
        yield
    finally:
        gc.enable()
        for name, value in inherited.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qlikgw")
def main() -> None:
    """Sign-in gateway for Qlik Sense Enterprise on Windows."""
