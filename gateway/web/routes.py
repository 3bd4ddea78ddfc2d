"""The URL table (docs: the public interface). HEAD never acts; a path's unknown methods get 405."""

from __future__ import annotations

from aiohttp import web

from gateway.journal import Metrics
from gateway.routing import Live
from gateway.web.context import SERVICES, Services
from gateway.web.handlers import keys, login, management
from gateway.web.middleware import around

LARGEST_BODY = 256 * 1024
"""Bytes of a form that a browser may post."""


def gateway_application(services: Services) -> web.Application:
    """What browsers and identity providers reach."""
    app = web.Application(middlewares=[around], client_max_size=LARGEST_BODY)
    app[SERVICES] = services
    app.add_routes(
        [
            web.get("/vp/{vp}/login", login.start, allow_head=False),
            web.get("/vp/{vp}/login/", login.start, allow_head=False),
            web.get("/idp/{idp}/callback", login.callback_get, allow_head=False),
            web.post("/idp/{idp}/callback", login.callback_post),
            web.get("/idp/{idp}/jwks.json", keys.jwks),
        ]
    )
    return app


def management_application(ready: Live[bool], metrics: Metrics) -> web.Application:
    """What the platform reaches."""
    app = web.Application()
    app[management.READY] = ready
    app[management.METRICS] = metrics
    app.add_routes(
        [
            web.get("/livez", management.livez),
            web.get("/readyz", management.readyz),
            web.get("/metrics", management.metrics),
        ]
    )
    return app
