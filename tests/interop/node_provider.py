"""Starts the certified OpenID provider (npm oidc-provider) as a process of its own; it ends when its standard input does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("openid_provider.mjs")


@asynccontextmanager
async def node_provider(clients: Sequence[Mapping[str, Any]], **options: Any) -> AsyncIterator[str]:
    """The issuer of a running provider. Options as in the script."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPT),
        json.dumps({"clients": clients, **options}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield json.loads(line)["issuer"]
    finally:
        process.stdin.close()
        await process.wait()
