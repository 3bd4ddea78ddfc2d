"""The URL table (docs: the public interface). HEAD never acts; a path's unknown methods get 405."""

from __future__ import annotations

from aiohttp import web

from gateway.journal import Metrics
from gateway.routing import Live
from gateway.web.browser import LARGEST_FORM
from gateway.web.context import SERVICES, Services
from gateway.web.handlers import keys, login, management, saml
from gateway.web.middleware import around


def gateway_application(services: Services) -> web.Application:
    """What browsers and identity providers reach."""
    app = web.Application(middlewares=[around], client_max_size=max(LARGEST_FORM.values()))
    app[SERVICES] = services
    app.add_routes(
        [
            web.get("/vp/{vp}/login", login.start, allow_head=False),
            web.get("/vp/{vp}/login/", login.start, allow_head=False),
            web.get("/idp/{idp}/callback", login.callback_get, allow_head=False),
            web.post("/idp/{idp}/callback", login.callback_post),
            web.post("/idp/{idp}/acs", saml.acs),
            web.get("/idp/{idp}/metadata", keys.metadata),
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
