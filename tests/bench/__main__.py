"""`./dev bench [WHAT]`: measurements, as ratios to a floor or a peer of the same run."""

from __future__ import annotations

import runpy
import sys

WHAT = {"saml": "one SAML response: our engine, both opinions, python3-saml as shipped, and the floor"}


def main() -> None:
    """Run what was asked for, or everything."""
    asked = sys.argv[1:] or list(WHAT)
    if unknown := [name for name in asked if name not in WHAT]:
        sys.exit(f"there is no {unknown[0]!r}; there is:\n" + "\n".join(f"  {name}: {text}" for name, text in WHAT.items()))
    for name in asked:
        runpy.run_module(f"tests.bench.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
