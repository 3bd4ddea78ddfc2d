"""The browser's way in (`/vp/{vp}/login`) and back (`/idp/{idp}/callback`)."""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.errors import GatewayError, SignInTooWeak
from gateway.login import UNTOUCHED
from gateway.model import AuthModuleRedirect, IdpResponse, LoginTransaction, Purpose, Ticket, Visitor
from gateway.protocol import qps
from gateway.routing import VirtualProxy, choose
from gateway.web import pages
from gateway.web.answers import Answer, page_response, redirect_response
from gateway.web.browser import check_navigation, form_response, is_frame, query_pairs, query_response
from gateway.web.choices import LastChoice, remember
from gateway.web.context import SERVICES, TRAIL
from gateway.web.handlers import chooser, trial
from gateway.web.handlers.in_flight import browser_handle, came_in, open_login, sent, spend


async def start(request: BaseRequest) -> Answer:
    """A virtual proxy sent the browser here: send it on to an identity provider, or let the user choose one."""
    trail = request[TRAIL]
    virtual_proxy = trail.table.virtual_proxy(trail.name)
    check_navigation(request.headers)
    trail.virtual_proxy, trail.is_login = virtual_proxy.name, True
    if is_frame(request.headers):
        return page_response(pages.frame_page(url=own_url(request)))
    pairs = query_pairs(request)
    redirect, visit = qps.read_redirect(pairs), chooser.read_visit(request, virtual_proxy, pairs)
    if redirect is None:
        return portal_first(request, virtual_proxy, ask=visit.ask)
    virtual_proxy.match(redirect)
    choice = choose(virtual_proxy, visit)
    if choice.idp is None:
        return chooser.choose_page(request, virtual_proxy, redirect, last=visit.remembered)
    return await send_to_provider(request, virtual_proxy, choice.idp, redirect, chosen=choice.by_user)


def portal_first(request: BaseRequest, virtual_proxy: VirtualProxy, *, ask: bool) -> Answer:
    """Nobody knows yet at which node: the proxy will say. A wish to choose anew is kept for the browser's return from there."""
    if ask:
        chooser.keep_wish(request, virtual_proxy)
    return redirect_response(request, virtual_proxy.targets.default)


async def send_to_provider(
    request: BaseRequest, virtual_proxy: VirtualProxy, idp: str, redirect: AuthModuleRedirect, *, chosen: bool
) -> Answer:
    """Begin the login."""
    services, trail = request[SERVICES], request[TRAIL]
    trail.idp = idp
    await services.guard.check_provider(idp)
    handle = browser_handle(request)
    held = services.cookies.held(trail.cookies)
    tickets = services.cookies.tickets(held, virtual_proxy.name)
    visitor = Visitor(browser=handle.value, chosen=chosen, fresh=handle.signed_out, tickets=tickets)
    return sent(request, *await services.pipeline.begin(trail.table, virtual_proxy, idp, redirect, visitor), held=held)


async def callback_get(request: BaseRequest) -> Answer:
    """An OpenID provider's answer by `response_mode=query`."""
    known_provider(request)
    return await finish(request, query_response(request))


async def callback_post(request: BaseRequest) -> Answer:
    """An OpenID provider's answer by `response_mode=form_post`."""
    known_provider(request)
    return await finish(request, await form_response(request))


async def finish(request: BaseRequest, response: IdpResponse) -> Answer:
    """End what this browser began, a login or a test; either way, and with whatever answer, it is used up."""
    trail = request[TRAIL]
    known_provider(request)
    transaction = open_login(request, response)
    end = trial.end if transaction.purpose is Purpose.TEST else end_login
    try:
        answer = await end(request, response, transaction)
    except SignInTooWeak as weak:
        spend(request, transaction, response)
        return sent(request, *await request[SERVICES].pipeline.step_up(trail.table, transaction, weak))
    except GatewayError as error:
        if not isinstance(error, UNTOUCHED):
            spend(request, transaction, response)
        raise
    spend(request, transaction, response, ticket=transaction.purpose is Purpose.LOGIN)
    return answer


async def end_login(request: BaseRequest, response: IdpResponse, transaction: LoginTransaction) -> Answer:
    """Back to Qlik with a ticket."""
    services, trail = request[SERVICES], request[TRAIL]
    idp = trail.name
    ticket = await services.pipeline.finish(trail.table, idp, response, transaction)
    services.guard.pressure.ended += 1
    came_in(request, transaction)
    if transaction.chosen:
        line = remember(trail.cookies, transaction.virtual_proxy, LastChoice(idp), secure=services.secure)
        trail.headers.append(("Set-Cookie", line))
    return to_qlik(request, ticket)


def known_provider(request: BaseRequest) -> str:
    """The provider in the path, before anything that it may have sent is read. Raises `NotFound`."""
    trail = request[TRAIL]
    idp = trail.name
    trail.table.provider(idp)
    trail.idp, trail.is_login = idp, True
    return idp


def to_qlik(request: BaseRequest, ticket: Ticket) -> Answer:
    """Back to the virtual proxy, by way of the Qlik host where the target asks for it."""
    if ticket.redeem_at is not None:
        return page_response(pages.redeem_page(redeem_at=ticket.redeem_at, location=ticket.location))
    return redirect_response(request, ticket.location)


def own_url(request: BaseRequest) -> str:
    """This request's address as browsers know it."""
    return request[SERVICES].public_url + request.rel_url.raw_path_qs
