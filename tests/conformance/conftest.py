from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.stores import link
from tests.conformance.kinds import KINDS, Kind, opened, running


@pytest.fixture(scope="session", params=KINDS)
def servers(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The servers of each kind of store, one set for all tests."""
    yield from running(request.param)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is promised here is what a store answers; how soon is the subject of `tests/stores`."""
    for limit in ("DEADLINE", "CONNECT", "ANSWER"):
        monkeypatch.setattr(link, limit, 30.0)


@pytest.fixture
async def kind(servers: Any) -> AsyncIterator[Kind]:
    """Two replicas with their stores, empty."""
    async with opened(servers) as kind:
        yield kind
