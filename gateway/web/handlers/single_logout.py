"""Logout between a provider and us: through the browser (`/idp/{idp}/slo`), in a frame of it, and behind its back.

A provider's message either proves itself, and then ends sessions, or it is refused and ends nothing.
"""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.errors import MalformedLogout, NoLogoutInFlight, NotFound, SessionsLeftOver
from gateway.logout import Heard
from gateway.model import Channel, FormPost, LogoutMessage
from gateway.ports import SingleLogout
from gateway.web import pages
from gateway.web.answers import Answer, empty_response, error_response, page_response, redirect_response
from gateway.web.browser import form_message, query_message
from gateway.web.context import SERVICES, TRAIL
from gateway.web.handlers.logout import go_on


async def slo_get(request: BaseRequest) -> Answer:
    """By redirect: SAML Bindings §3.4, OpenID Connect RP-Initiated Logout §3."""
    single_logout(request)
    return await through_the_browser(request, query_message(request, Channel.REDIRECT))


async def slo_post(request: BaseRequest) -> Answer:
    """By a form: SAML Bindings §3.5."""
    single_logout(request)
    return await through_the_browser(request, await form_message(request, Channel.POST))


async def back_channel(request: BaseRequest) -> Answer:
    """OpenID Connect Back-Channel Logout §2.5: the provider's own call, with a logout token."""
    request[TRAIL].for_programs = True
    single_logout(request)
    heard = await hear(request, await form_message(request, Channel.BACK))
    return empty_response() if heard.complete else left_over(request)


async def front_channel(request: BaseRequest) -> Answer:
    """OpenID Connect Front-Channel Logout §2: in a frame of a page of the provider's, which reads nothing of the answer."""
    single_logout(request)
    heard = await hear(request, query_message(request, Channel.FRONT))
    return page_response(pages.heard_page()) if heard.complete else left_over(request)


def single_logout(request: BaseRequest) -> SingleLogout:
    """The logout of the provider in the path, before anything that came is read. Raises `NotFound`."""
    trail = request[TRAIL]
    idp = trail.name
    port = trail.table.provider(idp).port.logout
    trail.idp, trail.is_logout = idp, True
    if port is None:
        raise NotFound(f"{idp} has no logout")
    return port


async def hear(request: BaseRequest, message: LogoutMessage) -> Heard:
    """End what the message means."""
    return await request[SERVICES].logout.hear(request[TRAIL].table, request[TRAIL].name, message)


def left_over(request: BaseRequest) -> Answer:
    """The message was heard, and is being worked on: no error of the message's."""
    trail, error = request[TRAIL], SessionsLeftOver("a node did not end all sessions; it is asked again")
    trail.code, trail.detail = error.code, error.detail
    return error_response(request, error)


async def through_the_browser(request: BaseRequest, message: LogoutMessage) -> Answer:
    """A provider's wish, or its answer to ours."""
    if "SAMLRequest" not in message.fields:
        return await came_back(request, message)
    if "SAMLResponse" in message.fields:
        raise MalformedLogout("a request and a response at once")
    port, heard = single_logout(request), await hear(request, message)
    answer = await port.answer(heard.notice, complete=heard.complete)
    if answer is None:
        return page_response(pages.heard_page()) if heard.complete else left_over(request)
    if isinstance(answer, FormPost):
        return page_response(pages.form_page(answer, provider=request[TRAIL].table.provider(request[TRAIL].name).port.display_name))
    return redirect_response(request, answer.url)


async def came_back(request: BaseRequest, message: LogoutMessage) -> Answer:
    """The browser is back from where our logout had sent it."""
    services, trail = request[SERVICES], request[TRAIL]
    state = message.fields.get("RelayState") or message.fields.get("state")
    if not state:
        raise NoLogoutInFlight("no state")
    transaction = services.logout_cookie.read(trail.cookies, state)
    trail.headers.append(("Set-Cookie", services.logout_cookie.removal()))
    journey, onward = await services.logout.came_back(trail.table, request[TRAIL].name, message, transaction)
    return go_on(request, journey, onward)
