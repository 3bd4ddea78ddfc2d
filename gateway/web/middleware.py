"""Around every handler: correlation id, one snapshot of the routing table, error page, security headers, one log line.

Whatever a handler raises becomes a page with a code and a reference: hence an `except Exception`, which otherwise stands
only in the walls around libraries that may raise anything.
"""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway import lines
from gateway.digests import reference
from gateway.errors import GatewayError, InternalError, MethodNotAllowed, NotANavigation, NotFound, PrefetchRefused, RequestTooLarge
from gateway.events import LoginRejected, LogoutRefused
from gateway.ports import Entropy
from gateway.web.answers import error_response
from gateway.web.browser import client_address, own_cookies
from gateway.web.context import LIVE, READY, SERVICES, TRAIL, Services, Trail
from gateway.web.guard import Endpoint, endpoint_of

HSTS = "max-age=31536000"
SERVER = "qlikgw"
LONGEST_DETAIL = 200
LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""For each byte one of 32."""
HTTP_ERRORS: dict[int, type[GatewayError]] = {404: NotFound, 405: MethodNotAllowed, 413: RequestTooLarge}


@web.middleware
async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What every request gets: above all one state of the gateway, from its beginning to its end."""
    with request.app[LIVE].hold() as services:
        return await served(request, handler, services)


async def served(request: web.Request, handler: Handler, services: Services) -> web.StreamResponse:
    """The answer, with what goes round it."""
    request[SERVICES] = services
    trail = request[TRAIL] = Trail(
        correlation_id=correlation_id(services.entropy), table=services.table, cookies=own_cookies(request.headers), headers=[]
    )
    lines.bind(trail.correlation_id)
    started = time.perf_counter()
    response = await answered(request, handler)
    for name, value in trail.headers:
        response.headers.add(name, value)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers["Server"] = SERVER
    if not request.app[READY].read():
        response.force_close()  # so that no connection rests in a proxy's pool when the listener closes
    if services.secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    log_request(request, response, time.perf_counter() - started)
    return response


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or the error's."""
    try:
        guard, endpoint = request[SERVICES].guard, endpoint_of(request)
        with guard.admitted(endpoint, request.content):
            await guard.check_client(request, endpoint)
            if endpoint is Endpoint.START:
                await guard.await_turn(request)
            return await handler(request)
    except GatewayError as error:
        return refused(request, error)
    except web.HTTPException as error:
        mapped = refused(request, HTTP_ERRORS.get(error.status, NotFound)(error.reason))
        if "Allow" in error.headers:
            mapped.headers["Allow"] = error.headers["Allow"]
        return mapped
    except Exception as error:  # noqa: BLE001 (the one place: an unforeseen fault must not reach the browser as a traceback)
        request[SERVICES].journal.crash(error)
        return refused(request, InternalError(type(error).__name__))


def refused(request: web.Request, error: GatewayError) -> web.Response:
    """Record a login that ended here, and answer with its error."""
    trail = request[TRAIL]
    trail.code, trail.detail = error.code, error.detail[:LONGEST_DETAIL]
    if trail.is_login and not isinstance(error, (NotANavigation, PrefetchRefused)):
        request[SERVICES].journal.record(
            LoginRejected(
                virtual_proxy=trail.virtual_proxy,
                idp=trail.idp,
                transaction=None if trail.transaction is None else reference(trail.transaction),
                code=error.code,
                detail=error.detail,
                rule=error.rule,
            )
        )
    if trail.is_logout and not isinstance(error, (NotANavigation, PrefetchRefused)):
        event = LogoutRefused(virtual_proxy=trail.virtual_proxy, idp=trail.idp, code=error.code, detail=error.detail)
        request[SERVICES].journal.record(event)
    return error_response(request, error)


def log_request(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """One line: the route's pattern, never the path or query."""
    services, trail = request[SERVICES], request[TRAIL]
    resource = request.match_info.route.resource
    detail = None if trail.is_login or trail.is_logout else trail.detail  # theirs stands in the line of the outcome
    extra = {
        "vp": trail.virtual_proxy,
        "idp": trail.idp,
        "code": trail.code,
        "detail": detail,
        "client": client_address(request, services.trusted_proxies),
    }
    services.journal.request(
        route=resource.canonical if resource is not None else "other",
        method=request.method if request.method in {"GET", "POST", "HEAD"} else "other",
        status=response.status,
        seconds=seconds,
        extra={name: value for name, value in extra.items() if value},
    )


def correlation_id(entropy: Entropy) -> str:
    """Short enough to read out on the telephone: 13 letters and digits, of which none looks like another (RFC 4648 §6), 65 bits."""
    return entropy.token(13).translate(LETTERS).decode()
