"""The only place where the configuration touches the file system: its folder, and the files that it names.

Reads once, within limits, regular files only. Paths are taken as named: relative to the folder as it was given, without
following links on the way up, so that `../certs` beside a linked folder is the one beside the link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.yaml12 import LARGEST_FILE

LARGEST_NAMED_FILE = 1024 * 1024
GATEWAY_FILE = "gateway.yaml"
MOST_FILES = 2000


class Unreadable(OSError):
    """Why a file or variable cannot be used, as a sentence."""


@dataclass(slots=True)
class Surroundings:
    """What lies outside the YAML: named files and environment variables. Each is read once, so that one load sees one state.

    `files` False: neither is read; files are empty then, and secrets too.
    """

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    files: bool = True
    _read: dict[str, bytes | str] = field(default_factory=dict, repr=False)

    def path(self, name: str) -> str:
        """The absolute path of a file that the configuration names."""
        return os.path.normpath(os.path.join(os.path.abspath(self.folder), name))  # noqa: PTH100, PTH118 - pathlib keeps or follows what must not be

    def file(self, name: str) -> bytes:
        """A named file's content. Raises `Unreadable`."""
        if not self.files:
            return b""
        if name not in self._read:
            try:
                self._read[name] = read_regular(self.path(name), LARGEST_NAMED_FILE)
            except Unreadable as error:
                self._read[name] = str(error)
        found = self._read[name]
        if isinstance(found, str):
            raise Unreadable(found)
        return found

    def variable(self, name: str) -> str:
        """An environment variable's value. Raises `Unreadable`."""
        if not self.files:
            return ""
        if name not in self.environ:
            raise Unreadable(f"the environment variable {name} is not set")
        return self.environ[name]


def read_folder(folder: Path) -> Iterator[tuple[str, bytes | str]]:
    """The folder's entries by name: a YAML file's content, or a sentence on why there is none. Raises `Unreadable`."""
    try:
        names = sorted(entry for entry in os.listdir(folder) if not entry.startswith("."))  # noqa: PTH208 - names alone are needed
    except (OSError, ValueError) as error:
        raise Unreadable(_reason(error)) from None
    if len(names) > MOST_FILES:
        raise Unreadable(f"more than {MOST_FILES} files")
    for name in names:
        if not name.endswith(".yaml"):
            yield name, b""
            continue
        try:
            yield name, read_regular(os.fspath(folder / name), LARGEST_FILE)
        except Unreadable as error:
            yield name, str(error)


def read_regular(path: str, limit: int) -> bytes:
    """A regular file of at most `limit` bytes. Raises `Unreadable`."""
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - a pipe must not be opened: it would wait
        content = _head(path, limit + 1) if regular else b""
    except (OSError, ValueError) as error:
        raise Unreadable(_reason(error)) from None
    if not regular:
        raise Unreadable("is not a file")
    if len(content) > limit:
        raise Unreadable(f"is larger than {limit // 1024} KiB")
    return content


def _head(path: str, size: int) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read(size)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    return f"cannot be read: {error.strerror or type(error).__name__}" if isinstance(error, OSError) else "has a name that no file can have"
