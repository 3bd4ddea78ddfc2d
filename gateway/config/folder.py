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

from gateway.config.sources import Sources, Stamp, names_in, stamp
from gateway.config.yaml12 import LARGEST_FILE

LARGEST_NAMED_FILE = 1024 * 1024
LARGEST_GATEWAY_FILE = 1024 * 1024
"""It holds all virtual proxies; thousands have room."""
GATEWAY_FILE = "gateway.yaml"
MOST_FILES = 2000


class Unreadable(OSError):
    """Why a file or variable cannot be used, as a sentence."""


@dataclass(slots=True)
class Surroundings:
    """What lies outside the YAML: named files and environment variables. Each is read once, so that one load sees one state.

    `files` False: neither is read; files are empty then, and secrets too. `tables` says the same of lookup tables, which hold no secret.
    """

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    files: bool = True
    tables: bool = True
    _read: dict[str, bytes | str] = field(default_factory=dict, repr=False)
    _names: tuple[str, ...] = ()
    _stamps: dict[str, Stamp] = field(default_factory=dict, repr=False)

    def path(self, name: str) -> str:
        """The absolute path of a file that the configuration names."""
        return os.path.normpath(os.path.join(os.path.abspath(self.folder), name))  # noqa: PTH100, PTH118 - pathlib keeps or follows what must not be

    def file(self, name: str) -> bytes:
        """A named file's content. Raises `Unreadable`."""
        return self._content(name) if self.files else b""

    def table(self, name: str) -> bytes | None:
        """A lookup table's content; None where tables are left unread. Raises `Unreadable`."""
        return self._content(name) if self.tables else None

    def exposed(self, name: str) -> bool:
        """Whether everybody on the machine may read a named file: by its own mode, and by that of every folder on the way to it."""
        if os.name != "posix":
            return False
        path = Path(os.path.realpath(self.path(name)))
        try:
            open_to_all = path.stat().st_mode & stat.S_IROTH
            return bool(open_to_all) and all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
        except (OSError, ValueError):
            return False

    def _content(self, name: str) -> bytes:
        if name not in self._read:
            path = self.path(name)
            self._stamps[path] = stamp(path)
            try:
                self._read[name] = read_regular(path, LARGEST_NAMED_FILE)
            except Unreadable as error:
                self._read[name] = str(error)
        found = self._read[name]
        if isinstance(found, str):
            raise Unreadable(found)
        return found

    def entries(self) -> list[tuple[str, bytes | str]]:
        """The folder's entries, as `read_folder` gives them. Raises `Unreadable`."""
        # Each is looked at before it is read: what changes in between is seen by the next look.
        self._names = names_in(os.fspath(self.folder))
        self._stamps |= {path: stamp(path) for path in (os.path.join(self.folder, name) for name in self._names)}  # noqa: PTH118
        return list(read_folder(self.folder))

    def sources(self) -> Sources:
        """All that was read so far."""
        return Sources(os.fspath(self.folder), self._names, self._stamps)

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
            yield name, read_regular(os.fspath(folder / name), LARGEST_GATEWAY_FILE if name == GATEWAY_FILE else LARGEST_FILE)
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
