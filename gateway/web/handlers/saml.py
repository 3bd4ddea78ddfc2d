"""The assertion consumer service (`/idp/{idp}/acs`): where a SAML provider's response arrives through the browser."""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.errors import MalformedResponse, NoLoginInFlight, NotFound, SamlUnsolicited
from gateway.model import Binding
from gateway.web.answers import Answer, redirect_response
from gateway.web.browser import form_response
from gateway.web.context import TRAIL
from gateway.web.handlers.login import finish, known_provider


async def acs(request: BaseRequest) -> Answer:
    """Finish the login that the response answers. One that nobody asked for never is an identity."""
    provider = request[TRAIL].table.provider(known_provider(request)).port
    if provider.binding is not Binding.SAML_POST:
        raise NotFound("this provider's protocol has no assertion consumer service")
    response = await form_response(request, Binding.SAML_POST)
    try:
        return await finish(request, response)
    except (NoLoginInFlight, MalformedResponse):  # not in answer to a login in flight: a provider that never says so would loop
        if not provider.is_unsolicited(response):
            raise
    return unsolicited(request)


def unsolicited(request: BaseRequest) -> Answer:
    """Not an identity, and its RelayState is not read: at most it begins a fresh login at the configured virtual proxy."""
    trail = request[TRAIL]
    virtual_proxy = trail.table.virtual_proxies.get(trail.table.provider(request[TRAIL].name).idp_initiated or "")
    if virtual_proxy is None:
        raise SamlUnsolicited("no idp_initiated is configured")
    trail.virtual_proxy = virtual_proxy.name
    return redirect_response(request, virtual_proxy.targets.default)
