"""The client against real servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from gateway.errors import AddressRefused, ProviderAnswer, ProviderUnreachable
from gateway.model import HttpRequest
from gateway.outbound import AddressPolicy, OutboundClient, policy_for
from tests.ports import unused_port

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]
TLS = ssl.create_default_context()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    client = OutboundClient(policy=policy_for(["http://127.0.0.1:1"]), tls=TLS)
    yield client
    await client.close()


def get(url: str, **options: object) -> HttpRequest:
    return HttpRequest(method="GET", url=url, **options)  # type: ignore[arg-type]


async def test_an_answer_comes_whole_with_lower_case_headers(serve: Serve, client: OutboundClient) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"echo": (await request.read()).decode()}, status=201, headers={"X-Mixed": "Case"})

    base = await serve(handler)
    answer = await client.send(HttpRequest(method="POST", url=base + "/token", body=b"a=b"))
    assert (answer.status, answer.body, answer.headers["x-mixed"]) == (201, b'{"echo": "a=b"}', "Case")


async def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve, client: OutboundClient) -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert (await client.send(get(await serve(handler) + "/here"))).status == 302
    assert seen == ["/here"]


async def test_an_answer_over_the_limit_is_refused(serve: Serve, client: OutboundClient) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b" " * 3_000_000)

    with pytest.raises(ProviderAnswer, match="more than 1000 bytes"):
        await client.send(get(await serve(handler), limit=1000))


async def test_an_answer_of_exactly_the_limit_passes(serve: Serve, client: OutboundClient) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1000)

    assert len((await client.send(get(await serve(handler), limit=1000))).body) == 1000


async def test_a_slow_answer_is_no_answer(serve: Serve, client: OutboundClient) -> None:
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(ProviderUnreachable, match="no answer in time"):
        await client.send(get(await serve(handler), timeout=0.1))


async def test_a_closed_port_is_no_answer(client: OutboundClient) -> None:
    with pytest.raises(ProviderUnreachable):
        await client.send(get(f"http://127.0.0.1:{unused_port()}/"))


async def test_a_kept_alive_connection_that_died_is_tried_once_more() -> None:
    answers = 0

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        await reader.readuntil(b"\r\n\r\n")
        answers += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    client = OutboundClient(policy=AddressPolicy(loopback=True, http=True), tls=TLS)
    post = HttpRequest(method="POST", url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", body=b"")
    assert (await client.send(post)).body == b"ok"
    assert (await client.send(post)).body == b"ok"
    assert answers == 2
    await client.close()
    server.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0x7f.1:{port}/",
        "http://2130706433:{port}/",
    ],
)
async def test_an_inside_address_that_nobody_named_is_not_reached(serve: Serve, url: str) -> None:
    reached = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    port = (await serve(handler)).rpartition(":")[2]
    client = OutboundClient(policy=AddressPolicy(http=True), tls=TLS)
    with pytest.raises((AddressRefused, ProviderUnreachable)):
        await client.send(get(url.format(port=port)))
    await client.close()
    assert not reached


async def test_a_name_that_resolves_inside_is_refused_at_the_socket(serve: Serve) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    port = (await serve(handler)).rpartition(":")[2]
    client = OutboundClient(policy=AddressPolicy(), tls=TLS)
    with pytest.raises(AddressRefused, match=r"allow_private"):
        await client.send(get(f"https://localhost:{port}/"))
    await client.close()


@pytest.mark.parametrize(
    "url", ["http://login.example.com/", "ftp://login.example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "//x"]
)
async def test_only_https_leaves_the_gateway(client: OutboundClient, url: str) -> None:
    with pytest.raises(AddressRefused):
        await client.send(get(url))


async def test_no_cookie_is_kept(serve: Serve, client: OutboundClient) -> None:
    cookies = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(dict(request.cookies))
        return web.Response(headers={"Set-Cookie": "sid=1; Path=/"})

    base = await serve(handler)
    await client.send(get(base))
    await client.send(get(base))
    assert cookies == [{}, {}]


async def test_the_forward_proxy_s_password_is_in_no_detail() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    proxy = f"http://user:CANARY@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = OutboundClient(policy=AddressPolicy(), tls=TLS, proxy=proxy)
    with pytest.raises(ProviderUnreachable, match="the forward proxy answered 407") as caught:
        await client.send(get("https://login.example.com/token?code=CANARY"))
    assert "CANARY" not in caught.value.detail
    await client.close()
    server.close()


async def test_an_answer_that_is_not_http_is_a_wrong_answer(serve: Serve, client: OutboundClient) -> None:
    async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HELLO CANARY\r\n\r\n")
        await writer.drain()
        writer.close()

    del serve
    server = await asyncio.start_server(rubbish, "127.0.0.1", 0)
    with pytest.raises(ProviderAnswer) as caught:
        await client.send(get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/?code=CANARY"))
    assert "CANARY" not in caught.value.detail
    server.close()


async def test_a_packed_body_that_nobody_asked_for_is_a_wrong_answer(serve: Serve, client: OutboundClient) -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        return web.Response(body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})

    with pytest.raises(ProviderAnswer, match="packed"):
        await client.send(get(await serve(handler)))
    assert asked == ["identity"]


@pytest.mark.parametrize("url", ["https://user@login.example.com/", "https://:secret@login.example.com/", "https://login.example.com/#x"])
async def test_an_address_with_more_than_an_address_is_refused(client: OutboundClient, url: str) -> None:
    with pytest.raises(AddressRefused):
        await client.send(get(url))


@pytest.mark.parametrize("host", ["a..b.invalid", "x" * 64 + ".invalid"])
async def test_a_name_that_cannot_be_one_is_a_wrong_answer(client: OutboundClient, host: str) -> None:
    with pytest.raises(ProviderAnswer):
        await client.send(get(f"https://{host}/jwks"))


async def test_a_request_on_a_fresh_connection_is_never_sent_twice() -> None:
    """RFC 6749 §4.1.2: a code that comes twice may cost the tokens of the first."""
    requests = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    client = OutboundClient(policy=AddressPolicy(loopback=True, http=True), tls=TLS)
    with pytest.raises(ProviderUnreachable):
        await client.send(HttpRequest(method="POST", url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token", body=b"code=x"))
    assert requests == 1
    await client.close()
    server.close()


async def test_after_the_end_nothing_is_sent(serve: Serve) -> None:
    reached = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    base = await serve(handler)
    client = OutboundClient(policy=policy_for([base]), tls=TLS)
    await client.send(get(f"{base}/before"))
    await client.close()
    for path in ("before", "after"):
        with pytest.raises(ProviderUnreachable):
            await client.send(get(f"{base}/{path}"))
    assert reached == ["/before"]
