"""What can go wrong at a node's REST face, switched on by a test. None of it is Qlik's normal behaviour; all of it happens."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum

from aiohttp import web

OVERSIZE = 8 * 1024 * 1024


class Fault(StrEnum):
    """One way to fail one request."""

    SLOW = "slow"
    """Answers after `Faults.seconds`."""
    HANG = "hang"
    """Takes the request and never answers."""
    SERVER_ERROR = "server_error"
    """500 with an HTML page."""
    DROP_UNREAD = "drop_unread"
    """Closes the connection before anything of the request has taken effect: a kept-alive connection that was dead."""
    DROP_DONE = "drop_done"
    """Does what was asked (a ticket is issued), then closes the connection without an answer."""
    CLOSE_AFTER = "close_after"
    """Answers, then closes the kept-alive connection without having announced it."""
    OVERSIZE = "oversize"
    """200/201 with a body of 8 MiB."""
    NOT_JSON = "not_json"
    """The right status with a body that is no JSON."""
    OK_FOR_CREATED = "ok_for_created"
    """200 where 201 is documented, as some public test doubles answer."""


class Faults:
    """The faults planned for the coming requests of one node."""

    def __init__(self) -> None:
        self.seconds = 0.2
        self.always: Fault | None = None
        self.over = asyncio.Event()
        self._coming: deque[Fault | None] = deque()

    def plan(self, fault: Fault, *, times: int = 1, skip: int = 0) -> None:
        """Fail the next `times` requests, after `skip` good ones."""
        self._coming.extend([None] * skip + [fault] * times)

    def take(self) -> Fault | None:
        """The fault of the request that has just come."""
        return self._coming.popleft() if self._coming else self.always

    def clear(self) -> None:
        """Everything works again; who hangs, goes on."""
        self._coming.clear()
        self.always = None
        self.over.set()
        self.over = asyncio.Event()

    async def before(self, fault: Fault | None, request: web.BaseRequest) -> web.Response | None:
        """Fail before the request has any effect; an answer ends the matter."""
        if fault is Fault.SERVER_ERROR:
            return web.Response(status=500, text="<html><body>An error occurred</body></html>", content_type="text/html")
        if fault is Fault.SLOW:
            await asyncio.sleep(self.seconds)
        if fault is Fault.HANG:
            await self.over.wait()
        return drop(request) if fault in {Fault.DROP_UNREAD, Fault.HANG} else None

    async def after(self, fault: Fault | None, request: web.BaseRequest, response: web.Response) -> web.Response:
        """Fail after the request has had its effect."""
        if fault is Fault.OVERSIZE:
            return web.Response(status=response.status, text="x" * OVERSIZE, content_type="application/json")
        if fault is Fault.NOT_JSON:
            return web.Response(status=response.status, text="<html>not JSON</html>", content_type="application/json")
        if fault is Fault.OK_FOR_CREATED:
            response.set_status(200)
        elif fault is Fault.DROP_DONE:
            return drop(request)
        elif fault is Fault.CLOSE_AFTER and request.transport is not None:
            await response.prepare(request)
            await response.write_eof()
            request.transport.close()
        return response


def drop(request: web.BaseRequest) -> web.Response:
    """Close the connection at once; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
