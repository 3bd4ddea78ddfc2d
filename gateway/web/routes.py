"""The URL table (docs: the public interface). HEAD never acts; a path's unknown methods get 405."""

from __future__ import annotations

from aiohttp import web

from gateway.metrics import Metrics
from gateway.routing import Live
from gateway.web.browser import LARGEST_FORM
from gateway.web.context import LIVE, READY, Services
from gateway.web.handlers import chooser, keys, login, logout, management, minting, revoking, saml, single_logout, this_machine, trial
from gateway.web.middleware import around


def gateway_application(services: Live[Services], ready: Live[bool]) -> web.Application:
    """What browsers and identity providers reach."""
    app = web.Application(middlewares=[around], client_max_size=max(LARGEST_FORM.values()))
    app[LIVE] = services
    app[READY] = ready
    app.add_routes(
        [
            web.get("/vp/{vp}/login", login.start, allow_head=False),
            web.get("/vp/{vp}/login/", login.start, allow_head=False),
            web.post("/vp/{vp}/login", chooser.find),
            web.get("/idp/{idp}/callback", login.callback_get, allow_head=False),
            web.post("/idp/{idp}/callback", login.callback_post),
            web.post("/idp/{idp}/acs", saml.acs),
            web.get("/vp/{vp}/logout", logout.get, allow_head=False),
            web.post("/vp/{vp}/logout", logout.post),
            web.get("/idp/{idp}/slo", single_logout.slo_get, allow_head=False),
            web.post("/idp/{idp}/slo", single_logout.slo_post),
            web.post("/idp/{idp}/backchannel-logout", single_logout.back_channel),
            web.get("/idp/{idp}/frontchannel-logout", single_logout.front_channel, allow_head=False),
            web.get("/idp/{idp}/metadata", keys.metadata),
            web.get("/idp/{idp}/jwks.json", keys.jwks),
            web.get("/test-login/{token}", trial.show, allow_head=False),
            web.post("/test-login/{token}", trial.begin),
        ]
    )
    return app


def management_application(ready: Live[bool], metrics: Metrics, services: Live[Services]) -> web.Application:
    """What the platform reaches, and programs on this machine."""
    app = web.Application(client_max_size=this_machine.SMALL)
    app[this_machine.LIVE] = services
    app[READY] = ready
    app[management.METRICS] = metrics
    app.add_routes(
        [
            web.get("/livez", management.livez),
            web.get("/readyz", management.readyz),
            web.get("/metrics", management.metrics),
            web.post("/test-logins", minting.mint),
            web.post("/revocations", revoking.revoke),
        ]
    )
    return app
