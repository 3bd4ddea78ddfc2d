"""Problems as people and programs read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Code, Problem, Severity
from gateway.config.reporting import as_json, as_sarif, as_summary, as_text

PROBLEM = Problem(
    file="entra.yaml",
    line=12,
    column=3,
    end_column=9,
    code=Code.UNKNOWN_KEY,
    message="there is no key 'scpoes' here",
    hint="did you mean 'scopes'?",
    excerpt="  scpoes: [openid]",
)
WARNING = Problem(file="a b.yaml", line=1, column=1, end_column=1, code=Code.COOKIE_KEYS, severity=Severity.WARNING, message="no keys")


def changed(problem: Problem, **changes: object) -> Problem:
    fields = {name: getattr(problem, name) for name in Problem.__dataclass_fields__}
    return Problem(**(fields | changes))


def test_a_problem_is_told_with_its_line_underlined() -> None:
    assert as_text(PROBLEM) == (
        "entra.yaml:12:3: error[QGW-504]: there is no key 'scpoes' here\n"
        "   12 |   scpoes: [openid]\n"
        "      |   ^^^^^^\n"
        "      = help: did you mean 'scopes'?"
    )


def test_a_problem_without_line_and_hint_is_one_line() -> None:
    assert as_text(WARNING) == "a b.yaml:1:1: warning[QGW-520]: no keys"


def test_colours_change_nothing_but_colours() -> None:
    coloured = as_text(PROBLEM, colour=True)
    assert "\x1b[31m" in coloured
    for style in ("\x1b[31m", "\x1b[34m", "\x1b[1m", "\x1b[0m"):
        coloured = coloured.replace(style, "")
    assert coloured == as_text(PROBLEM)


def test_a_long_line_is_shown_around_the_spot() -> None:
    line = "x" * 5_000 + "HERE" + "y" * 5_000
    text = as_text(changed(PROBLEM, column=5_001, end_column=5_005, excerpt=line)).splitlines()
    assert len(text[1]) < 200
    assert text[1][text[2].index("^") : text[2].rindex("^") + 1] == "HERE"


def test_what_would_steer_a_terminal_is_written_out() -> None:
    nasty = changed(PROBLEM, file="\x1b]0;x\x07.yaml", message="key '\x1b[2J\u202e'", hint="\n\x00", excerpt="a\t\u202eb")
    for text in (as_text(nasty), *(json.dumps(report, ensure_ascii=False) for report in (as_json([nasty]), as_sarif([nasty], Path("/"))))):
        assert not {"\x1b", "\u202e", "\x00", "\x07"} & set(text)
    assert as_text(nasty).count("\n") == 3


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        ([], "no problems"),
        ([PROBLEM], "1 error"),
        ([WARNING], "1 warning"),
        ([PROBLEM, PROBLEM, WARNING, WARNING], "2 errors and 2 warnings"),
    ],
)
def test_a_summary_counts(problems: list[Problem], told: str) -> None:
    assert as_summary(problems, Path("idp_configs")) == f"idp_configs: {told}"


def test_json_has_the_documented_members_and_no_others() -> None:
    assert as_json([PROBLEM, WARNING]) == {
        "problems": [
            {
                "file": "entra.yaml",
                "line": 12,
                "column": 3,
                "code": "QGW-504",
                "severity": "error",
                "message": "there is no key 'scpoes' here",
                "hint": "did you mean 'scopes'?",
            },
            {"file": "a b.yaml", "line": 1, "column": 1, "code": "QGW-520", "severity": "warning", "message": "no keys", "hint": None},
        ]
    }


def test_sarif_says_where_and_by_which_rule() -> None:
    report: Any = as_sarif([PROBLEM, WARNING], Path("/srv/conf igs"))
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [code.value for code in Code]
    assert run["originalUriBaseIds"]["CONFIG"]["uri"] == "file:///srv/conf%20igs/"
    first, second = run["results"]
    assert (first["ruleId"], first["level"], rules[first["ruleIndex"]]["id"]) == ("QGW-504", "error", "QGW-504")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "entra.yaml", "uriBaseId": "CONFIG"}
    assert place["region"] == {"startLine": 12, "startColumn": 3, "endColumn": 9}
    assert second["level"] == "warning"
    assert second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.yaml"
