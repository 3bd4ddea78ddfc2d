"""Log lines are structlog's: asked for by those who run the gateway, and known to whoever reads the source (docs/decisions/0006).

What is ours are its steps. A line that went round it would be a second logger to know, for two percent of a login.
"""

from __future__ import annotations

import io
import json

import pytest
import structlog
from structlog.typing import BindableLogger

from gateway.lines import lines_on


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_of_either_form_are_written_by_structlog(form: str) -> None:
    lines = lines_on(io.StringIO(), form=form)
    assert isinstance(lines, BindableLogger)
    assert isinstance(lines.bind(vp="sales"), structlog.BoundLoggerBase)


def test_what_is_bound_stands_in_a_line() -> None:
    stream = io.StringIO()
    lines_on(stream).bind(vp="sales").info("started", idp="entra")
    assert {name: json.loads(stream.getvalue())[name] for name in ("event", "vp", "idp", "level")} == {
        "event": "started",
        "vp": "sales",
        "idp": "entra",
        "level": "info",
    }
