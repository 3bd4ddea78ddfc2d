"""Lines of a measurement as they come: some take minutes each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator


def tell(lines: AsyncIterator[str]) -> None:
    """Measure, and print each line at once."""

    async def told() -> None:
        async for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    asyncio.run(told())
