"""Files and variables that the configuration names, read at their place: what is wrong with one is reported where it is named.

A content is never told, and a path only as a hint on where it was looked for.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.diagnostics import Code, Severity
from gateway.config.document import Document
from gateway.config.folder import Surroundings, Unreadable
from gateway.config.tree import Node, Scalar, Section
from gateway.model import Secret


class NamedFiles:
    """The named files of one document."""

    def __init__(self, document: Document, surroundings: Surroundings) -> None:
        self._document = document
        self._surroundings = surroundings

    def content(self, place: Node | None) -> bytes | None:
        """The content of the file that is named there; None where none is named, or it cannot be read (reported)."""
        return self._read(place, self._surroundings.file)

    def private(self, place: Node | None) -> bytes | None:
        """As `content`, for a key: a warning where everybody may read it."""
        content = self.content(place)
        if content is not None and isinstance(place, Scalar):
            self._check_private(place)
        return content

    def _check_private(self, place: Scalar) -> None:
        if self._surroundings.exposed(str(place.value)):
            message, hint = "everybody on this machine may read this file", "chmod o-r; in Kubernetes, defaultMode: 0440 at the volume"
            self._document.report(Code.EXPOSED_FILE, place, message, hint, severity=Severity.WARNING)

    def table(self, place: Node | None) -> bytes | None:
        """The content of the lookup table that is named there; None as for `content`, and where tables are left unread."""
        return self._read(place, self._surroundings.table)

    def _read(self, place: Node | None, read: Callable[[str], bytes | None]) -> bytes | None:
        if not isinstance(place, Scalar) or not isinstance(place.value, str) or self._document.has_problem_at(place.spot):
            return None
        try:
            content = read(place.value)
        except Unreadable as error:
            self._document.report(Code.NAMED_FILE, place, f"this file {error}", f"looked for {self._surroundings.path(place.value)}")
            return None
        if content is not None and not content.strip():
            self._document.report(Code.NAMED_FILE, place, "this file is empty")
            return None
        return content

    def secret(self, reference: Node | None) -> Secret | None:
        """The secret behind `{file}` or `{env}`; None where there is none, or it cannot be used (reported)."""
        if not isinstance(reference, Section) or len(reference.entries) != 1:
            return None
        file, variable = reference.scalar("file"), reference.scalar("env")
        if variable is not None and not self._document.has_problem_at(variable.spot):
            return self._checked(variable, self._variable(variable))
        content = self.content(file)
        secret = None if content is None or file is None else self._checked(file, decoded(content))
        if secret is not None and file is not None:
            self._check_private(file)
        return secret

    def _variable(self, place: Scalar) -> str | None:
        try:
            return self._surroundings.variable(str(place.value))
        except Unreadable as error:
            self._document.report(Code.NAMED_FILE, place, str(error))
            return None

    def _checked(self, place: Scalar, text: str | None) -> Secret | None:
        if self._document.has_problem_at(place.spot):
            return None
        if not text or not text.isprintable():
            message = "the secret is empty" if text == "" else "the secret is not one line of text"
            self._document.report(Code.NAMED_FILE, place, message, "one line; a newline at its end is cut" if text else None)
            return None
        if text != text.strip():
            hint = "a newline at the end is cut, a blank is not"
            self._document.report(Code.BLANK_SECRET, place, "the secret begins or ends with a blank", hint, severity=Severity.WARNING)
        return Secret(text)


def decoded(content: bytes) -> str | None:
    """A secret's text: UTF-8, one newline at its end cut. None if it is no text."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text[:-1].removesuffix("\r") if text.endswith("\n") else text
