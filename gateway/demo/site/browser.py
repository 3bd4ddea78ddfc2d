"""The browser's face of a node: sessions, redirects to the authentication module, redemption of tickets, the hub.

Which behaviour is documented [D], seen in public code [C] or inferred [I] stands at each function.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from gateway.demo.pages import render
from gateway.demo.site.memory import Session
from gateway.demo.site.node import Node, VirtualProxy
from gateway.model import Secret

TICKET_PARAMETERS = frozenset({"qlikticket", "x-qlik-ticket"})
"""`X-Qlik-Ticket` is what the help page names [D]; public code sends QlikTicket, qlikTicket, qlikticket: the case is free [C]."""

SECURITY_HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
}
"""The simulator's own care for its pages; nothing is claimed of Qlik's."""


class BrowserFace:
    """Answers everything on one node's browser port."""

    def __init__(self, node: Node) -> None:
        self.node = node

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Serve with a session, redeem a ticket, or send the browser to the authentication module."""
        self.node.counters["browser_requests"] += 1
        virtual_proxy, path = self._select(request)
        signed_in = self._redeem(request, virtual_proxy)
        session = signed_in or self._session(request, virtual_proxy)
        if path == "/qps/logout":
            raise web.HTTPBadRequest(text="Bad Request")  # no such address, whatever the name promises [C butler-sheet-icons#883]
        if path == "/qps/user":
            response = self._personal(request, virtual_proxy, session)
        elif session is None:
            response = self._to_module(request, virtual_proxy)
        else:
            response = self._resource(request, virtual_proxy, session, path)
        if signed_in is not None:
            response.headers.add(hdrs.SET_COOKIE, _set_cookie(virtual_proxy, signed_in.id, secure=request.secure))
        return response

    def _select(self, request: web.BaseRequest) -> tuple[VirtualProxy, str]:
        """The first segment of the path is a prefix, or else the default virtual proxy is meant [D "Virtual proxies"]."""
        first, _, rest = request.path.removeprefix("/").partition("/")
        named = self.node.virtual_proxies.get(first) if first else None
        if named is not None:
            return named, "/" + rest
        default = self.node.virtual_proxies.get("")
        if default is None:
            raise web.HTTPBadRequest(text="Bad Request")  # no virtual proxy is linked there [I]
        return default, request.path

    def _redeem(self, request: web.BaseRequest, virtual_proxy: VirtualProxy) -> Session | None:
        """A ticket makes a session on any resource under the prefix [C], for a GET only [D "Authentication API"].

        A good ticket wins over a session that is there already [I].
        """
        tickets = [value for name, value in request.query.items() if name.lower() in TICKET_PARAMETERS]
        if not tickets or request.method != hdrs.METH_GET:
            return None
        session = self.node.memory.redeem(virtual_proxy.prefix, tickets[0])
        if session is None:
            self.node.counters["tickets_refused"] += 1
            return None
        self.node.counters["tickets_redeemed"] += 1
        self.node.watch(
            "session",
            {"node": self.node.name, "prefix": virtual_proxy.prefix, "ticket": Secret(tickets[0]), "session": Secret(session.id)},
        )
        return session

    def _session(self, request: web.BaseRequest, virtual_proxy: VirtualProxy) -> Session | None:
        value = request.cookies.get(virtual_proxy.cookie(secure=request.secure))
        return self.node.memory.session(virtual_proxy.prefix, value) if value else None

    def _to_module(self, request: web.BaseRequest, virtual_proxy: VirtualProxy) -> web.Response:
        """No session, or a ticket or session that is not valid: to the authentication module [D "Establishing a session"].

        The way back leads to `reloadUri` where the request names one [D "Query parameters"], else to the address that was
        asked for, an old ticket in it included [I].
        """
        wanted = request.query.get("reloadUri") or f"{request.scheme}://{request.host}{request.raw_path}"
        response = web.Response(status=302, headers=SECURITY_HEADERS)
        response.headers[hdrs.LOCATION] = self._module_location(virtual_proxy, wanted)
        return response

    def _module_location(self, virtual_proxy: VirtualProxy, wanted: str) -> str:
        target_id = self.node.memory.add_target(virtual_proxy.prefix, wanted)
        self.node.counters["module_redirects"] += 1
        rest = self.node.proxy_rest_uri(virtual_proxy.prefix)
        self.node.watch(
            "proxy redirect",
            {"node": self.node.name, "prefix": virtual_proxy.prefix, "proxyRestUri": rest, "targetId": Secret(target_id)},
        )
        return module_location(virtual_proxy.module_uri, rest, target_id)

    def _personal(self, request: web.BaseRequest, virtual_proxy: VirtualProxy, session: Session | None) -> web.Response:
        """Qlik: "Personal API" [D]: who is signed in, or how to sign in; DELETE ends the session and answers 204."""
        if request.method == hdrs.METH_DELETE:
            if session is not None:
                self._end(session)
            return web.Response(status=204)
        if session is not None:
            user = session.user
            return web.json_response(
                {
                    "userDirectory": user.directory,
                    "userId": user.user_id,
                    "userName": user.user_id,  # a user without a record from a directory is named by the id [I]
                    "logoutUri": f"{request.scheme}://{request.host}{virtual_proxy.path}/qps/user",
                }
            )
        target = request.query.get("targetUri", "")
        if self._is_own(request, virtual_proxy, target):
            return web.json_response({"session": "inactive", "loginUri": self._module_location(virtual_proxy, target)})
        return web.json_response({"session": "inactive"})

    def _is_own(self, request: web.BaseRequest, virtual_proxy: VirtualProxy, uri: str) -> bool:
        """A `targetUri` counts if it names the proxy's host or one of the host allow list [D "Personal API"]."""
        try:
            host = urlsplit(uri).hostname
        except ValueError:
            return False
        return host in {self.node.name.lower(), urlsplit(f"//{request.host}").hostname, *virtual_proxy.allow_list}

    def _resource(self, request: web.BaseRequest, virtual_proxy: VirtualProxy, session: Session, path: str) -> web.Response:
        """The hub, and a page in its manner for everything else: the simulator has no apps."""
        if path == "/signed-out" and request.method == hdrs.METH_POST:
            self._end(session)
            return _page("signed_out.html", virtual_proxy=virtual_proxy)
        if path == "/":
            return web.Response(status=302, headers={hdrs.LOCATION: f"{virtual_proxy.path}/hub/"})
        return _page(
            "hub.html",
            virtual_proxy=virtual_proxy,
            node=self.node.name,
            user=session.user,
            attributes=_by_name(session.user.attributes),
            path=None if path in {"/hub", "/hub/"} else request.path,
        )

    def _end(self, session: Session) -> None:
        self.node.memory.end(session)
        self.node.counters["sessions_ended"] += 1


