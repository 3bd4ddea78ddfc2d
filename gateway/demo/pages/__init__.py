"""The simulated parties' pages. They carry their style in themselves and work without JavaScript, but for one that submits itself."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

_PAGES = Environment(loader=PackageLoader("gateway.demo", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def render(template: str, **values: object) -> str:
    """One page as HTML."""
    return _PAGES.get_template(template).render(**values)
