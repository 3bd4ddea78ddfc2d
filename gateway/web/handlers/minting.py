"""`POST /test-logins` on the management port: a link to one test sign-in, for programs on this machine alone.

Who may run a program beside the gateway may have the link; nobody else. So the peer must be loopback; nothing may have
passed the request on; and it must be no browser's, for pages of any site can make one on this machine send requests
(DNS rebinding, cross-site requests).
"""

from __future__ import annotations

import json
from ipaddress import ip_address

from aiohttp import web

from gateway.errors import GatewayError
from gateway.routing import Live
from gateway.web.context import Services

LIVE = web.AppKey("live", Live[Services])
SMALL = 4096
FROM_A_BROWSER = ("Origin", "Referer", "Cookie", "Sec-Fetch-Site", "Sec-Fetch-Mode")
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


async def mint(request: web.Request) -> web.Response:
    """`{"idp": …, "vp": …}` becomes `{"url": …, "expires_at": …}`."""
    if not from_this_machine(request):
        return refusal(403, "links are given to programs on this machine only")
    names = await read_names(request)
    if names is None:
        return refusal(400, 'send {"idp": …, "vp": …} as application/json')
    with request.app[LIVE].hold() as services:
        url, link = services.trials.mint(names[1], names[0])
        try:
            services.pipeline.check_link(services.table, link)
        except GatewayError as error:
            return refusal(404, error.detail)
        services.journal.note("test_login_minted", vp=link.virtual_proxy, idp=link.idp)
    return web.json_response({"url": url, "expires_at": link.expires_at.isoformat()}, headers={"Cache-Control": "no-store"})


def from_this_machine(request: web.Request) -> bool:
    """Whether a program beside us asks, itself.

    Both ends of the connection are looked at: a service mesh hands on what comes from elsewhere from an address of its own in
    127.0.0.0/8, to the pod's address.
    """
    told = [name for name in (*FROM_A_BROWSER, *PASSED_ON) if name in request.headers]
    here = request.get_extra_info("sockname") or ("",)
    return not told and all(map(_is_loopback, (request.remote, str(here[0]), _asked_host(request))))


def _asked_host(request: web.Request) -> str | None:
    try:
        return request.url.host
    except ValueError:  # a Host that is none
        return None


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


async def read_names(request: web.Request) -> tuple[str, str] | None:
    """The provider's id and the virtual proxy's; None where they are not there."""
    if request.content_type != "application/json" or (request.content_length or 0) > SMALL:
        return None
    try:
        wanted = json.loads(await request.read())
    except (ValueError, RecursionError, web.HTTPRequestEntityTooLarge):
        return None
    if not isinstance(wanted, dict):
        return None
    idp, virtual_proxy = wanted.get("idp"), wanted.get("vp")
    return (idp, virtual_proxy) if isinstance(idp, str) and isinstance(virtual_proxy, str) else None


def refusal(status: int, why: str) -> web.Response:
    """An answer for a program."""
    return web.json_response({"error": why}, status=status)
