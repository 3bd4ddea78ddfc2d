"""What an administrator can see or set is written down: metrics, log events and their fields, environment variables, commands and options.

Keys of the configuration: tests/config/test_json_schema.py. Error codes: test_error_catalogue.py.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from prometheus_client import Counter

from gateway import events
from gateway.cli import main
from gateway.metrics import Metrics
from gateway.stores import counting, memory, memory_index
from gateway.web import browser, guard, server

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAGES = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
REFERENCE = (ROOT / "docs" / "configuration.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
SAMPLES = ("_total", "_count", "_sum", "_bucket", "_created", "_info", "")


def rows(page: str) -> Iterator[list[str]]:
    """The cells of every row of every table."""
    for line in page.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ---- metrics ------------------------------------------------------------------------------------------------------------


@cache
def metrics() -> dict[str, set[str]]:
    """Every metric as a query names it, with its labels."""
    found = {}
    for collector in set(Metrics().registry._collector_to_names):
        name, labels = collector._name, set(collector._labelnames)  # type: ignore[attr-defined]
        found[name + ("_total" if isinstance(collector, Counter) else "")] = labels
    return found


@pytest.mark.parametrize("metric", sorted(metrics()))
def test_a_metric_stands_in_the_manual_with_its_labels(metric: str) -> None:
    told = {name: row for row in rows(OPERATIONS) for name in names(row[0])}
    assert metric in told
    labels = set(re.findall(r"[a-z_]+", told[metric][1]))
    assert labels == metrics()[metric]


def test_no_page_tells_of_a_metric_that_is_not_there() -> None:
    known = {metric.removesuffix("_total") + suffix for metric in metrics() for suffix in SAMPLES}
    assert set(re.findall(r"\bqlikgw_[a-z_]+[a-z]\b", PAGES)) <= known


# ---- limits ------------------------------------------------------------------------------------------------------------


def test_the_limits_in_the_manual_are_those_of_the_code() -> None:
    limits = {row[0]: row[1] for row in rows(OPERATIONS) if len(row) == 3}
    kibibytes = f"{server.LARGE_FORM // 1024} KiB"
    assert limits["header lines, header fields, request line"].startswith(f"{server.LONGEST_HEADER // 1024} KiB, ")
    assert limits["the head of a request as a whole, while it arrives"] == f"{server.LARGEST_HEAD // 1024} KiB"
    assert limits["time until a connection has sent its first request; until the next one"] == (
        f"{server.FIRST_HEAD_SECONDS:g} s; {server.KEEPALIVE_SECONDS:g} s"
    )
    assert limits["a form; a SAML response"] == "; ".join(f"{size // 1024} KiB" for size in browser.LARGEST_FORM.values())
    assert limits[f"forms over {kibibytes} on their way at once"] == str(server.MOST_LARGE_FORMS)
    assert limits["time that a form takes to arrive"] == f"{browser.FORM_SECONDS:g} s"
    assert limits["connections open at once"] == f"{server.MOST_CONNECTIONS:,}"
    assert limits["requests in hand: that begin a login; that end one"] == f"{guard.EAGER.in_hand:,}; {guard.PATIENT.in_hand:,}"


def test_the_caps_of_memory_in_the_manual_are_those_of_the_code() -> None:
    for told in (
        f"{memory.CAPACITY:,} marks against replay",
        f"{memory_index.CAPACITY:,} entries of the index",
        f"{counting.CAPACITY:,} counts for limits",
        f"{server.MOST_CONNECTIONS:,} connections",
        f"{server.MOST_LARGE_FORMS} forms over",
    ):
        assert told in OPERATIONS


# ---- log lines ----------------------------------------------------------------------------------------------------------


WRITERS = {"note", "warn", "info", "warning", "error", "write", "_tell"}


@cache
def written_events() -> dict[str, set[str]]:
    """Every event that the code writes by name, with the fields that stand in the call."""
    found: dict[str, set[str]] = {}
    for path in GATEWAY.rglob("*.py"):
        if "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "attr", getattr(node.func, "id", "")) not in WRITERS:
                continue
            if node.args and isinstance(node.args[0], ast.Constant) and re.fullmatch("[a-z_]+", str(node.args[0].value)):
                found.setdefault(node.args[0].value, set()).update(keyword.arg for keyword in node.keywords if keyword.arg)
    return found


@pytest.mark.parametrize("event", sorted(written_events()))
def test_a_log_event_stands_in_the_manual_with_its_fields(event: str) -> None:
    told = {name: row for row in rows(OPERATIONS) for name in names(row[0])}
    assert event in told
    missing = written_events()[event] - set(names(" ".join(told[event][1:])))
    assert missing <= {"serving", "wanted", "gateway", "management", "public_url", "seconds"}, "fields that explain themselves"


def test_no_row_tells_of_an_event_that_nobody_writes() -> None:
    table = OPERATIONS.partition("| event |")[2].partition("\n\n")[0]
    told = {name for row in rows(table) for name in names(row[0])}
    assert told - set(written_events()) <= {"library"}  # by the bridge from the standard library's logging


def test_every_outcome_of_the_core_becomes_a_log_line() -> None:
    kinds = {name for name, kind in vars(events).items() if dataclasses.is_dataclass(kind) and kind.__module__ == events.__name__}
    journal = (GATEWAY / "journal.py").read_text()
    assert {kind for kind in kinds if not re.search(rf"\b{kind}\b", journal)} == set()


# ---- environment, commands ----------------------------------------------------------------------------------------------


def test_every_environment_variable_stands_in_the_reference() -> None:
    code = "\n".join(path.read_text() for path in [*GATEWAY.rglob("*.py"), ROOT / "dev"])
    used = set(re.findall(r"[\"'](QLIKGW_[A-Z_]+[A-Z])[\"']", code)) | set(re.findall(r"environ(?:\.get\(|\[)[\"']([A-Z_]+)[\"']", code))
    told = {name for row in rows(REFERENCE.partition("## Environment variables")[2]) for name in names(row[0])}
    assert used <= told | {"PATH"}
    assert told - used <= {"QLIKGW_…", "NO_COLOR"}


def commands() -> list[tuple[str, str]]:
    context = click.Context(main)
    found = []
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        found += [(name, option) for parameter in command.params for option in parameter.opts if option.startswith("--")]
        found += [(name, "")]
    return found


@pytest.mark.parametrize(("command", "option"), commands())
def test_every_command_and_option_stands_on_the_page_of_commands(command: str, option: str) -> None:
    told = {name.removeprefix("qlikgw "): row for row in rows(COMMANDS) for name in names(row[0])[:1]}
    assert command in told, "describe it in docs/commands.md"
    assert option in " ".join(told[command])
