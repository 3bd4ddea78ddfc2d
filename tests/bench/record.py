"""The committed figures in docs/benchmark/: written by `--publish`, and compared with, by ratios alone, by every run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench import growth, logins, plot
from tests.bench.growth import Line
from tests.bench.logins import Result, Row, ratio

FOLDER = Path(__file__).parents[2] / "docs" / "benchmark"
PAGE = FOLDER.parent / "benchmark.md"
SAID = {"ready": "From start to ready", "help": "`qlikgw --help`"}
LOGINS, GROWTH = FOLDER / "logins.json", FOLDER / "growth.json"
LEVEL = 16
WORTH_TELLING = 0.1
"""Relative changes of a ratio below this are noise."""


def publish_logins(result: Result) -> None:
    """The figures, their drawing and their table."""
    write(LOGINS, result.as_json())
    (FOLDER / "logins.svg").write_text(plot.bars(result, LEVEL))
    heads = ("system", "login", "at once", "per CPU s", "of the yardstick", "per s", "p50 ms", "p99 ms", "driver %", "others %", "errors")
    rows = [cells(row, ratio(result, row)) for row in result.rows]
    sizes = [f"- Memory (PSS) {moment}: {size:.0f} MiB" for moment, size in result.memory.items()]
    fill("logins", [*table(heads, rows), "", *sizes, *(f"- {line}" for line in bars_met(result))])


def publish_growth(lines: list[Line]) -> None:
    """The figures, their drawing and their table."""
    write(GROWTH, growth.as_json(lines))
    (FOLDER / "growth.svg").write_text(plot.growth(lines))
    rows = [(line.what, points(line), f"{line.slope:.3g} µs per {line.unit}") for line in lines]
    fill("growth", table(("what grows", "how many: milliseconds of CPU time per login", "slope"), rows))


def publish_floors(figures: dict[str, float]) -> None:
    """The figures and their table."""
    write(FOLDER / "floors.json", figures)
    fill("floors", table(("part", "µs of CPU time"), [(what, f"{microseconds:.0f}") for what, microseconds in figures.items()]))


def fill(section: str, lines: list[str]) -> None:
    """Put lines into the page, between the marks of their section."""
    text = "\n".join(["", *lines, ""])
    page = re.sub(rf"(<!-- {section} -->).*?(<!-- end -->)", lambda found: found[1] + text + found[2], PAGE.read_text(), flags=re.DOTALL)
    PAGE.write_text(page)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table of the page."""
    return [f"| {' | '.join(map(str, cells))} |" for cells in (heads, ["---"] * len(heads), *rows)]


def cells(row: Row, of_yardstick: float | None) -> tuple[object, ...]:
    """A row of the table."""
    cost = (f"{row.per_cpu_second:,.0f}", "" if of_yardstick is None else f"{of_yardstick:.2f}", f"{row.per_second:,.0f}")
    times = (f"{row.p50:.1f}", f"{row.p99:.1f}", f"{row.driver:.0f}", f"{row.others:.0f}")
    return row.system, row.journey, row.at_once, *cost, *times, sum(row.errors.values())


def points(line: Line) -> str:
    """As many figures as tell something."""
    return ", ".join(f"{size:,}: {milliseconds:.{2 if milliseconds >= 1 else 4}f}" for size, milliseconds in line.points)


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


RATES = (("OIDC", 1300), ("SAML, both opinions", 600), ("SAML, own engine", 1000))
"""Logins per CPU second that the product has set itself."""
MEASURES = {"OIDC": (("yardstick", 1820),), "SAML": (("mod_shib", 553), ("yardstick", 574))}
"""What others did on the machine that they were set for. The first that is there tells what the product would do on that machine."""
SLOWEST_MS, LARGEST_MIB = 40, 110
LONGEST_MS = {"ready": 1000, "help": 150}


def bars_met(result: Result) -> Iterator[str]:
    """The bars that the product has set itself; rates as they would be on the machine that they were set for."""
    at_level = {(row.system, row.journey): row for row in result.rows if row.at_once == LEVEL}
    ours = {journey: row for (system, journey), row in at_level.items() if system == "qlikgw"}
    for journey, bar in RATES:
        measures = ((name, rate, at_level.get((name, journey[:4]))) for name, rate in MEASURES[journey[:4]])
        name, rate, measure = next((found for found in measures if found[2]), ("", 0, None))
        if measure and journey in ours and (share := ratio(result, ours[journey])) and (whole := ratio(result, measure)):
            there = share / whole * rate
            yield f"{verdict(there >= bar)}: {journey} {there:,.0f} per CPU second of {bar:,}, where {name} does {rate:,}"
    for row in ours.values():
        yield f"{verdict(row.p99 <= SLOWEST_MS)}: {row.journey} p99 {row.p99:.0f} ms of {SLOWEST_MS}"
    for what, seconds in result.seconds.items():
        yield f"{verdict(seconds * 1000 <= LONGEST_MS[what])}: {SAID[what]} {seconds * 1000:.0f} ms of {LONGEST_MS[what]}"
    for moment, size in list(result.memory.items())[-1:]:
        yield f"{verdict(size <= LARGEST_MIB)}: memory {moment} {size:.0f} MiB of {LARGEST_MIB}"


def verdict(good: bool) -> str:  # noqa: FBT001
    return "met" if good else "MISSED"
