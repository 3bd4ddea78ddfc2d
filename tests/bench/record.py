"""The committed figures in docs/benchmark/: written by `--publish`, and compared with, by ratios alone, by every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import growth, logins, plot
from tests.bench.growth import Line
from tests.bench.logins import Result, Row, ratio

FOLDER = Path(__file__).parents[2] / "docs" / "benchmark"
LOGINS, GROWTH = FOLDER / "logins.json", FOLDER / "growth.json"
LEVEL = 16
WORTH_TELLING = 0.1
"""Relative changes of a ratio below this are noise."""


def publish_logins(result: Result) -> None:
    """The figures and their drawing."""
    write(LOGINS, result.as_json())
    (FOLDER / "logins.svg").write_text(plot.bars(result, LEVEL))


def publish_growth(lines: list[Line]) -> None:
    """The figures and their drawing."""
    write(GROWTH, growth.as_json(lines))
    (FOLDER / "growth.svg").write_text(plot.growth(lines))


def write(path: Path, figures: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


def committed_logins() -> Result | None:
    """The last committed run."""
    if not LOGINS.exists():
        return None
    figures = json.loads(LOGINS.read_text())
    return Result(rows=[Row(**row) for row in figures["rows"]], memory=figures["memory"], seconds=figures["seconds"])


def changes(now: Result, before: Result) -> Iterator[str]:
    """Rows whose share of the yardstick is another than it was. It tells; nothing fails by it."""
    for row in now.rows:
        share = ratio(now, row)
        old = next((ratio(before, one) for one in before.rows if logins.key(one) == logins.key(row)), None)
        if share is not None and old is not None and abs(share / old - 1) > WORTH_TELLING:
            word = "slower" if share < old else "faster"
            where = f"{row.system}, {row.journey}, {row.at_once} at once"
            yield f"{where}: {share:.2f} of the yardstick, {old:.2f} in the committed run: {word}"


def bars_met(result: Result) -> Iterator[str]:
    """The bars that the product has set itself, on a machine where the yardstick does 1,820 OpenID logins per CPU second."""
    yardstick = result.figure("yardstick", "OIDC", LEVEL)
    if yardstick is None:
        return
    for journey, bar in (("OIDC", 1300), ("SAML, both opinions", 600), ("SAML, own engine", 1000)):
        figure = result.figure("qlikgw", journey, LEVEL)
        if figure is not None:
            there = figure * 1820 / yardstick
            yield f"{'met' if there >= bar else 'MISSED'}: {journey} {there:,.0f} of {bar:,} (measured here: {figure:,.0f})"
