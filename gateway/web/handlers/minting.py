"""`POST /test-logins` on the management port: a link to one test sign-in, for programs on this machine alone."""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.errors import GatewayError
from gateway.routing import Live
from gateway.web.answers import Answer, json_response
from gateway.web.context import Services
from gateway.web.handlers.this_machine import from_this_machine, read_names, refusal


async def mint(request: BaseRequest, live: Live[Services]) -> Answer:
    """`{"idp": …, "vp": …}` becomes `{"url": …, "expires_at": …}`."""
    if not from_this_machine(request):
        return refusal(403, "links are given to programs on this machine only")
    names = await read_names(request, "idp", "vp")
    if names is None:
        return refusal(400, 'send {"idp": …, "vp": …} as application/json')
    with live.hold() as services:
        url, link = services.trials.mint(names[1], names[0])
        try:
            services.pipeline.check_link(services.table, link)
        except GatewayError as error:
            return refusal(404, error.detail)
        services.journal.note("test_login_minted", vp=link.virtual_proxy, idp=link.idp)
    return json_response({"url": url, "expires_at": link.expires_at.isoformat()})