def module_location(module_uri: str, proxy_rest_uri: str, target_id: str) -> str:
    """The redirect to the authentication module.

    Qlik: a real one reads `…/login?proxyRestUri=https%3a%2f%2f…%2fqps%2fvproxy%2f&targetId=f0a91ad7-…`: this order, lower-case
    escapes, slash at the end [C ChristofSchwarz/qs-OEM-tricks]. An URI with a query of its own is joined by '&' [I]. The
    internal Windows module gets the target only [D].
    """
    if not module_uri:
        return f"/internal_windows_authentication/?targetId={target_id}"
    joint = "&" if "?" in module_uri else "?"
    return f"{module_uri}{joint}proxyRestUri={escape(proxy_rest_uri)}&targetId={target_id}"


def escape(value: str) -> str:
    """Percent-encoding with lower-case hexadecimal digits, as .NET writes it [C]."""
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quote(value, safe="()!*"))


def _set_cookie(virtual_proxy: VirtualProxy, session_id: str, *, secure: bool) -> str:
    """Sample: `X-Qlik-Session=f2b68d0c-…; Path=/; HttpOnly; Secure` [C countnazgul/qlik-sense-authenticate].

    The same path for a virtual proxy with a prefix is inferred [I].
    """
    return f"{virtual_proxy.cookie(secure=secure)}={session_id}; Path=/; HttpOnly{'; Secure' if secure else ''}"


def _by_name(attributes: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for name, value in attributes:
        grouped[name].append(value)
    return grouped


def _page(template: str, **values: object) -> web.Response:
    return web.Response(text=render(template, **values), content_type="text/html", headers=SECURITY_HEADERS)
