"""The management port: probes and metrics. Nothing of the configuration stands in the probes' answers.

Readiness depends on this process alone: an identity provider or a Qlik node that is down must not take every replica
out of service and hide the page that explains it.
"""

from __future__ import annotations

from aiohttp import web

from gateway.metrics import METRICS_CONTENT_TYPE, Metrics
from gateway.web.context import READY

METRICS = web.AppKey("metrics", Metrics)


async def livez(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 while new logins are taken, 503 while starting and stopping."""
    ready = request.app[READY].read()
    return web.json_response({"status": "ok" if ready else "draining"}, status=200 if ready else 503)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format."""
    return web.Response(body=request.app[METRICS].render(), headers={"Content-Type": METRICS_CONTENT_TYPE})
