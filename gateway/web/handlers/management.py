"""The management port: probes, metrics, and what programs on this machine may ask for.

Nothing of the configuration stands in the probes' answers. Readiness depends on this process alone: an identity provider
or a Qlik node that is down must not take every replica out of service and hide the page that explains it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from aiohttp.web_request import BaseRequest

from gateway.metrics import METRICS_CONTENT_TYPE, Metrics
from gateway.routing import Live
from gateway.web.answers import Answer, json_response, text_response
from gateway.web.context import Services
from gateway.web.handlers import minting, revoking
from gateway.web.handlers.this_machine import refusal

Handler: TypeAlias = Callable[[BaseRequest], Awaitable[Answer]]


class Management:
    """Handles requests: the platform's, and those of programs on this machine."""

    def __init__(self, ready: Live[bool], metrics: Metrics, services: Live[Services]) -> None:
        self._ready, self._metrics, self._services = ready, metrics, services
        self._table: Mapping[str, Mapping[str, Handler]] = {
            "/livez": {"GET": self.livez, "HEAD": self.livez},
            "/readyz": {"GET": self.readyz, "HEAD": self.readyz},
            "/metrics": {"GET": self.metrics, "HEAD": self.metrics},
            "/test-logins": {"POST": self.mint},
            "/revocations": {"POST": self.revoke},
        }

    async def __call__(self, request: BaseRequest) -> Answer:
        handlers = self._table.get(request.path)
        if handlers is None:
            return refusal(404, "there is nothing at this path")
        handler = handlers.get(request.method)
        if handler is None:
            return refusal(405, "this path has other methods", ("Allow", ", ".join(handlers)))
        return await handler(request)

    async def livez(self, _request: BaseRequest) -> Answer:
        """The process answers."""
        return json_response({"status": "ok"})

    async def readyz(self, _request: BaseRequest) -> Answer:
        """200 while new logins are taken, 503 while starting and stopping."""
        ready = self._ready.read()
        return json_response({"status": "ok" if ready else "draining"}, 200 if ready else 503)

    async def metrics(self, _request: BaseRequest) -> Answer:
        """Prometheus text format."""
        return text_response(self._metrics.render(), METRICS_CONTENT_TYPE)

    async def mint(self, request: BaseRequest) -> Answer:
        """A link to one test sign-in."""
        return await minting.mint(request, self._services)

    async def revoke(self, request: BaseRequest) -> Answer:
        """The end of a user's Qlik sessions."""
        return await revoking.revoke(request, self._services)
