"""Requests that are none, or that only want to cost something: raw bytes on a socket."""

from __future__ import annotations

import asyncio
import gzip
from urllib.parse import quote

import pytest

from gateway.web import browser
from tests.flow.conftest import Worlds, certificates, world, worlds
from tests.flow.world import World

__all__ = ["certificates", "world", "worlds"]


async def raw(world: World, *parts: bytes) -> bytes:
    """What the gateway answers to these bytes; the connection is closed by it, or after its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(65536), 20)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /vp/sales/login HTTP/1.1\r\nHost: a\r\nCookie: qgw-login-x=CANARY\x00\r\n\r\n",
        b"GET http://a:99999/<script>?code=CANARY HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CANARY<script>\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"CANARY" * 8000 + b"\r\n\r\n",
        b"GET /" + b"CANARY" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: CANARY\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nCANARY",
    ],
)
async def test_what_is_no_request_gets_a_page_with_a_code_that_quotes_nothing(world: World, request_: bytes) -> None:
    answer = await raw(world, request_)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"QGW-118" in answer
    assert b"CANARY" not in answer
    assert b"<script>" not in answer
    assert b"aiohttp" not in answer
    assert b"nosniff" in answer


async def test_no_answer_names_the_server_s_parts(world: World) -> None:
    for path in ("/vp/sales/login", "/nothing"):
        assert (await world.browser().get(world.url + path)).headers["Server"] == "qlikgw"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /vp/sales/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"PUT /vp/sales/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"HEAD /nothing HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
        b"GET /idp/entra/metadata HTTP/1.0\r\nAccept: application/json\r\n\r\n",
        b"POST /idp/entra/backchannel-logout HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"no request\r\n\r\n",
    ],
)
async def test_every_answer_has_its_headers_and_each_once(world: World, request_: bytes) -> None:
    lines = (await raw(world, request_)).partition(b"\r\n\r\n")[0].lower().split(b"\r\n")[1:]
    names = [line.partition(b":")[0] for line in lines]
    assert len(names) == len(set(names)), lines
    assert {b"server", b"date", b"content-length", b"x-content-type-options", b"cache-control", b"referrer-policy"} <= {*names}


async def test_a_browser_that_came_by_https_is_always_told_to_stay_there(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=lambda gateway: gateway.update(public_url="https://login.corp.example"))
    for request in (b"GET /vp/sales/logout HTTP/1.0\r\n\r\n", b"HEAD /nothing HTTP/1.0\r\n\r\n", b"no request\r\n\r\n"):
        assert (await raw(world, request)).count(b"Strict-Transport-Security: max-age=31536000\r\n") == 1


async def test_a_compressed_body_is_never_inflated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    inflated = []
    monkeypatch.setattr("zlib.decompressobj", lambda *_, **__: inflated.append("zlib"))
    bomb = gzip.compress(b"\0" * 5_000_000, mtime=0)
    head = f"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\nConnection: close\r\n\r\n"
    assert b" 404 " in await raw(world, head.encode(), bomb)
    assert not inflated


@pytest.mark.parametrize("body", [gzip.compress(b"state=x&code=y", mtime=0), b"hello"], ids=["gzip", "not gzip"])
async def test_a_compressed_form_is_refused(worlds: Worlds, body: bytes) -> None:
    world = await worlds(edit_provider=lambda provider: provider.update(response_mode="form_post"))
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
    answer = await world.browser().send("POST", f"{world.url}/idp/entra/callback", headers=headers, body=body)
    assert (answer.status, answer.code) == (400, "QGW-107")


async def test_a_form_that_never_ends_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "FORM_SECONDS", 0.05)
    head = b"POST /idp/entra/callback HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    answer = await raw(world, head, b"Content-Length: 100\r\n\r\nstate=")
    assert b" 400 " in answer
    assert b"QGW-107" in answer


async def test_cookies_of_many_restored_tabs_do_not_lock_the_browser_out(world: World) -> None:
    """Tabs that start at once do not see each other's cookies: the next start clears up."""
    browser = world.browser()
    starts = [(await world.ask_hub(browser)).location for _ in range(30)]
    jar = browser.cookies["127.0.0.1"]
    for start in starts:
        alone = world.browser()
        await alone.get(start)
        jar |= alone.cookies["127.0.0.1"]
    assert len("; ".join(f"{name}={value}" for name, value in jar.items())) > 8190
    assert (await world.sign_in(browser)).status == 200
    assert len([name for name in jar if name.startswith("qgw-login-")]) <= 11


async def test_an_unknown_provider_is_not_found_whatever_is_sent(world: World) -> None:
    browser = world.browser()
    for answer in (
        await browser.get(f"{world.url}/idp/nobody/callback?code=a&code=b"),
        await browser.post(f"{world.url}/idp/nobody/callback", {"state": "x" * 300_000}),
        await browser.send("POST", f"{world.url}/idp/nobody/callback", headers={"Content-Type": "text/plain"}, body=b"x"),
    ):
        assert (answer.status, answer.code) == (404, "QGW-102")


async def test_a_foreign_node_is_refused_before_the_user_may_choose(worlds: Worlds) -> None:
    world = await worlds(idps=("entra", "partners"))
    query = f"proxyRestUri={quote('https://evil.example/qps/sales/', safe='')}&targetId=7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"
    answer = await world.browser().get(f"{world.url}/vp/sales/login?{query}")
    assert (answer.status, answer.code) == (400, "QGW-103")


async def test_the_chooser_carries_on_what_the_proxy_sent_and_nothing_else(worlds: Worlds) -> None:
    world = await worlds(idps=("entra", "partners"))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    page = await browser.get(start + "".join(f"&p{number}=CANARY" for number in range(30)))
    assert page.status == 200
    assert "CANARY" not in page.text


async def test_a_frame_is_told_by_its_destination_alone(world: World) -> None:
    browser = world.browser()
    answer = await browser.get((await world.ask_hub(browser)).location, Sec_Fetch_Dest="iframe")
    assert answer.status == 200
    assert not answer.set_cookies


@pytest.mark.parametrize("header", [{"Purpose": "prefetch"}, {"X_Moz": "prefetch"}])
async def test_older_ways_to_say_prefetch_are_understood(world: World, header: dict[str, str]) -> None:
    browser = world.browser()
    answer = await browser.get((await world.ask_hub(browser)).location, **header)
    assert (answer.status, answer.code) == (503, "QGW-105")
