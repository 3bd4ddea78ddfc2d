"""Where several identity providers serve one virtual proxy: what the browser brings along, and the page to choose on."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp.web_request import BaseRequest

from gateway.errors import MalformedStart
from gateway.model import AuthModuleRedirect
from gateway.protocol import qps
from gateway.routing import VirtualProxy, Visit, find_by_mail
from gateway.web import pages
from gateway.web.answers import Answer, page_response
from gateway.web.browser import Pairs, check_navigation, client_ip, form_pairs, query_pairs, single
from gateway.web.choices import LastChoice, last_choice, remember
from gateway.web.context import SERVICES, TRAIL

LONGEST_MAIL = 254
"""RFC 5321 §4.5.3.1.3."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A mail address that the user gave, and the providers that sign in users of its domain."""

    mail: str = field(repr=False)
    found: tuple[str, ...]


def read_visit(request: BaseRequest, virtual_proxy: VirtualProxy, pairs: Pairs) -> Visit:
    """What says which provider to take. Raises `MalformedStart`."""
    services = request[SERVICES]
    last = last_choice(request[TRAIL].cookies, virtual_proxy.name, secure=services.secure)
    return Visit(
        hint=single(pairs, "idp"),
        ask=single(pairs, "choose") == "1" or (last.ask and len(virtual_proxy.identity_providers) > 1),
        remembered=last.idp,
        address=client_ip(request, services.trusted_proxies) if virtual_proxy.network_defaults else None,
    )


def keep_wish(request: BaseRequest, virtual_proxy: VirtualProxy) -> None:
    """Ask next time, whatever was chosen last."""
    secure, trail = request[SERVICES].secure, request[TRAIL]
    last = last_choice(trail.cookies, virtual_proxy.name, secure=secure)
    line = remember(trail.cookies, virtual_proxy.name, LastChoice(last.idp, ask=True), secure=secure)
    trail.headers.append(("Set-Cookie", line))


async def find(request: BaseRequest) -> Answer:
    """The user gave a mail address on the chooser page: on to the provider of its domain, or the page again.

    A POST, so that the address gets into no log and no history; and a page for an answer, not a redirect: Chromium applies
    `form-action` along all redirects that follow a form, whatever its method (CSP Level 3 §6.4.1).
    """
    trail = request[TRAIL]
    virtual_proxy = trail.table.virtual_proxy(trail.name)
    check_navigation(request.headers)
    trail.virtual_proxy, trail.is_login = virtual_proxy.name, True
    redirect = qps.read_redirect(query_pairs(request))
    if redirect is None:
        raise MalformedStart("a mail address without the details that the Qlik proxy adds")
    virtual_proxy.match(redirect)
    mail = (single(await form_pairs(request), "email") or "")[:LONGEST_MAIL]
    found = find_by_mail(trail.table, virtual_proxy, mail)
    if len(found) != 1:
        return choose_page(request, virtual_proxy, redirect, searched=Searched(mail, found))
    name = trail.table.provider(found[0]).port.display_name
    return page_response(pages.onward_page(url=login_url(virtual_proxy, redirect, found[0]), provider=name))


def choose_page(
    request: BaseRequest,
    virtual_proxy: VirtualProxy,
    redirect: AuthModuleRedirect,
    *,
    last: str | None = None,
    searched: Searched | None = None,
) -> Answer:
    """Plain GET links to this same address, one per provider, the last choice first; those that a search left over, if any."""
    table = request[TRAIL].table
    found = searched.found if searched else ()
    offered = sorted(found or virtual_proxy.identity_providers, key=lambda idp: idp != last)
    choices = [
        pages.Choice(name=table.provider(idp).port.display_name, url=login_url(virtual_proxy, redirect, idp), last=idp == last)
        for idp in offered
    ]
    search = None
    if any(table.provider(idp).domains for idp in virtual_proxy.identity_providers):
        mail, failed = (searched.mail, not found) if searched else ("", False)
        search = pages.MailSearch(url=login_url(virtual_proxy, redirect), mail=mail, failed=failed)
    return page_response(pages.chooser_page(virtual_proxy=virtual_proxy.name, choices=choices, search=search))


def login_url(virtual_proxy: VirtualProxy, redirect: AuthModuleRedirect, idp: str | None = None) -> str:
    """This virtual proxy's address with what the Qlik proxy said, and a provider."""
    pairs = [("proxyRestUri", redirect.proxy_rest_uri), ("targetId", redirect.target_id)]
    return f"/vp/{virtual_proxy.name}/login?{urlencode(pairs if idp is None else [*pairs, ('idp', idp)])}"
