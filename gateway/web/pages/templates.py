"""The templates, with what all of them use: the style sheet, the icon, the sentences."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gateway.web.pages.policy import HERE, ICON, STYLE, address
from gateway.web.pages.sentences import SENTENCES


def _environment() -> Environment:
    """The templates. A name that a template uses and nobody gave is an error, never an empty place."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, auto_reload=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["address"] = address
    environment.globals.update(say=SENTENCES, style=STYLE, icon=ICON)
    return environment


_ENVIRONMENT: Final = _environment()


def template(name: str) -> Template:
    """One template, compiled."""
    return _ENVIRONMENT.get_template(f"{name}.html")
