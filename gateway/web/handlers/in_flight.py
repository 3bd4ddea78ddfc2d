"""The login in flight in the browser's cookies: sealed in when it begins, opened when the answer comes, spent when it was used."""

from __future__ import annotations

from dataclasses import replace

from aiohttp.web_request import BaseRequest

from gateway.errors import LoginAlreadyUsed, MalformedResponse
from gateway.model import Binding, FormPost, IdpRequest, IdpResponse, LoginTransaction
from gateway.web import pages
from gateway.web.answers import Answer, page_response, redirect_response
from gateway.web.context import SERVICES, TRAIL
from gateway.web.cookies import Held
from gateway.web.handles import Handle


def sent(
    request: BaseRequest, transaction: LoginTransaction, idp_request: IdpRequest, *, held: Held | None = None, by_page: bool = False
) -> Answer:
    """Seal the login into a cookie of this browser, and send it to the identity provider in the way that its protocol asks for.

    `held`: the logins that the browser shows, where they are known.
    `by_page`: the request came from a form of ours, whose `form-action` would bind a redirect; so a page goes on.
    """
    trail, cookies = request[TRAIL], request[SERVICES].cookies
    trail.transaction = transaction.id
    provider = trail.table.provider(transaction.idp).port
    lines = cookies.issue(cookies.held(trail.cookies) if held is None else held, transaction, provider.binding)
    trail.headers += [("Set-Cookie", line) for line in lines]
    if isinstance(idp_request, FormPost):
        return page_response(pages.form_page(idp_request, provider=provider.display_name))
    if by_page:
        return page_response(pages.onward_page(url=idp_request.url, provider=provider.display_name))
    return redirect_response(request, idp_request.url)


def browser_handle(request: BaseRequest) -> Handle:
    """The handle of this browser, for as long as it keeps signing in."""
    cookie, trail = request[SERVICES].browser_cookie, request[TRAIL]
    handle = cookie.read(trail.cookies) or cookie.mint()
    trail.headers.append(("Set-Cookie", cookie.issue(handle)))
    return handle


def came_in(request: BaseRequest, transaction: LoginTransaction) -> None:
    """A login that had to be fresh succeeded: the next one need not be."""
    if transaction.fresh and transaction.browser:
        line = request[SERVICES].browser_cookie.issue(Handle(transaction.browser))
        request[TRAIL].headers.append(("Set-Cookie", line))


def spend(request: BaseRequest, transaction: LoginTransaction, response: IdpResponse, *, ticket: bool = False) -> None:
    """Leave a stub in the place of the used login, whatever the answer. `ticket`: it was one."""
    line = request[SERVICES].cookies.spend(transaction, response.binding, ticket=ticket)
    request[TRAIL].headers.append(("Set-Cookie", line))


def open_login(request: BaseRequest, response: IdpResponse) -> LoginTransaction:
    """The login in flight that the answer names. Raises `MalformedResponse`, `NoLoginInFlight`, `LoginAlreadyUsed`."""
    services, trail = request[SERVICES], request[TRAIL]
    state = response.fields.get("RelayState" if response.binding is Binding.SAML_POST else "state")
    if not state:
        raise MalformedResponse("no state")
    record = services.cookies.read(trail.cookies, state)
    if record.virtual_proxy in trail.table.virtual_proxies:
        trail.virtual_proxy = record.virtual_proxy
    if not isinstance(record, LoginTransaction):
        raise LoginAlreadyUsed("the browser shows a used login again")
    trail.transaction = record.id
    shown = services.browser_cookie.read(trail.cookies)  # of tabs that a new browser opened at once it keeps the last one's
    return record if shown is None or shown.value == record.browser else replace(record, browser=shown.value)
