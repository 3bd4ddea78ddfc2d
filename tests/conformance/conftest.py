from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conformance.kinds import KINDS, Kind, opened, running


@pytest.fixture(scope="session", params=KINDS)
def servers(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The servers of each kind of store, one set for all tests."""
    yield from running(request.param)


@pytest.fixture
async def kind(servers: Any) -> AsyncIterator[Kind]:
    """Two replicas with their stores, empty."""
    async with opened(servers) as kind:
        yield kind
