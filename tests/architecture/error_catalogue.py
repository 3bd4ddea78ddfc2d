"""`docs/errors.md`, built from `gateway.errors` and `gateway.config.diagnostics`.

To write it anew: `python -m tests.architecture.error_catalogue`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from gateway.config.diagnostics import Code
from gateway.doctor import FindingCode
from gateway.errors import (
    Blame,
    BrowserError,
    ConfigError,
    GatewayError,
    IdentityError,
    InternalError,
    ProviderError,
    QlikError,
    StoreError,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"

SERIES: dict[str, tuple[str, tuple[type[GatewayError], ...]]] = {
    "1": ("The browser's request", (BrowserError,)),
    "2": ("The identity provider", (ProviderError,)),
    "3": ("Identity, mapping and access", (IdentityError,)),
    "4": ("Qlik Sense", (QlikError,)),
    "5": ("The gateway and its configuration", (InternalError, ConfigError)),
    "6": ("The shared store", (StoreError,)),
}

MENDERS = {
    Blame.BROWSER: "the user",
    Blame.IDP: "the identity provider's administrators",
    Blame.QLIK: "the Qlik Sense administrators",
    Blame.OPERATOR: "the gateway's administrators",
}

HEAD = """\
# Error codes

Every page and every JSON error carries a code, a title, a sentence on what to do, and a reference. The code is stable.
The reference is in the log, beside the detail that no page shows.

This page is built from `gateway/errors/` and `gateway/config/diagnostics.py`.
"""

PROBLEMS = """\
### Problems that `qlikgw check` reports

Each comes with its file, line and column; users never see them.

| code | problem |
|---|---|
"""
FINDINGS = """
### Problems that `qlikgw doctor` reports

Beside all of the above, and the codes that a sign-in would end with.

| code | problem |
|---|---|
"""


def errors() -> list[type[GatewayError]]:
    """Every class of error that can be met, in the order of the codes. The root is left out: it is never raised as itself."""

    def below(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
        for child in kind.__subclasses__():
            if child.__module__.startswith("gateway.errors"):
                yield child
                yield from below(child)

    return sorted(below(GatewayError), key=lambda error: error.code)


def entry(error: type[GatewayError]) -> str:
    """One error: what it means, and what a user sees."""
    meaning = " ".join(inspect.cleandoc(error.__dict__["__doc__"]).split())
    return (
        f"### {error.code}: {error.title}\n\n{meaning}\n\n"
        f"- **What the user is told:** {error.advice}\n"
        f"- **Who can mend it:** {MENDERS[error.blame]}\n"
        f"- **Status:** {error.status}. **In the source:** `{error.__name__}`\n"
    )


def problems() -> str:
    """What is wrong with a configuration: found before anybody signs in, and told with its place in a file."""
    rows = "".join(f"| {code.value} | {code.meaning} |\n" for code in Code)
    found = "".join(f"| {code.value} | {code.meaning} |\n" for code in FindingCode if code.value not in set(Code))
    return PROBLEMS + rows + FINDINGS + found


def catalogue() -> str:
    """The whole page."""
    parts = [HEAD]
    for digit, (title, _) in SERIES.items():
        parts.append(f"## {digit}xx: {title}\n")
        parts += [entry(error) for error in errors() if error.code.startswith(f"QGW-{digit}")]
        parts += [problems()] if digit == "5" else []
    return "\n".join(parts)


if __name__ == "__main__":
    DOCUMENT.write_text(catalogue(), "utf-8")
