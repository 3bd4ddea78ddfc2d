"""Log lines for whatever stands in them: one line of ASCII each, and the same values as the standard library writes."""

from __future__ import annotations

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lines import Destination, as_json, bind, lines_on, start_logging

TEXTS = st.text(st.characters(), max_size=20)  # lone surrogates and control characters, too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


class Odd:
    """No value of JSON."""

    def __repr__(self) -> str:
        return "odd \ud800"


@given(fields=st.dictionaries(TEXTS, VALUES, max_size=8))
def test_a_line_is_one_line_of_ascii_and_keeps_every_value(fields: dict[str, object]) -> None:
    line = as_json(fields)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line) == json.loads(json.dumps(fields))


@given(text=TEXTS)
def test_a_line_at_a_console_is_not_broken_by_a_value(text: str) -> None:
    stream = io.StringIO()
    lines_on(stream, form="console").info("something", value=text, other="\r\n")
    assert stream.getvalue().count("\n") == 1
    assert "something" in stream.getvalue()


def test_what_json_does_not_know_is_shown_as_it_shows_itself() -> None:
    assert json.loads(as_json({"a": Odd()})) == {"a": "odd \ud800"}


def test_a_line_has_event_level_time_and_the_reference_of_its_request() -> None:
    stream = io.StringIO()
    bind("reference")
    lines_on(stream).warning("something", code="QGW-1")
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {"code": "QGW-1", "event": "something", "correlation_id": "reference", "level": "warning"}


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_not_written(monkeypatch: pytest.MonkeyPatch, level: str, written: list[str]) -> None:
    monkeypatch.setattr(Destination, "lines", Destination.lines)
    stream = io.StringIO()
    start_logging(level=level, stream=stream)
    lines = Destination.lines
    for write in (lines.info, lines.warning, lines.error):
        write("something")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == written


def test_a_library_speaks_without_its_arguments_and_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Destination, "lines", Destination.lines)
    stream = io.StringIO()
    start_logging(stream=stream)
    logging.getLogger("a.library").error("failed: %s\nsecret", "secret", exc_info=ValueError("secret"))
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["message"], line["exception"]) == ("library", "a.library", "failed: %s", "ValueError")
    assert "secret" not in stream.getvalue()
