"""docs/failure-table.md says nothing that does not exist: every row has its tests, every code, event and metric is ours."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.error_catalogue import errors
from tests.architecture.test_documentation import metrics, names, rows, written_events

ROOT = Path(__file__).parents[2]
COLUMNS = ["failure", "the user sees", "log and metric", "what to do", "shown by"]
ROWS = [row for row in rows((ROOT / "docs" / "failure-table.md").read_text()) if row != COLUMNS]
TITLES = [row[0] for row in ROWS]


@cache
def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_there_are_rows() -> None:
    assert len(ROWS) > 50


@pytest.mark.parametrize("row", ROWS, ids=TITLES)
def test_a_row_is_whole_and_its_tests_exist(row: list[str]) -> None:
    assert len(row) == len(COLUMNS)
    assert all(row)
    for test in row[-1].split():
        file, separator, name = test.partition("::")
        assert separator
        assert name.startswith("test_")
        assert name in functions(file), test


@pytest.mark.parametrize("row", ROWS, ids=TITLES)
def test_every_code_event_and_metric_of_a_row_is_one_of_ours(row: list[str]) -> None:
    codes = {name for name in names(" ".join(row)) if name.startswith("QGW-")}
    assert codes <= {error.code for error in errors()}
    told = {name for name in names(row[2]) if re.fullmatch("[a-z_]+", name)}
    assert told <= set(metrics()) | set(written_events()) | {"failed"}


def test_every_test_of_the_table_that_needs_a_part_of_the_machine_says_so() -> None:
    """Else a row would be shown by a test that fails where the part is missing."""
    for file in {test.partition("::")[0] for row in ROWS for test in row[-1].split()}:
        source = (ROOT / file).read_text()
        if "tests.peers.redis" in source:
            assert 'needs("redis"' in source
