"""A line of a configuration file as it may be shown: nobody's secret stands in it.

What a person writes where a reference belongs is often the secret itself, and the key may be mistyped as well. So every
value under a key that sounds like a secret is masked, also in files that do not parse. Masks keep the length of the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache

from gateway.config.tree import Listing, Node, Scalar, Section

_SECRET_KEY = re.compile(
    r"secret|passw|pwd|passphrase|credential|cookie_?-?key|token(?!_algorithms)|private_?-?key(?!_jwt)|api_?-?key", re.IGNORECASE
)
_SECRET_WORDS = ("secret", "client_secret", "password", "client_key_password", "key_password", "cookie_keys")
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_WORD = re.compile(r"\S+")
_PARAMETER = re.compile(r"(passw[a-z]*=)(.*)", re.IGNORECASE)
_KEY = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*[:=]")
_KEY_AT_START = re.compile(rf"[\s-]*[\"']?{_KEY.pattern}")
_PEM = re.compile(r"PRIVATE KEY|^[A-Za-z0-9+/=]{40,}$")
MASK = "*"


@lru_cache(maxsize=1024)
def is_secret_key(name: str) -> bool:
    """Whether a key's name, perhaps mistyped, promises a secret behind it."""
    return bool(_SECRET_KEY.search(name)) or bool(get_close_matches(name.lower(), _SECRET_WORDS, n=1, cutoff=0.75))


class Masks:
    """What must not be shown of one file. `root` is None where the file does not parse."""

    def __init__(self, lines: list[str], root: Node | None) -> None:
        self._lines = lines
        self._parsed = root is not None
        self._secrets: dict[int, list[Scalar]] = {}
        self._masked: dict[int, str] = {}
        for scalar in () if root is None else secret_scalars(root):
            for line in range(scalar.spot.line, scalar.spot.line + scalar.raw.count("\n") + 1):
                self._secrets.setdefault(line, []).append(scalar)

    def line(self, number: int) -> str:
        """Line `number` (from 1) with every secret masked."""
        if number not in self._masked:
            self._masked[number] = self._mask(number)
        return self._masked[number]

    def _mask(self, number: int) -> str:
        line = self._lines[number - 1] if self._parsed else _masked_by_look(self._lines, number)
        characters = list(line)
        for scalar in self._secrets.get(number, ()):
            start, end = _extent(scalar, number, len(line))
            characters[start:end] = MASK * (end - start)
        line = _WORD.sub(_without_credentials, "".join(characters))
        return MASK * len(line) if _PEM.search(line.strip()) else line


def secret_scalars(node: Node, *, secret: bool = False) -> Iterator[Scalar]:
    """Every value that may be a secret in clear."""
    if isinstance(node, Section):
        for name, (_, inner) in node.entries.items():
            yield from secret_scalars(inner, secret=(secret and not _is_reference(name, inner)) or is_secret_key(name))
    elif isinstance(node, Listing):
        for item in node.items:
            yield from secret_scalars(item, secret=secret)
    elif secret and node.value is not None:
        yield node


def _is_reference(name: str, node: Node) -> bool:
    """What stands behind `file`, and behind `env` if it looks like a name there."""
    if not isinstance(node, Scalar):
        return False
    return name == "file" or (name == "env" and bool(_ENVIRONMENT_NAME.fullmatch(str(node.value))))


def _without_credentials(word: re.Match[str]) -> str:
    """A word without what stands between :// and the last @, and without what follows the name of a password."""
    text = _PARAMETER.sub(lambda found: found[1] + MASK * len(found[2]), word[0])
    start, end = text.find("://") + 3, text.rfind("@")
    return text[:start] + MASK * (end - start) + text[end:] if 3 <= start < end else text  # noqa: PLR2004 - 2: no :// was found


def _extent(scalar: Scalar, number: int, length: int) -> tuple[int, int]:
    """What of the line the scalar takes; a scalar of several lines takes all of its lines."""
    start = scalar.spot.column - 1 if number == scalar.spot.line else 0
    end = length if "\n" in scalar.raw else min(start + len(scalar.raw), length)
    return start, max(start, end)


def _masked_by_look(lines: list[str], number: int) -> str:
    """Without a tree: what follows a key that sounds like a secret, and lines that may go on behind one."""
    line = lines[number - 1]
    if _inside_secret(lines, number):
        return MASK * len(line)
    for key in _KEY.finditer(line):
        if is_secret_key(key["name"]):
            return line[: key.end()] + MASK * (len(line) - key.end())
    return line


def _inside_secret(lines: list[str], number: int) -> bool:
    """Whether the line may belong to a secret's value: one of the less indented lines above it names a secret."""
    line = lines[number - 1]
    if line.startswith(("---", "...", "%")):
        return False
    limit = _indent(line) + (0 if _KEY_AT_START.match(line) else 1)
    for above in reversed(lines[: number - 1]):
        names = [key["name"] for key in _KEY.finditer(above)]
        if not names or _indent(above) >= limit:
            continue
        if any(is_secret_key(name) for name in names):
            return True
        limit = _indent(above)
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
