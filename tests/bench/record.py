"""The committed figures in docs/benchmark/: written by `--publish`, and compared with, by ratios alone, by every run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import growth, logins, overload, plot
from tests.bench.growth import Line
from tests.bench.logins import Result, Row, ratio
from tests.bench.overload import Outcome

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
    sizes = [f"- Memory, {moment}: {size:.0f} MiB" for moment, size in result.memory.items()]
    told = [*sizes, *(f"- {line}" for line in (*bars_met(result), *over_floors(result)))]
    fill(
        "logins", [*table(heads, rows), "", *told, f"- Measured with {', '.join(f'{name} {what}' for name, what in result.about.items())}"]
    )


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


def publish_overload(outcomes: list[Outcome], *, alone: bool) -> None:
    """The figures, their drawing and their table: of users behind a proxy, or of users alone."""
    name = "overload-alone" if alone else "overload"
    write(FOLDER / f"{name}.json", [asdict(one) for one in outcomes])
    (FOLDER / f"{name}.svg").write_text(plot.overload(outcomes))
    fill(name, table(*overload.heads_and_rows(outcomes)))


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
    return Result(rows=[Row(**row) for row in figures["rows"]], memory=figures["memory"])


def changes(now: Result, before: Result) -> Iterator[str]:
    """Rows whose share of the yardstick is another than it was. It tells; nothing fails by it."""
    for row in now.rows:
        share = ratio(now, row)
        old = next((ratio(before, one) for one in before.rows if logins.key(one) == logins.key(row)), None)
        if share is not None and old is not None and abs(share / old - 1) > WORTH_TELLING:
            word = "slower" if share < old else "faster"
            where = f"{row.system}, {row.journey}, {row.at_once} at once"
            yield f"{where}: {share:.2f} of the yardstick, {old:.2f} in the committed run: {word}"


def committed_growth() -> list[Line]:
    """The last committed run."""
    if not GROWTH.exists():
        return []
    figures = json.loads(GROWTH.read_text())
    return [Line(line["what"], line["unit"], [(size, milliseconds) for size, milliseconds in line["points"]]) for line in figures]


def changes_of_growth(now: Iterable[Line], before: Iterable[Line]) -> Iterator[str]:
    """What costs another multiple of the least of it than it did. It tells; nothing fails by it."""
    committed = {line.what: dict(line.points) for line in before}
    for line in now:
        old, new = committed.get(line.what, {}), dict(line.points)
        if len(both := sorted(old.keys() & new.keys())) > 1:
            least, most = both[0], both[-1]
            ratio_now, ratio_before = new[most] / new[least], old[most] / old[least]
            if abs(ratio_now / ratio_before - 1) > WORTH_TELLING:
                word = "steeper" if ratio_now > ratio_before else "flatter"
                told = f"{most:,} cost {ratio_now:.2f} times what {least:,} costs, {ratio_before:.2f} times in the committed run"
                yield f"{line.what}: {told}: {word}"


RATES = (("OIDC", 1300), ("SAML, both opinions", 600), ("SAML, own engine", 1000))
"""Logins per CPU second that the product has set itself."""
MEASURES = {"OIDC": (("yardstick", 1820), ("openid-client", 786)), "SAML": (("mod_shib", 553), ("yardstick", 574))}
"""What others did on the machine that they were set for: by each is told what the product would do there; the first decides."""
SLOWEST_MS, LARGEST_MIB, MANY_LOGINS = 40, 110, 100_000
LONGEST_MS = {"ready": 1000, "help": 150}


def bars_met(result: Result) -> Iterator[str]:
    """The bars that the product has set itself; rates as they would be on the machine that they were set for."""
    at_level = {(row.system, row.journey): row for row in result.rows if row.at_once == LEVEL}
    ours = {journey: row for (system, journey), row in at_level.items() if system == "qlikgw"}
    for journey, bar in RATES:
        share = ratio(result, ours[journey]) if journey in ours else None
        measures = ((name, rate, at_level.get((name, journey[:4]))) for name, rate in MEASURES[journey[:4]])
        there = {(name, rate): share / whole * rate for name, rate, row in measures if share and row and (whole := ratio(result, row))}
        if there:
            told = "; ".join(f"{figure:,.0f} where {name} does {rate:,}" for (name, rate), figure in there.items())
            yield f"{verdict(next(iter(there.values())) >= bar)}: {journey} of {bar:,} per CPU second: {told}"
    for row in ours.values():
        yield f"{verdict(row.p99 <= SLOWEST_MS)}: {row.journey} p99 {row.p99:.0f} ms of {SLOWEST_MS}"
    for what, seconds in result.seconds.items():
        yield f"{verdict(seconds * 1000 <= LONGEST_MS[what])}: {SAID[what]} {seconds * 1000:.0f} ms of {LONGEST_MS[what]}"
    if (size := result.memory.get(f"PSS after {MANY_LOGINS} logins")) is not None:
        yield f"{verdict(size <= LARGEST_MIB)}: memory after {MANY_LOGINS:,} logins {size:.0f} MiB of {LARGEST_MIB}"


PARTS = {
    "OIDC": (("aiohttp server", 2), ("aiohttp client", 2), ("joserfc", 1)),
    "SAML": (("aiohttp server", 2), ("aiohttp client", 1), ("RSA 2048: verify", 1)),
}
"""What no login by the same libraries can do without, and how often it comes in one."""


def over_floors(result: Result) -> Iterator[str]:
    """What a login takes beside the sum of its floors."""
    for journey, _ in RATES if result.floors else ():
        rate = result.figure("qlikgw", journey, LEVEL)
        if rate:
            floor = sum(
                count * next(us for name, us in result.floors.items() if name.startswith(part)) for part, count in PARTS[journey[:4]]
            )
            yield f"{journey}: {1e6 / rate:.0f} µs of CPU time, {1e6 / rate / floor:.1f} times the sum of its floors ({floor:.0f} µs)"


def verdict(good: bool) -> str:  # noqa: FBT001
    return "met" if good else "MISSED"
