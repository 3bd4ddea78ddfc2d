"""JSON read in one way only.

Two readers of one document must not see two things, so what RFC 8259 leaves open is refused: member names that come
twice, `NaN` and `Infinity`, numbers beyond a double's range, anything but UTF-8. Integers of absurd length and nesting
beyond the interpreter's stack end in the same error.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Final

from gateway.model import JsonValue


class NotStrictJson(ValueError):
    """The bytes are not one strict JSON object. The text never quotes them."""


def read_object(data: bytes) -> dict[str, JsonValue]:
    """One JSON object. Raises `NotStrictJson`, nothing else."""
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except NotStrictJson:
        raise
    except UnicodeDecodeError as error:
        raise NotStrictJson("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise NotStrictJson("not JSON") from error
    if not isinstance(value, dict):
        raise NotStrictJson("not an object")
    return value


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJson("a member name comes twice")
    return members


def _no_constant(_: str) -> JsonValue:
    raise NotStrictJson("NaN or Infinity")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise NotStrictJson("a number out of range")
    return number


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
