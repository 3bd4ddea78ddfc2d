"""`./dev bench [WHAT]`: measurements, as ratios to a yardstick or a floor of the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import runpy
import sys
from pathlib import Path

from tests.bench import logins

WHAT = {
    "logins": "whole logins of both protocols at the full product, beside a yardstick (the default)",
    "overload": "three times as many logins as the gateway can do",
    "memory": "the gateway's memory over 200,000 logins, every second one abandoned",
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
    found.add_argument("--logins", type=int, default=2000, help="of each round (default: 2000)")
    found.add_argument("--rounds", type=int, default=5, help="of each level; their median counts (default: 5)")
    found.add_argument("--memory-after", type=int, default=0, metavar="N", help="look at memory after N logins more")
    found.add_argument("--redis", action="store_true", help="also with Redis for the store")
    found.add_argument("--peers", action="store_true", help="also what is installed of others")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return found


def main() -> None:
    """Run what was asked for."""
    asked = parser().parse_args()
    if asked.what != "logins":
        sys.argv = sys.argv[:1]
        runpy.run_module(f"tests.bench.{asked.what}", run_name="__main__")
        return
    options = logins.Options(
        at_once=tuple(map(int, asked.at_once.split(","))),
        logins=asked.logins,
        rounds=asked.rounds,
        memory_after=asked.memory_after,
        redis=asked.redis,
        peers=asked.peers,
    )
    result = asyncio.run(logins.run(options))
    sys.stdout.writelines(f"{line}\n" for line in logins.lines(result))
    if asked.json:
        asked.json.write_text(json.dumps(result.as_json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
