from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.demo.certificates import SiteCertificates, make_site
from gateway.demo.site import QlikSimulator
from tests.demo.clients import NODES, RestClient
from tests.fakes import FixedClock


@pytest.fixture(scope="session")
def certificates() -> SiteCertificates:
    return make_site(NODES, host_of_root=NODES[0])


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def site(certificates: SiteCertificates, clock: FixedClock) -> AsyncIterator[QlikSimulator]:
    modules = {"": "http://gw.example/vp/default/login", "sales": "http://gw.example/vp/sales/login"}
    async with QlikSimulator(clock=clock, nodes=NODES, virtual_proxies=modules, certificates=certificates) as running:
        yield running


@pytest.fixture
async def rest(site: QlikSimulator) -> AsyncIterator[RestClient]:
    async with RestClient(site) as client:
        yield client
