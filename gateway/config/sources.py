"""What a configuration was read from, so that one can tell later whether any of it is another by now.

A look is one `stat` per file, through all links: so it sees an edited file, a replaced one, a link that was turned, a mount
that was swapped as a whole, on every kind of file system. Nothing is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Stamp: TypeAlias = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """The folder, the names in it, and the state of each file before it was read: equal as long as nothing changed."""

    folder: str
    names: tuple[str, ...] = ()
    files: Mapping[str, Stamp] = field(default_factory=dict)

    def again(self) -> Sources:
        """The same folder and files as they are now."""
        return Sources(self.folder, names_in(self.folder), {path: stamp(path) for path in self.files})


def stamp(path: str) -> Stamp:
    """What tells one state of a file from another; for a file that cannot be reached, why."""
    try:
        found = os.stat(path)  # noqa: PTH116 - paths of the configuration are plain text
    except (OSError, ValueError) as error:
        return (type(error).__name__,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def names_in(folder: str) -> tuple[str, ...]:
    """The names in a folder but for those that begin with a dot; none where it cannot be read."""
    try:
        return tuple(sorted(name for name in os.listdir(folder) if not name.startswith(".")))  # noqa: PTH208 - names alone are needed
    except (OSError, ValueError):
        return ()
