"""Log lines on one stream: JSON, or for people at a console. Each has its event, level and time, and says whose request it belongs to.

They are structlog's, with a lean logger and two steps of ours: one completes a line, one writes it as text. A login writes four.
The only module that knows structlog.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor

LEVELS: Final[Mapping[str, int]] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NANOSECONDS: Final = 1_000_000_000
_ENCODER: Final = json.JSONEncoder(default=repr)
_REQUEST: Final[ContextVar[str | None]] = ContextVar("correlation id of the request that is handled", default=None)


class Lines(structlog.BoundLoggerBase):
    """structlog's logger, without texts that have gaps to fill: a line is one dictionary; its own loggers take that apart four times."""

    def info(self, event: str, **fields: object) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        """By way of the steps, where lines of this level are written at all."""
        if LEVELS[level] < self._logger.least:
            return
        line: Any = {**self._context, **fields} if self._context else fields
        line["event"] = event
        for step in self._processors:
            line = step(self._logger, level, line)
        self._logger.write(line)


def lines_on(stream: TextIO | None = None, *, least: int = logging.INFO, form: str = "json") -> Lines:
    """`least`: the lowest level that is written. `stream` None: standard output, whatever that is at the time."""
    logger: Lines = structlog.wrap_logger(
        _Stream(stream, least),
        processors=[_Completing(), *(_for_console(stream or sys.stdout) if form == "console" else [_for_machines])],
        wrapper_class=Lines,
        context_class=dict,
    )
    return logger.bind()


def as_json(fields: Mapping[str, object]) -> str:
    """One line of ASCII. What is more than that is escaped by the standard library, which takes three times as long, but any text."""
    try:
        line = to_json(fields, fallback=repr)
    except ValueError:  # half a character
        return _ENCODER.encode(fields)
    return line.decode() if line.isascii() else _ENCODER.encode(fields)


class _Stream:
    """What is behind the loggers. A line and its end are written at once, so that lines of several processes stay whole."""

    def __init__(self, stream: TextIO | None, least: int) -> None:
        self._stream, self.least = stream, least

    def write(self, line: str) -> None:
        stream = self._stream or sys.stdout
        stream.write(line + "\n")
        stream.flush()


class _Completing:
    """Level, time and request. The time is RFC 3339, UTC, in microseconds; the text of a second is made once."""

    def __init__(self) -> None:
        self._second, self._until_second = 0, ""

    def __call__(self, _logger: object, level: str, line: EventDict) -> EventDict:
        if (request := _REQUEST.get()) is not None:
            line["correlation_id"] = request
        line["level"] = level
        second, rest = divmod(time.time_ns(), _NANOSECONDS)
        if second != self._second:
            self._second, self._until_second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        line["time"] = f"{self._until_second}.{rest // 1000:06d}Z"
        return line


def _for_machines(_logger: object, _level: str, line: EventDict) -> str:
    return as_json(line)


def _for_console(stream: TextIO) -> list[Processor]:
    return [_without_line_breaks, structlog.dev.ConsoleRenderer(timestamp_key="time", colors=stream.isatty())]


def _without_line_breaks(_logger: object, _level: str, line: EventDict) -> EventDict:
    """The console form must not be fooled by a line break inside a value; JSON escapes it anyway."""
    return {key: value.replace("\r", " ").replace("\n", " ⏎ ") if isinstance(value, str) else value for key, value in line.items()}


class Destination:
    """Where lines go: set up once, read with every line."""

    lines = lines_on()


def start_logging(*, level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Send all lines to `stream` (default: standard output). `form`: json or console. Libraries speak from WARNING up."""
    Destination.lines = lines_on(stream, least=LEVELS[level], form=form)
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
