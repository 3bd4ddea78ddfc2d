"""The login in flight in the browser's cookies: sealed in when it begins, opened when the answer comes, spent when it was used."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import LoginAlreadyUsed, MalformedResponse
from gateway.login import reference
from gateway.model import Binding, FormPost, IdpRequest, IdpResponse, LoginTransaction
from gateway.web import pages
from gateway.web.answers import page_response, redirect_response
from gateway.web.context import SERVICES, TRAIL


def sent(request: web.Request, transaction: LoginTransaction, idp_request: IdpRequest, *, by_page: bool = False) -> web.Response:
    """Seal the login into a cookie of this browser, and send it to the identity provider in the way that its protocol asks for.

    `by_page`: the request came from a form of ours, whose `form-action` would bind a redirect; so a page goes on.
    """
    trail = request[TRAIL]
    trail.transaction = reference(transaction.id)
    provider = trail.table.provider(transaction.idp).port
    lines = request[SERVICES].cookies.issue(request.cookies, transaction, provider.binding)
    trail.headers += [("Set-Cookie", line) for line in lines]
    if isinstance(idp_request, FormPost):
        return page_response(pages.form_page(idp_request, provider=provider.display_name))
    if by_page:
        return page_response(pages.onward_page(url=idp_request.url, provider=provider.display_name))
    return redirect_response(request, idp_request.url)


def spend(request: web.Request, transaction: LoginTransaction, response: IdpResponse) -> None:
    """Leave a stub in the place of the used login, whatever the answer."""
    request[TRAIL].headers.append(("Set-Cookie", request[SERVICES].cookies.spend(transaction, response.binding)))


def open_login(request: web.Request, response: IdpResponse) -> LoginTransaction:
    """The login in flight that the answer names. Raises `MalformedResponse`, `NoLoginInFlight`, `LoginAlreadyUsed`."""
    services, trail = request[SERVICES], request[TRAIL]
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
