"""Answers of every kind, each with its headers: redirects, pages, errors."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import Blame, GatewayError, IdentityError, LoginAlreadyUsed, LoginExpired, NotANavigation, StoreError
from gateway.web import pages
from gateway.web.browser import prefers_json
from gateway.web.context import SERVICES, TRAIL, Trail


def redirect_response(request: web.BaseRequest, location: str) -> web.Response:
    """302 after a GET, 303 after a POST (RFC 9700 §4.12): the next request is a GET without the body."""
    return web.Response(status=303 if request.method == "POST" else 302, headers={"Location": location, **pages.ANSWER_HEADERS})


def page_response(page: pages.Page, status: int = 200) -> web.Response:
    """A page of ours with its content security policy."""
    return web.Response(text=page.html, content_type="text/html", status=status, headers=pages.security_headers(page))


def error_response(request: web.BaseRequest, error: GatewayError) -> web.Response:
    """The error as the browser prefers it: a page, or JSON; always code and correlation id, never the detail."""
    trail = request[TRAIL]
    rule = None if error.rule is None else pages.RefusingRule(id=error.rule, message=error.message)
    if isinstance(error, NotANavigation) or trail.for_programs or prefers_json(request.headers.get("Accept", "")):
        body = pages.error_json(type(error), correlation_id=trail.correlation_id, rule=rule)
        return web.json_response(body, status=error.status, headers={**pages.ANSWER_HEADERS, **when_to_retry(error)})
    now = request[SERVICES].clock.now()
    page = pages.error_page(type(error), correlation_id=trail.correlation_id, now=now, ways=ways_on(trail, error), rule=rule)
    response = page_response(page, error.status)
    response.headers.update(when_to_retry(error))
    return response


def when_to_retry(error: GatewayError) -> dict[str, str]:
    """RFC 9110 §10.2.3, where the error knows."""
    return {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}


def ways_on(trail: Trail, error: GatewayError) -> pages.Ways | None:
    """Where the virtual proxy is known and another try may help: start again; where a session may exist: go on to the hub.

    An identity that was refused may have been the wrong one of several: then another sign-in system is a way, too.
    """
    if trail.virtual_proxy is None or trail.is_logout:
        return None
    several = len(trail.table.virtual_proxy(trail.virtual_proxy).identity_providers) > 1
    mendable = isinstance(error, StoreError) or (several and isinstance(error, IdentityError))
    if error.blame is Blame.OPERATOR and not mendable:
        return None
    go_on = trail.table.virtual_proxy(trail.virtual_proxy).targets.default if isinstance(error, (LoginExpired, LoginAlreadyUsed)) else None
    start = f"/vp/{trail.virtual_proxy}/login"
    return pages.Ways(virtual_proxy=trail.virtual_proxy, start_again=start, go_on=go_on, choose=f"{start}?choose=1" if several else None)
