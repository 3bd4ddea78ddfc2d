from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.errors import GatewayError, MalformedResponse, MalformedStart, NotANavigation, PrefetchRefused
from gateway.web.browser import check_navigation, client_address, is_frame, prefers_json, query_pairs, query_response, single


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json, text/html;q=0.9", True),
        ("application/json;q=0.8, text/html", False),
        ("application/json, */*;q=0.1", True),
        ("application/*, text/html;q=0.5", True),
        ("application/json;q=0, */*", False),
        ("application/json;q=oops", False),
        ("APPLICATION/JSON", True),
        ("text/html, application/json", False),
    ],
)
def test_json_is_given_where_it_is_preferred(accept: str, *, json: bool) -> None:
    assert prefers_json(accept) is json


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": "?1"},
        {"Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_navigation_may_start_a_login(headers: dict[str, str]) -> None:
    check_navigation(CIMultiDict(headers))


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, NotANavigation),
        ({"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, NotANavigation),
        ({"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, NotANavigation),
        ({"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "empty"}, NotANavigation),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "worker"}, NotANavigation),
        ({"Sec-Fetch-Dest": "image"}, NotANavigation),
        ({"Upgrade": "websocket"}, NotANavigation),
        ({"X-Requested-With": "XMLHttpRequest"}, NotANavigation),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"}, PrefetchRefused),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"}, PrefetchRefused),
    ],
)
def test_anything_else_may_not(headers: dict[str, str], error: type[GatewayError]) -> None:
    with pytest.raises(error):
        check_navigation(CIMultiDict(headers))


@pytest.mark.parametrize("destination", ["iframe", "frame", "embed", "object"])
def test_a_frame_is_told_apart(destination: str) -> None:
    assert is_frame(CIMultiDict({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": destination}))


def test_doubled_parameters_of_a_start_are_seen() -> None:
    pairs = query_pairs(make_mocked_request("GET", "/vp/sales/login?idp=a&idp=b&x="))
    assert pairs == [("idp", "a"), ("idp", "b"), ("x", "")]
    with pytest.raises(MalformedStart):
        single(pairs, "idp")


@pytest.mark.parametrize(
    "query", ["code=a&code=b", "state=a&state=", "code=%ff", "&".join(f"p{n}=1" for n in range(40)), "code=" + "x" * 8193]
)
def test_a_damaged_answer_is_refused(query: str) -> None:
    with pytest.raises(MalformedResponse):
        query_response(make_mocked_request("GET", f"/idp/a/callback?{query}"))


def request_from(peer: str, *forwarded: str):  # noqa: ANN201 (aiohttp's own type is private to its test tools)
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    return make_mocked_request("GET", "/", headers=headers).clone(remote=peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("unknown",), ""),
        ("10.0.0.1", ("10.0.0.3",), "10.0.0.3"),
        ("fe80::1%eth0", (), "fe80::1"),
        ("10.0.0.1", ("0000:0000:0000:0000:0000:ffff:25.255.255.255%zone",), "25.255.255.255"),
        ("10.0.0.1", ("fe80::1%" + "z" * 90,), "fe80::1"),
        ("10.0.0.1", ("%",), ""),
    ],
)
def test_a_forwarded_address_is_believed_from_trusted_proxies_alone(peer: str, forwarded: tuple[str, ...], seen: str) -> None:
    assert client_address(request_from(peer, *forwarded), [ip_network("10.0.0.0/8")]) == seen
    assert not seen or ip_address(seen)
