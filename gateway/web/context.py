"""What a request is handled with: the services of the running gateway, and the trail that it leaves for log and error page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from aiohttp.helpers import RequestKey

from gateway.journal import LogJournal
from gateway.login import LoginPipeline
from gateway.logout import LogoutPipeline
from gateway.model import TransactionId
from gateway.ports import Clock, Entropy
from gateway.routing import RoutingTable
from gateway.web.confirmations import Confirmations
from gateway.web.cookies import LoginCookies
from gateway.web.guard import Guard
from gateway.web.handles import BrowserCookie
from gateway.web.logout_cookies import LogoutCookie
from gateway.web.trial_links import TrialLinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One configuration as it serves requests. `public_url`: the origin that browsers use; a request's Host is never looked at.

    A reload swaps all of it at once; a request goes on with what it began with.
    """

    public_url: str
    secure: bool
    table: RoutingTable
    pipeline: LoginPipeline
    logout: LogoutPipeline
    cookies: LoginCookies
    browser_cookie: BrowserCookie
    logout_cookie: LogoutCookie
    confirmations: Confirmations
    trials: TrialLinks
    journal: LogJournal
    clock: Clock
    entropy: Entropy
    guard: Guard
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(kw_only=True)
class Trail:
    """How far a request got: only names that the configuration knows are written here.

    What a request has not got to yet stands in the class: most get to little of it.
    """

    correlation_id: str
    route: str
    """The pattern of the path."""
    name: str
    """What stands in the path for the pattern's one name: anything."""
    table: RoutingTable
    cookies: Mapping[str, str] = field(repr=False)
    """Our own."""
    virtual_proxy: str | None = field(default=None, init=False)
    idp: str | None = field(default=None, init=False)
    transaction: TransactionId | None = field(default=None, init=False, repr=False)
    code: str | None = field(default=None, init=False)
    detail: str | None = field(default=None, init=False)
    is_login: bool = field(default=False, init=False)
    is_logout: bool = field(default=False, init=False)
    for_programs: bool = field(default=False, init=False)
    headers: list[tuple[str, str]]
    """Headers that go out with whatever answer is given, also an error page: the cookies of a used login."""


SERVICES = RequestKey("services", Services)
TRAIL = RequestKey("trail", Trail)
