"""The browser's way in (`/vp/{vp}/login`) and back (`/idp/{idp}/callback`)."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from gateway.errors import GatewayError, LoginAlreadyUsed, MalformedResponse
from gateway.login import UNTOUCHED, reference
from gateway.model import AuthModuleRedirect, Binding, FormPost, IdpRequest, IdpResponse, LoginTransaction, Ticket
from gateway.protocol import qps
from gateway.routing import VirtualProxy, choose
from gateway.web import pages
from gateway.web.answers import page_response, redirect_response
from gateway.web.browser import check_navigation, form_response, is_frame, query_pairs, query_response, single
from gateway.web.context import SERVICES, TRAIL


async def start(request: web.Request) -> web.Response:
    """A virtual proxy sent the browser here: send it on to an identity provider, or let the user choose one."""
    trail = request[TRAIL]
    virtual_proxy = trail.table.virtual_proxy(request.match_info["vp"])
    check_navigation(request.headers)
    trail.virtual_proxy, trail.is_login = virtual_proxy.name, True
    if is_frame(request.headers):
        return page_response(pages.frame_page(url=own_url(request)))
    pairs = query_pairs(request)
    redirect, hint = qps.read_redirect(pairs), single(pairs, "idp")
    if redirect is None:
        return redirect_response(request, virtual_proxy.targets.default)
    virtual_proxy.match(redirect)
    idp = choose(virtual_proxy, hint)
    if idp is None:
        return chooser(request, virtual_proxy, redirect)
    return await send_to_provider(request, virtual_proxy, idp, redirect)


async def send_to_provider(request: web.Request, virtual_proxy: VirtualProxy, idp: str, redirect: AuthModuleRedirect) -> web.Response:
    """Begin the login and seal it into a cookie of this browser."""
    services, trail = request.app[SERVICES], request[TRAIL]
    trail.idp = idp
    transaction, idp_request = await services.pipeline.begin(trail.table, virtual_proxy, idp, redirect)
    trail.transaction = reference(transaction.id)
    provider = trail.table.provider(idp).port
    trail.headers += [("Set-Cookie", line) for line in services.cookies.issue(request.cookies, transaction, provider.binding)]
    return answer(request, idp_request, provider.display_name)


def answer(request: web.Request, idp_request: IdpRequest, provider: str) -> web.Response:
    """Send the browser to the identity provider in the way that its protocol asks for."""
    if isinstance(idp_request, FormPost):
        return page_response(pages.form_page(idp_request, provider=provider))
    return redirect_response(request, idp_request.url)


def chooser(request: web.Request, virtual_proxy: VirtualProxy, redirect: AuthModuleRedirect) -> web.Response:
    """Plain GET links to this same address, one per provider."""
    table = request[TRAIL].table
    pairs = [("proxyRestUri", redirect.proxy_rest_uri), ("targetId", redirect.target_id)]
    choices = [
        pages.Choice(name=table.provider(idp).port.display_name, url=f"/vp/{virtual_proxy.name}/login?{urlencode([*pairs, ('idp', idp)])}")
        for idp in virtual_proxy.identity_providers
    ]
    return page_response(pages.chooser_page(virtual_proxy=virtual_proxy.name, choices=choices))


async def callback_get(request: web.Request) -> web.Response:
    """An OpenID provider's answer by `response_mode=query`."""
    known_provider(request)
    return await finish(request, query_response(request))


async def callback_post(request: web.Request) -> web.Response:
    """An OpenID provider's answer by `response_mode=form_post`."""
    known_provider(request)
    return await finish(request, await form_response(request))


async def finish(request: web.Request, response: IdpResponse) -> web.Response:
    """End the login that this browser began: back to Qlik with a ticket, or an error page; either way the login is used up."""
    services, trail, idp = request.app[SERVICES], request[TRAIL], known_provider(request)
    transaction = open_login(request, response)
    try:
        ticket = await services.pipeline.finish(trail.table, idp, response, transaction)
    except GatewayError as error:
        if not isinstance(error, UNTOUCHED):
            trail.headers.append(("Set-Cookie", services.cookies.spend(transaction, response.binding)))
        raise
    trail.headers.append(("Set-Cookie", services.cookies.spend(transaction, response.binding)))
    return to_qlik(request, ticket)


def known_provider(request: web.Request) -> str:
    """The provider in the path, before anything that it may have sent is read. Raises `NotFound`."""
    trail, idp = request[TRAIL], request.match_info["idp"]
    trail.table.provider(idp)
    trail.idp, trail.is_login = idp, True
    return idp


def open_login(request: web.Request, response: IdpResponse) -> LoginTransaction:
    """The login in flight that the answer names. Raises `MalformedResponse`, `NoLoginInFlight`, `LoginAlreadyUsed`."""
    services, trail = request.app[SERVICES], request[TRAIL]
    state = response.fields.get("RelayState" if response.binding is Binding.SAML_POST else "state")
    if not state:
        raise MalformedResponse("no state")
    record = services.cookies.read(request.cookies, state)
    if record.virtual_proxy in trail.table.virtual_proxies:
        trail.virtual_proxy = record.virtual_proxy
    if not isinstance(record, LoginTransaction):
        raise LoginAlreadyUsed("the browser shows a used login again")
    trail.transaction = reference(record.id)
    return record


def to_qlik(request: web.Request, ticket: Ticket) -> web.Response:
    """Back to the virtual proxy, by way of the Qlik host where the target asks for it."""
    if ticket.redeem_at is not None:
        return page_response(pages.redeem_page(redeem_at=ticket.redeem_at, location=ticket.location))
    return redirect_response(request, ticket.location)


def own_url(request: web.Request) -> str:
    """This request's address as browsers know it."""
    return request.app[SERVICES].public_url + request.rel_url.raw_path_qs
