"""The server in front of the application: limits on what is read at all, and an answer of ours to what is no request.

aiohttp answers bytes that it cannot parse by itself, before any middleware, and quotes them; here they get the same page
as every other error. Bodies are never inflated: nothing that talks to the gateway compresses what it sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.errors import GatewayError, InternalError, UnreadableRequest
from gateway.routing import Live
from gateway.web import pages
from gateway.web.answers import page_response
from gateway.web.context import Services
from gateway.web.middleware import SERVER, correlation_id

KEEPALIVE_SECONDS = 75.0
LINGERING_SECONDS = 1.0
"""How long the rest of a body is read after its answer."""
LONGEST_HEADER = 32 * 1024
"""Bytes of one header line: a browser that restored many tabs sends more than the usual 8 KiB of cookies."""
Refuse = Callable[[int], web.Response]


class GatewayRunner(web.AppRunner):
    """Serves one application. `services` None: the management port, whose clients are the platform's own."""

    def __init__(self, app: web.Application, services: Live[Services] | None, *, shutdown_timeout: float) -> None:
        limits: dict[str, Any] = {"auto_decompress": False, "lingering_time": LINGERING_SECONDS, "max_field_size": LONGEST_HEADER}
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout, keepalive_timeout=KEEPALIVE_SECONDS, **limits)
        self._services = services
        self._options = {"access_log": None, "keepalive_timeout": KEEPALIVE_SECONDS, **limits}

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        if self._services is None:
            return server
        refuse = _refusals(self._services)
        return _Server(
            refuse,
            self._options,
            self.app._handle,  # noqa: SLF001 (aiohttp offers no other way to bring a protocol class of one's own)
            request_factory=self.app._make_request,  # noqa: SLF001
            loop=asyncio.get_running_loop(),
        )


class _Server(web.Server):
    """Makes a protocol of ours for each connection."""

    def __init__(self, refuse: Refuse, options: dict[str, Any], *args: Any, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, loop=loop, **kwargs)
        self._refuse = refuse
        self._options = options
        self._running = loop

    def __call__(self) -> RequestHandler:
        return _Protocol(self._refuse, self, loop=self._running, **self._options)


class _Protocol(RequestHandler):
    """One connection."""

    __slots__ = ("_refuse",)

    def __init__(self, refuse: Refuse, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._refuse = refuse

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is no request, or failed outside every handler. `exc` and `message` quote what came: neither is shown or logged."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already") from exc
        response = self._refuse(status)
        response.force_close()
        return response


def _refusals(live: Live[Services]) -> Refuse:
    def refuse(status: int) -> web.Response:
        error: type[GatewayError] = InternalError if status == InternalError.status else UnreadableRequest
        with live.hold() as services:
            reference = correlation_id(services.entropy.token(8))
            extra = {"code": error.code, "correlation_id": reference}
            services.journal.request(route="unreadable", method="other", status=error.status, seconds=0.0, extra=extra)
            page = pages.error_page(error, correlation_id=reference, now=services.clock.now())
        response = page_response(page, error.status)
        response.headers["Server"] = SERVER
        return response

    return refuse
