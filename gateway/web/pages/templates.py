"""The templates, with what all of them use: the style sheet, the icon, the sentences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from gateway.web.pages.policy import HERE, ICON, STYLE, address
from gateway.web.pages.sentences import SENTENCES

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, **values: object) -> str:
    """One template with its values; compiled now, if it was not prepared."""
    return _environment().get_template(f"{name}.html").render(values)


def prepare() -> Iterator[str]:
    """Compile one template with each step, the library's import before the first: nobody shall wait for it, least of all under load."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)
        yield name


@cache
def _environment() -> Environment:
    """The templates. A name that a template uses and nobody gave is an error, never an empty place."""
    # A gateway is sooner ready without: the library and the templates would take a tenth of the start.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, auto_reload=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["address"] = address
    environment.globals.update(say=SENTENCES, style=STYLE, icon=ICON)
    return environment
