"""The browser's way out (`/vp/{vp}/logout`): the Qlik sessions, then the provider's own, then a page with a way back in."""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.logout import Onward
from gateway.model import FormPost, Journey
from gateway.register import browser_digest
from gateway.routing import VirtualProxy
from gateway.web import pages
from gateway.web.answers import Answer, page_response, redirect_response
from gateway.web.browser import check_navigation, form_pairs, is_frame, query_pairs, single
from gateway.web.context import SERVICES, TRAIL
from gateway.web.handles import signed_out
from gateway.web.provenance import is_no_browser, is_wanted

ASK = "ask"
"""In the query: the user is asked first, whoever sends them."""


async def get(request: BaseRequest) -> Answer:
    """Acts where our own site or a listed target asks; else the user is asked first.

    Also behind the link of a frame: any site may show that, and have its visitors click into it unseen.
    """
    virtual_proxy = entered(request)
    if is_frame(request.headers):
        return page_response(pages.frame_page(url=question(request, virtual_proxy), leaving=True))
    asks = single(query_pairs(request), ASK) is not None
    if asks or not is_wanted(request.headers, virtual_proxy.targets, request[SERVICES].public_url):
        return confirmation(request, virtual_proxy)
    return await leave(request, virtual_proxy)


async def post(request: BaseRequest) -> Answer:
    """Acts: on a confirmation, or like a GET. A browser that comes from elsewhere with neither is asked.

    So is one from a listed target on another site: its handle stayed behind, and comes along with the GET of the question.
    """
    virtual_proxy, services = entered(request), request[SERVICES]
    token = single(await form_pairs(request), "token") if request.can_read_body else None
    if token is not None:
        await services.logout.confirm(*services.confirmations.read(token, virtual_proxy.name, handle_value(request)))
    elif not is_no_browser(request.headers):
        wanted = is_wanted(request.headers, virtual_proxy.targets, services.public_url)
        if not wanted or not handle_value(request):
            return redirect_response(request, question(request, virtual_proxy))
    return await leave(request, virtual_proxy)


def entered(request: BaseRequest) -> VirtualProxy:
    """The virtual proxy in the path. Raises `NotFound`, `NotANavigation`, `PrefetchRefused`."""
    trail = request[TRAIL]
    virtual_proxy = trail.table.virtual_proxy(trail.name)
    trail.virtual_proxy, trail.is_logout = virtual_proxy.name, True
    check_navigation(request.headers)
    return virtual_proxy


def question(request: BaseRequest, virtual_proxy: VirtualProxy) -> str:
    """Where the user is asked first."""
    return f"{request[SERVICES].public_url}/vp/{virtual_proxy.name}/logout?{ASK}=1"


def handle_value(request: BaseRequest) -> str:
    """The handle that this browser shows; '' for none."""
    handle = request[SERVICES].browser_cookie.read(request[TRAIL].cookies)
    return "" if handle is None else handle.value


def confirmation(request: BaseRequest, virtual_proxy: VirtualProxy) -> Answer:
    """Ask the user first."""
    token = request[SERVICES].confirmations.mint(virtual_proxy.name, handle_value(request))
    return page_response(pages.confirm_page(url=f"/vp/{virtual_proxy.name}/logout", token=token, virtual_proxy=virtual_proxy.name))


async def leave(request: BaseRequest, virtual_proxy: VirtualProxy) -> Answer:
    """End what this browser began. Its next login asks for a fresh sign-in, whatever the provider remembers."""
    services, trail = request[SERVICES], request[TRAIL]
    cookie = services.browser_cookie
    shown = cookie.read(trail.cookies)
    handle = shown or cookie.mint()
    journey = Journey(virtual_proxy=virtual_proxy.name, browser=browser_digest(handle.value), began_at=services.clock.now())
    journey, onward = await services.logout.leave(trail.table, journey)
    if shown is not None:  # a POST of another site comes without it: a fresh one would take its place, and no logout find its sign-ins
        trail.headers.append(("Set-Cookie", cookie.issue(signed_out(shown))))
    return go_on(request, journey, onward)


def go_on(request: BaseRequest, journey: Journey, onward: Onward | None) -> Answer:
    """To the next provider, or to the last page. After a form of ours a page goes on: its `form-action` would bind a redirect."""
    services, trail = request[SERVICES], request[TRAIL]
    if onward is None:
        return page_response(signed_out_page(request, journey))
    transaction, idp_request = onward
    trail.headers.append(("Set-Cookie", services.logout_cookie.issue(transaction)))
    provider = trail.table.provider(transaction.idp).port.display_name
    if isinstance(idp_request, FormPost):
        return page_response(pages.form_page(idp_request, provider=provider))
    if request.method == "POST":
        return page_response(pages.onward_page(url=idp_request.url, provider=provider))
    return redirect_response(request, idp_request.url)


def signed_out_page(request: BaseRequest, journey: Journey) -> pages.Page:
    """What has ended and what has not, and the way back in."""
    table = request[TRAIL].table
    virtual_proxy = table.virtual_proxies.get(journey.virtual_proxy)
    names = [table.providers[idp].port.display_name for idp in journey.open if idp in table.providers]
    return pages.signed_out_page(journey, open_providers=names, sign_in=None if virtual_proxy is None else virtual_proxy.targets.default)
