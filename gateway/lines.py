"""Log lines on one stream: JSON, or for people at a console. Each has its event, level and time, and says whose request it belongs to.

Four lines are written for every login, so JSON is made here, in one step; the console's form is structlog's, imported only
where it is asked for. The only module that knows structlog.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Final, TextIO, TypeAlias

from pydantic_core import to_json

Fields: TypeAlias = dict[str, object]

LEVELS: Final[Mapping[str, int]] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NANOSECONDS: Final = 1_000_000_000
_ENCODER: Final = json.JSONEncoder(default=repr)
_REQUEST: Final[ContextVar[str | None]] = ContextVar("correlation id of the request that is handled", default=None)


def as_json(fields: Fields) -> str:
    """One line of ASCII. What is more than that is escaped by the standard library, which takes three times as long, but any text."""
    try:
        line = to_json(fields, fallback=repr)
    except ValueError:  # half a character
        return _ENCODER.encode(fields)
    return line.decode() if line.isascii() else _ENCODER.encode(fields)


def _console(stream: TextIO) -> Callable[[Fields], str]:
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415 (a tenth of a second that only this form needs)

    renderer = ConsoleRenderer(timestamp_key="time", colors=stream.isatty())
    return lambda fields: str(renderer(None, "", _without_line_breaks(fields)))


def _without_line_breaks(fields: Fields) -> Fields:
    """The console form must not be fooled by a line break inside a value; JSON escapes it anyway."""
    return {key: value.replace("\r", " ").replace("\n", " ⏎ ") if isinstance(value, str) else value for key, value in fields.items()}


class Lines:
    """Writes them. `least`: the lowest level that is written. `stream` None: standard output, whatever that is at the time."""

    def __init__(self, stream: TextIO | None = None, *, least: int = logging.INFO, form: str = "json") -> None:
        self._stream = stream
        self._least = least
        self._render = _console(stream or sys.stdout) if form == "console" else as_json
        self._second, self._until_second = 0, ""

    def info(self, event: str, **fields: object) -> None:
        if self._least <= logging.INFO:
            self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        if self._least <= logging.WARNING:
            self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: Fields) -> None:
        fields["event"] = event
        if (request := _REQUEST.get()) is not None:
            fields["correlation_id"] = request
        fields["level"] = level
        fields["time"] = self._now()
        stream = self._stream or sys.stdout
        stream.write(self._render(fields) + "\n")
        stream.flush()

    def _now(self) -> str:
        """RFC 3339, UTC, in microseconds. Many lines are written in one second: its text is made once."""
        second, rest = divmod(time.time_ns(), _NANOSECONDS)
        if second != self._second:
            self._second, self._until_second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._until_second}.{rest // 1000:06d}Z"


class Destination:
    """Where lines go: set up once, read with every line."""

    lines = Lines()


def start_logging(*, level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Send all lines to `stream` (default: standard output). `form`: json or console. Libraries speak from WARNING up."""
    Destination.lines = Lines(stream, least=LEVELS[level], form=form)
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge()], force=True)


def bind(correlation_id: str) -> None:
    """Write it into every line of this request: of the task that handles it."""
    _REQUEST.set(correlation_id)


class _Bridge(logging.Handler):
    """Lines of libraries: the first line of the message before its arguments are put in, and the kind of an exception.

    Arguments, tracebacks and asyncio's further lines may quote what must not be logged.
    """

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        message = str(record.msg).partition("\n")[0]
        write = Destination.lines.error if record.levelno >= logging.ERROR else Destination.lines.warning
        write("library", logger=record.name, message=message, exception=kind)
