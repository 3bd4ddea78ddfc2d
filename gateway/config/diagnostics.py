"""What a configuration's mistakes are called and what is told about each: a stable code, a place, a sentence, a hint."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self


class Severity(StrEnum):
    """An error keeps the configuration from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Coded(StrEnum):
    """Codes that each have a meaning: a sentence without its full stop."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


class Code(Coded):
    """Every kind of mistake. Numbers never change their meaning; QGW-500 is the gateway's own fault."""

    UNREADABLE = "QGW-501", "A file of the configuration is missing or cannot be read"
    SYNTAX = "QGW-502", "Not valid YAML"
    DUPLICATE_KEY = "QGW-503", "A key stands twice in one mapping"
    UNKNOWN_KEY = "QGW-504", "A key that does not exist here"
    MISSING_KEY = "QGW-505", "A required key is missing"
    WRONG_VALUE = "QGW-506", "A value of the wrong type or form"
    EMPTY_VALUE = "QGW-507", "A key with nothing behind it"
    DANGLING = "QGW-508", "A reference to something that does not exist"
    UNEXPECTED_FILE = "QGW-509", "A file that does not belong in the folder"
    DUPLICATE = "QGW-510", "Two entries that stand for the same thing"
    NAMED_FILE = "QGW-511", "A file or environment variable that is named but cannot be used"
    MATERIAL = "QGW-512", "A certificate or key that cannot be used"
    INSECURE_URL = "QGW-513", "An address that is not protected by https"
    INLINE_SECRET = "QGW-514", "A secret that is not given by reference"
    EXPRESSION = "QGW-515", "An expression that cannot be used"
    RESERVED = "QGW-516", "A name that Qlik Sense or the gateway keeps for itself"
    TARGET = "QGW-517", "Targets that do not fit together"
    MAPPING = "QGW-518", "A mapping rule that is incomplete or contradicts itself"
    SCHEMA = "QGW-519", "A schema version that this gateway does not know"
    COOKIE_KEYS = "QGW-520", "Cookie keys that are missing or unusable"
    YAML_FEATURE = "QGW-522", "A feature of YAML that is not used here"
    TRIAL = "QGW-524", "A test in an identity provider's file that does not come out as it says"
    EXPIRES_SOON = "QGW-523", "A certificate that expires soon"
    SHARED_IDENTITY = "QGW-531", "Two identity providers that can produce the same user"
    REASSIGNABLE_ID = "QGW-532", "A user id that can be given to somebody else"
    VARIANT_ID = "QGW-533", "A user id whose letters may differ from one sign-in to the next"
    CASE_SENSITIVE_ID = "QGW-534", "A user id in which upper and lower case tell people apart, where Qlik Sense sees one user"
    VARIANT_DIRECTORY = "QGW-535", "Directories that differ in case alone"
    CONNECTOR_ATTRIBUTE = "QGW-536", "An attribute that may overwrite one of a directory connector"
    SAME_ID = "QGW-537", "A user id that is the same for many people"
    UNUSED = "QGW-560", "Something that is there and that nothing leads to"
    EXPOSED_FILE = "QGW-561", "A key or secret in a file that everybody on the machine may read"
    PREFIXED_NODE = "QGW-562", "A node that seems to be named with a virtual proxy's prefix"
    FOREIGN_CERTIFICATE = "QGW-563", "A client certificate that the site's root did not issue"
    BLANK_SECRET = "QGW-564", "A secret with a blank at one of its ends"
    TRUSTED_CROWD = "QGW-565", "A network whose every member is believed to be a proxy, and that is far too large for that"
    STALE_ACKNOWLEDGEMENT = "QGW-539", "An acknowledgement of something that is not there"


FINDINGS: Final = {
    code.value: code
    for code in (
        Code.SHARED_IDENTITY,
        Code.REASSIGNABLE_ID,
        Code.VARIANT_ID,
        Code.CASE_SENSITIVE_ID,
        Code.VARIANT_DIRECTORY,
        Code.CONNECTOR_ATTRIBUTE,
        Code.SAME_ID,
    )
}
"""What the linter finds; these alone can be acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake at its place. `file` is relative to the folder; lines and columns count from 1, `end_column` is the first behind it.

    `excerpt` is the line as it stands there, with secrets masked; None where there is no line to show. `acknowledged` is the
    reason that somebody gave for living with it.
    """

    file: str
    line: int
    column: int
    end_column: int
    code: Code
    severity: Severity = Severity.ERROR
    message: str
    hint: str | None = None
    excerpt: str | None = None
    acknowledged: str | None = None
