"""Around every handler: correlation id, one snapshot of the routing table, error page, security headers, one log line.

Whatever a handler raises becomes a page with a code and a reference: hence an `except Exception`, which otherwise stands
only in the walls around libraries that may raise anything.
"""

from __future__ import annotations

import time

from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from aiohttp.web_request import BaseRequest

from gateway import lines
from gateway.errors import GatewayError, InternalError, MethodNotAllowed, NotANavigation, PrefetchRefused, RequestTooLarge
from gateway.events import LoginRejected, LogoutRefused
from gateway.ports import Entropy
from gateway.routing import Live
from gateway.web.answers import Answer, error_response, go_ahead
from gateway.web.browser import client_address, own_cookies
from gateway.web.context import SERVICES, TRAIL, Services, Trail
from gateway.web.guard import Endpoint, Guard
from gateway.web.routes import Route, find

HSTS = ("Strict-Transport-Security", "max-age=31536000")
METHODS = frozenset({"GET", "POST", "HEAD"})
"""That a line calls by their names."""
LONGEST_DETAIL = 200
LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""For each byte one of 32."""


class Front:
    """Handles requests, each in one state of the gateway from its beginning to its end."""

    def __init__(self, services: Live[Services], ready: Live[bool]) -> None:
        self._services, self._ready = services, ready

    async def __call__(self, request: BaseRequest) -> Answer:
        if "Expect" in request.headers:
            await go_ahead(request)
        with self._services.hold() as services:
            response = await served(request, services)
        if not self._ready.read():
            response.force_close()  # so that no connection rests in a proxy's pool when the listener closes
        return response


async def served(request: BaseRequest, services: Services) -> Answer:
    """The answer, with what goes round it."""
    started = time.perf_counter()
    route, name = find(request.rel_url.path_safe)
    request[SERVICES] = services
    request[TRAIL] = trail = Trail(
        correlation_id=correlation_id(services.entropy),
        route=route.pattern,
        name=name,
        table=services.table,
        cookies=own_cookies(request.headers),
        headers=[],
    )
    lines.bind(trail.correlation_id)
    response = await answered(request, route, services.guard)
    response.headers += trail.headers
    if services.secure:
        response.headers.append(HSTS)
    extra = told(trail, client_address(request, services.trusted_proxies))
    method = request.method if request.method in METHODS else "other"
    seconds = time.perf_counter() - started
    services.journal.request(route=trail.route, method=method, status=response.status, seconds=seconds, extra=extra)
    return response


async def answered(request: BaseRequest, route: Route, guard: Guard) -> Answer:
    """The handler's answer, or the error's."""
    endpoint = route.endpoint
    try:
        with guard.admitted(endpoint, request.content):
            if guard.rates is not None:
                await guard.check_client(request, endpoint)
            if endpoint is Endpoint.START and not guard.pressure.begins():
                await guard.await_turn(request)
            return await route.handler(request.method)(request)
    except MethodNotAllowed as error:
        response = refused(request, error)
        response.headers.append(("Allow", ",".join(sorted(route.handlers))))
        return response
    except GatewayError as error:
        return refused(request, error)
    except HTTPRequestEntityTooLarge as error:
        return refused(request, RequestTooLarge(error.reason))
    except Exception as error:  # noqa: BLE001 (the one place: an unforeseen fault must not reach the browser as a traceback)
        request[SERVICES].journal.crash(error)
        return refused(request, InternalError(type(error).__name__))


def refused(request: BaseRequest, error: GatewayError) -> Answer:
    """Record a login that ended here, and answer with its error."""
    trail = request[TRAIL]
    trail.code, trail.detail = error.code, error.detail[:LONGEST_DETAIL]
    if trail.is_login and not isinstance(error, (NotANavigation, PrefetchRefused)):
        request[SERVICES].journal.record(
            LoginRejected(
                virtual_proxy=trail.virtual_proxy,
                idp=trail.idp,
                transaction=None if trail.transaction is None else trail.transaction.reference,
                code=error.code,
                detail=error.detail,
                rule=error.rule,
            )
        )
    if trail.is_logout and not isinstance(error, (NotANavigation, PrefetchRefused)):
        event = LogoutRefused(virtual_proxy=trail.virtual_proxy, idp=trail.idp, code=error.code, detail=error.detail)
        request[SERVICES].journal.record(event)
    return error_response(request, error)


def told(trail: Trail, client: str) -> dict[str, str]:
    """What the line of a request says besides how it was answered; its route is the pattern, never the path or query."""
    extra = {}
    if trail.virtual_proxy:
        extra["vp"] = trail.virtual_proxy
    if trail.idp:
        extra["idp"] = trail.idp
    if trail.code:
        extra["code"] = trail.code
    if trail.detail and not (trail.is_login or trail.is_logout):  # theirs stands in the line of the outcome
        extra["detail"] = trail.detail
    if client:
        extra["client"] = client
    return extra


def correlation_id(entropy: Entropy) -> str:
    """Short enough to read out on the telephone: 13 letters and digits, of which none looks like another (RFC 4648 §6), 65 bits."""
    return entropy.token(13).translate(LETTERS).decode()
