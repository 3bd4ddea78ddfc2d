"""Requests on the management port that act: taken from programs on this machine alone.

Who may run a program beside the gateway may ask; nobody else. So both ends of the connection must be loopback; nothing may
have passed the request on; and it must be no browser's, for pages of any site can make one on this machine send requests
(DNS rebinding, cross-site requests).
"""

from __future__ import annotations

import json
from ipaddress import ip_address

from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest

from gateway.web.answers import Answer, go_ahead, json_response
from gateway.web.browser import read_body

SMALL = 4096
FROM_A_BROWSER = ("Origin", "Referer", "Cookie", "Sec-Fetch-Site", "Sec-Fetch-Mode")
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def from_this_machine(request: BaseRequest) -> bool:
    """Whether a program beside us asks, itself.

    Both ends of the connection are looked at: a service mesh hands on what comes from elsewhere from an address of its own in
    127.0.0.0/8, to the pod's address.
    """
    told = [name for name in (*FROM_A_BROWSER, *PASSED_ON) if name in request.headers]
    here = request.get_extra_info("sockname") or ("",)
    return not told and all(map(_is_loopback, (request.remote, str(here[0]), _asked_host(request))))


def _asked_host(request: BaseRequest) -> str | None:
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


async def read_names(request: BaseRequest, *wanted: str) -> tuple[str, ...] | None:
    """These members of the JSON object that was sent, all strings; None where they are not there."""
    if request.content_type != "application/json" or (request.content_length or 0) > SMALL:
        return None
    if "Expect" in request.headers:
        await go_ahead(request)
    try:
        told = json.loads(await read_body(request))
        json.dumps(told, ensure_ascii=False).encode()  # what no text can carry: lone surrogates
    except (ValueError, RecursionError, HTTPRequestEntityTooLarge, TimeoutError, RequestPayloadError, ConnectionError):
        return None
    if not isinstance(told, dict):
        return None
    values = tuple(value for name in wanted if isinstance(value := told.get(name), str))
    return values if len(values) == len(wanted) else None


def refusal(status: int, why: str, *headers: tuple[str, str]) -> Answer:
    """An answer for a program."""
    return json_response({"error": why}, status, *headers)
