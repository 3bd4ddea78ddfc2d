"""What the gateway takes on: sheds work before it becomes slow, and limits single clients and providers where asked to.

Requests that begin a login are turned away long before those that end one, because a returning browser carries a password
that its user has just typed. All of it happens before anything is done with a request, so the same one may be sent again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

from aiohttp import StreamReader
from aiohttp.web_request import BaseRequest

from gateway.config.settings import LimitSettings
from gateway.errors import Overloaded, ProviderBusy, TooManyRequests
from gateway.journal import LogJournal
from gateway.web.browser import begins_login, client_address, is_trusted
from gateway.web.pressure import Pressure

QUIET_SECONDS = 10.0
"""A warning that would come with every request comes once in this time."""
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
IPV6_CLIENT = 64
"""Bits: the least that one household or office is given (RFC 6177)."""


class Endpoint(StrEnum):
    """Kinds of requests, each counted by itself."""

    START = "start"
    RETURN = "return"
    LOGOUT = "logout"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Most:
    """What must not be exceeded for a request to be taken on, times in seconds.

    `queue`: how long the first has waited for a turn to begin a login. `standing`: how late work may be throughout.
    `overdue`: how long one round of it may take. `in_hand`: requests.
    """

    queue: float
    standing: float
    overdue: float
    in_hand: int


EAGER = Most(0.5, 0.2, 0.3, 1_500)
PATIENT = Most(math.inf, 0.4, 0.6, 4_000)
MOST = {Endpoint.START: EAGER, Endpoint.RETURN: PATIENT, Endpoint.LOGOUT: PATIENT, Endpoint.OTHER: EAGER}


class Rates(Protocol):
    """So many a minute, counted by all replicas together where the store is shared."""

    async def wait(self, what: str, most: int) -> int:
        """Count one more of `what`: 0. If that were more than `most` a minute, it is not counted: the seconds until there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One gateway's. `rates`: None where nothing is limited. `pressure` is this process's own."""

    limits: LimitSettings
    pressure: Pressure
    rates: Rates | None
    journal: LogJournal
    trusted_proxies: Sequence[IPv4Network | IPv6Network]
    told: dict[str, float] = field(default_factory=dict, init=False)

    def admitted(self, endpoint: Endpoint, body: StreamReader) -> AbstractContextManager[None]:
        """Take the request on until the end of the block. Raises `Overloaded`."""
        pressure, most = self.pressure, MOST[endpoint]
        pressure.arrived += 1
        queue, standing, overdue = pressure.queue(), pressure.standing(), pressure.overdue()
        if queue > most.queue or standing > most.standing or overdue > most.overdue or pressure.in_hand >= most.in_hand:
            raise self._overloaded(endpoint)
        return pressure.counted(body)

    async def await_turn(self, request: BaseRequest) -> None:
        """Until there is time for a login to begin. Raises `Overloaded`."""
        if not await self.pressure.turn(lambda: request.transport is None):
            raise self._overloaded(Endpoint.START)

    def _overloaded(self, endpoint: Endpoint) -> Overloaded:
        pressure = self.pressure
        self.journal.metrics.shed.add(endpoint.value)
        behind = max(pressure.standing(), pressure.overdue())
        state = f"{behind:.3f} s behind, {pressure.queue():.3f} s in the queue, {pressure.in_hand} requests in hand"
        self._tell("shedding", endpoint=endpoint.value, state=state)
        return Overloaded(state)

    async def check_client(self, request: BaseRequest, endpoint: Endpoint) -> None:
        """Not more requests of this kind from this client's network than `limits` allows. Raises `TooManyRequests`.

        What can begin no login takes no beginning: any site's page could shut out its visitors' networks with images and frames.
        """
        limits = self.limits
        if self.rates is not None and endpoint is Endpoint.START and not begins_login(request.headers):
            endpoint = Endpoint.OTHER
        most = limits.starts_per_client if endpoint is Endpoint.START else limits.requests_per_client
        if most is None or self.rates is None:
            return
        network = client_network(request, self.trusted_proxies)
        if network is None:
            self.journal.metrics.unlimited.inc()
            self._tell(
                "client_limits_off", peer=request.remote, reason="forwarded requests from a network that trusted_proxies does not name"
            )
        elif wait := await self.rates.wait(f"{endpoint}:{network}", most):
            self.journal.metrics.limited.labels(f"{endpoint}_per_client").inc()
            raise TooManyRequests(f"more than {most} a minute ({endpoint}) from {network}", retry_after=wait)

    async def check_provider(self, idp: str) -> None:
        """Not more logins begun with this provider than `limits` allows. Raises `ProviderBusy`."""
        most = self.limits.starts_per_provider
        if most is None or self.rates is None:
            return
        if wait := await self.rates.wait(f"provider:{idp}", most):
            self.journal.metrics.limited.labels("start_per_provider").inc()
            self._tell("provider_limited", idp=idp, most=most)
            raise ProviderBusy(f"more than {most} logins a minute with {idp}", retry_after=wait)

    def _tell(self, event: str, **fields: object) -> None:
        now = time.monotonic()
        if now - self.told.get(event, -QUIET_SECONDS) >= QUIET_SECONDS:
            self.told[event] = now
            self.journal.warn(event, **fields)


def client_network(request: BaseRequest, trusted: Sequence[IPv4Network | IPv6Network]) -> str | None:
    """Who asks, as far as limits tell clients apart: an IPv4 address, the /64 of an IPv6 one.

    None where that cannot be known, because a proxy passes requests on whose network nobody named, or a named one that
    does not say for whom: all its users would share one limit.
    """
    if not is_trusted(request.remote or "", trusted) and any(name in request.headers for name in FORWARDED):
        return None
    address = client_address(request, trusted)
    if not address or is_trusted(address, trusted):
        return None
    ip = ip_address(address)
    return address if ip.version == 4 else str(ip_network((ip, IPV6_CLIENT), strict=False))  # noqa: PLR2004
