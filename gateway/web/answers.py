"""Answers of every kind, each with its headers: redirects, pages, errors. Each is whole before it is sent, and sent in one piece."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11
from aiohttp.web_request import BaseRequest

from gateway.errors import Blame, GatewayError, IdentityError, LoginAlreadyUsed, LoginExpired, NotANavigation, StoreError
from gateway.web import pages
from gateway.web.browser import prefers_json
from gateway.web.context import SERVICES, TRAIL, Trail

SERVER: Final = "qlikgw"
MOST_KINDS: Final = 256
"""Of first lines and of pages' headers that are kept as they are sent."""
_IN_LINES: Final = bytes({*range(256)} - {*range(32), 127} | {9})
"""What a line may hold: no control character but a tab."""


def lines_of(headers: Sequence[tuple[str, str]]) -> bytes:
    """Headers as they are sent.

    The last look at their values, which are visible ASCII since long before: no control character ends a line or hides in it
    (RFC 9110 §5.5). Raises `ValueError`.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers]).encode()
    if lines.translate(None, _IN_LINES) != b"\r\n" * len(headers):
        raise ValueError("a header holds a control character")
    return lines


STANDING: Final = {"Server": SERVER, "X-Content-Type-Options": "nosniff"}
_OF_NO_PAGE: Final = lines_of([*{**STANDING, **pages.ANSWER_HEADERS}.items()])
_OF_JSON: Final = _OF_NO_PAGE + lines_of([("Content-Type", "application/json; charset=utf-8")])


class Answer:
    """What aiohttp's server asks of an answer, and no more.

    Its own may be streamed, compressed, given cookies and changed until it is sent, which took a third of all that the server did.
    """

    __slots__ = ("_body", "_standing", "headers", "keep_alive", "status")

    def __init__(self, status: int, standing: bytes, *headers: tuple[str, str], body: bytes = b"") -> None:
        """`standing`: its first headers, by `lines_of`."""
        self.status, self._standing, self._body = status, standing, body
        self.headers = [*headers]
        self.keep_alive: bool | None = None
        """None: as the request wants it."""

    def force_close(self) -> None:
        """End the connection after it."""
        self.keep_alive = False

    async def prepare(self, request: BaseRequest) -> None:
        """Send it. Raises `ConnectionError` where nobody takes it any more."""
        if self.keep_alive is None:
            self.keep_alive = request.keep_alive
        beginning, own, date = _beginning(request.version, self.status, self.keep_alive), lines_of(self.headers), _date(int(time.time()))
        body = b"" if request.method == "HEAD" else self._body
        size = len(self._body)
        await request.writer.write_eof(b"%b%b%b%bContent-Length: %d\r\n\r\n%b" % (beginning, self._standing, own, date, size, body))

    async def write_eof(self) -> None:
        """Nothing is left to be sent."""


@lru_cache(maxsize=MOST_KINDS)
def _beginning(version: HttpVersion, status: int, keep_alive: bool) -> bytes:  # noqa: FBT001
    """The first line, and the header that says what becomes of the connection, where its version does not (RFC 9112 §9.3)."""
    line = f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n".encode()
    if keep_alive:
        return line + (b"Connection: keep-alive\r\n" if version == HttpVersion10 else b"")
    return line + (b"Connection: close\r\n" if version == HttpVersion11 else b"")


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()


async def go_ahead(request: BaseRequest) -> None:
    """RFC 9110 §10.1.1: who waits with a body is told to send it."""
    if request.headers["Expect"].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def redirect_response(request: BaseRequest, location: str) -> Answer:
    """302 after a GET, 303 after a POST (RFC 9700 §4.12): the next request is a GET without the body."""
    return Answer(303 if request.method == "POST" else 302, _OF_NO_PAGE, ("Location", location))


def page_response(page: pages.Page, status: int = 200, *headers: tuple[str, str]) -> Answer:
    """A page of ours with its content security policy."""
    return Answer(status, _of_pages(page.csp, page.referrer, page.in_frames), *headers, body=page.html.encode())


@lru_cache(maxsize=MOST_KINDS)
def _of_pages(csp: str, referrer: str, in_frames: bool) -> bytes:  # noqa: FBT001
    headers = pages.security_headers(pages.Page(html="", csp=csp, referrer=referrer, in_frames=in_frames))
    return lines_of([*(STANDING | headers | {"Content-Type": "text/html; charset=utf-8"}).items()])


def empty_response() -> Answer:
    """All is well, and there is nothing to say."""
    return Answer(200, _OF_NO_PAGE)


def public_response(text: str, content_type: str) -> Answer:
    """What anybody may read, and keep for five minutes."""
    headers = STANDING | {"Cache-Control": "max-age=300", "Content-Type": f"{content_type}; charset=utf-8"}
    return Answer(200, lines_of([*headers.items()]), body=text.encode())


def json_response(value: object, status: int = 200, *headers: tuple[str, str]) -> Answer:
    """For a program."""
    return Answer(status, _OF_JSON, *headers, body=json.dumps(value).encode())


def text_response(text: bytes, content_type: str) -> Answer:
    """For a program that reads no JSON."""
    return Answer(200, _OF_NO_PAGE, ("Content-Type", content_type), body=text)


def error_response(request: BaseRequest, error: GatewayError) -> Answer:
    """The error as the browser prefers it: a page, or JSON; always code and correlation id, never the detail."""
    trail = request[TRAIL]
    rule = None if error.rule is None else pages.RefusingRule(id=error.rule, message=error.message)
    if isinstance(error, NotANavigation) or trail.for_programs or prefers_json(request.headers.get("Accept", "")):
        body = pages.error_json(type(error), correlation_id=trail.correlation_id, rule=rule)
        return json_response(body, error.status, *when_to_retry(error))
    now = request[SERVICES].clock.now()
    page = pages.error_page(type(error), correlation_id=trail.correlation_id, now=now, ways=ways_on(trail, error), rule=rule)
    return page_response(page, error.status, *when_to_retry(error))


def when_to_retry(error: GatewayError) -> tuple[tuple[str, str], ...]:
    """RFC 9110 §10.2.3, where the error knows."""
    return () if error.retry_after is None else (("Retry-After", str(error.retry_after)),)


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
