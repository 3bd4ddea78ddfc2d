"""Drawers of records: many small things in few objects, since an object of its own takes several times what it holds."""

from __future__ import annotations


def places(sought: bytes, drawer: bytes, record: int) -> list[int]:
    """Where records of `record` bytes begin as sought, the first first."""
    found, at = [], drawer.find(sought)
    while at >= 0:
        if at % record == 0:
            found.append(at)
        at = drawer.find(sought, at + 1)
    return found
