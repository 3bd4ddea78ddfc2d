"""What a request is handled with: the services of the running gateway, and the trail that it leaves for log and error page."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from aiohttp import web

from gateway.journal import LogJournal
from gateway.login import LoginPipeline
from gateway.ports import Clock, Entropy
from gateway.routing import Live, RoutingTable
from gateway.web.cookies import LoginCookies


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Passed in once per running gateway. `public_url`: the origin that browsers use; a request's Host is never looked at."""

    public_url: str
    secure: bool
    table: Live[RoutingTable]
    pipeline: LoginPipeline
    cookies: LoginCookies
    journal: LogJournal
    clock: Clock
    entropy: Entropy
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(slots=True, kw_only=True)
class Trail:
    """How far a request got: only names that the configuration knows are written here."""

    correlation_id: str
    table: RoutingTable
    virtual_proxy: str | None = None
    idp: str | None = None
    transaction: str | None = None
    code: str | None = None
    detail: str | None = None
    is_login: bool = False
    headers: list[tuple[str, str]]
    """Headers that go out with whatever answer is given, also an error page: the cookies of a used login."""


SERVICES = web.AppKey("services", Services)
TRAIL = web.RequestKey("trail", Trail)
