"""`./dev bench [WHAT]`: measurements, as ratios to a yardstick or a floor of the same run. docs/benchmark.md tells how to read them."""

from __future__ import annotations

import argparse
import asyncio
import runpy
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from gateway.web import rounds
from tests.bench import floors, growth, logins, overload, record

WHAT = {
    "logins": "whole logins of both protocols at the full product, beside a yardstick (the default)",
    "growth": "what a login costs as groups, virtual proxies, providers, logins in flight and one-time marks grow",
    "floors": "what the parts cost that no login can do without",
    "overload": "three times as many logins as the gateway can do",
    "memory": "the gateway's memory over 200,000 logins, every second one abandoned",
    "instructions": "instructions in user space of a login, with the product and the yardstick (needs valgrind)",
    "saml": "one SAML response: our engine, both opinions, python3-saml as shipped, and the floor",
}


def parser() -> argparse.ArgumentParser:
    """Options."""
    what = "\n".join(f"  {name}: {text}" for name, text in WHAT.items())
    found = argparse.ArgumentParser(
        prog="./dev bench", description=f"{__doc__}\n\n{what}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("what", nargs="?", default="logins", choices=WHAT)
    found.add_argument("--at-once", default="1,16,64", help="logins in hand, each a level of its own (default: 1,16,64)")
    found.add_argument("--logins", type=int, default=400, help="of each round; of growth, a quarter of that (default: 400)")
    found.add_argument("--rounds", type=int, default=15, help="of each level or point (default: 15)")
    found.add_argument("--memory-after", type=int, default=0, metavar="N", help="look at memory after N logins more")
    found.add_argument("--floods", type=int, default=3, help="of each kind, of overload (default: 3)")
    found.add_argument(
        "--alone", action="store_true", help="of overload: each user with a connection of their own, as without a proxy in front"
    )
    found.add_argument("--redis", action="store_true", help="also with Redis for the store")
    found.add_argument("--peers", action="store_true", help="also what is installed of others")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    found.add_argument(
        "--publish",
        action="store_true",
        help="of logins, growth, floors or overload: make the figures and drawings in docs/benchmark/ anew",
    )
    return found


def main() -> None:
    """Run what was asked for."""
    asked = parser().parse_args()
    {"logins": of_logins, "growth": of_growth, "floors": of_floors, "overload": of_overload}.get(asked.what, by_itself)(asked)


def of_logins(asked: argparse.Namespace) -> None:
    options = logins.Options(
        at_once=tuple(map(int, asked.at_once.split(","))),
        logins=asked.logins,
        rounds=asked.rounds,
        memory_after=asked.memory_after,
        redis=asked.redis,
        peers=asked.peers,
    )
    result, before = asyncio.run(logins.run(options)), record.committed_logins()
    result.floors = asyncio.run(floors.run())
    tell(
        [*logins.lines(result), *record.bars_met(result), *record.over_floors(result), *(record.changes(result, before) if before else ())]
    )
    if asked.json:
        record.write(asked.json, result.as_json())
    if asked.publish:
        record.publish_logins(result)
        record.publish_floors(result.floors)


def of_growth(asked: argparse.Namespace) -> None:
    lines, before = asyncio.run(growth.run(growth.Effort(logins=max(1, asked.logins // 4), rounds=asked.rounds))), record.committed_growth()
    tell([*growth.lines_of(lines), *record.changes_of_growth(lines, before)])
    if asked.json:
        record.write(asked.json, growth.as_json(lines))
    if asked.publish:
        record.publish_growth(lines)


def of_floors(asked: argparse.Namespace) -> None:
    figures = asyncio.run(floors.run())
    tell(f"{name:64}{microseconds:10.1f} µs" for name, microseconds in figures.items())
    if asked.json:
        record.write(asked.json, figures)
    if asked.publish:
        record.publish_floors(figures)


def of_overload(asked: argparse.Namespace) -> None:
    outcomes: list[overload.Outcome] = []

    async def floods() -> None:
        async for one in overload.run(overload.Effort(floods=asked.floods, alone=asked.alone)):
            outcomes.append(one)
            tell([overload.line(one)])
            sys.stdout.flush()

    rounds.run(floods())
    tell(record.table(*overload.heads_and_rows(outcomes)))
    if asked.json:
        record.write(asked.json, [asdict(one) for one in outcomes])
    if asked.publish:
        record.publish_overload(outcomes, alone=asked.alone)


def by_itself(asked: argparse.Namespace) -> None:
    """The others know nothing of these options."""
    sys.argv = sys.argv[:1]
    runpy.run_module(f"tests.bench.{asked.what}", run_name="__main__")


def tell(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
