from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.redis import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis server for one test, which may break it."""
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()
