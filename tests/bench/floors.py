"""What the parts cost that no login can do without, in microseconds of CPU time: `./dev bench floors`.

Each is measured alone, on one core, in its fastest form at hand; the best of some rounds counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet

from gateway.qlik.resumption import ResumingContext
from tests.bench import wire
from tests.bench.accounting import cpu_seconds
from tests.bench.browser import NAVIGATION
from tests.bench.identity_provider import Step
from tests.bench.logins import DRIVER_CORE, SYSTEM_CORE
from tests.bench.signing import PKCS1, SHA256, rsa_pair
from tests.bench.stage import HOST, Stage, open_stage
from tests.ports import unused_port

ROUNDS, CALLS, REQUESTS = 9, 300, 4000


async def run() -> dict[str, float]:
    """All floors, by name."""
    os.sched_setaffinity(0, {SYSTEM_CORE})
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=20)
        figures = signatures(stage) | handshakes(stage.folder)
        os.sched_setaffinity(0, {DRIVER_CORE})
        figures["aiohttp server: an empty redirect, 16 connections"] = await child("redirect", str(unused_port()))
        figures["aiohttp client: POST over kept-alive mTLS, 16 at once"] = await child("post", str(stage.qlik_port), folder)
        await stage.close()
    return figures


def signatures(stage: Stage) -> dict[str, float]:
    """RSA 2048, and an ID token of 20 groups as a library checks it."""
    provider = stage.provider
    (key, _), message = rsa_pair(), b"x" * 600
    signature, public = key.sign(message, PKCS1, SHA256), key.public_key()
    keys = KeySet.import_key_set(json.loads(provider.jwks))
    code = provider.continues(Step(f"{provider.issuer}/authorize?redirect_uri=https%3A%2F%2Fa&client_id=bench")).url.partition("code=")[2]
    token = json.loads(provider.token(f"code={code.partition('&')[0]}".encode())[1])["id_token"]
    return {
        "RSA 2048: sign": best(lambda: key.sign(message, PKCS1, SHA256)),
        "RSA 2048: verify": best(lambda: public.verify(signature, message, PKCS1, SHA256)),
        "joserfc: ID token of 20 groups": best(lambda: jwt.decode(token, keys, algorithms=["RS256"])),
        "ssl: a context with one root": best(lambda: ssl.create_default_context(cafile=stage.folder / "ca.crt")),
    }


def handshakes(folder: Path) -> dict[str, float]:
    """Our side of a TLS handshake with a client certificate as towards a node: full, and resumed."""
    server, resuming = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), node_context(folder, ResumingContext(ssl.PROTOCOL_TLS_CLIENT))
    server.load_cert_chain(folder / "node.crt", folder / "node.key")
    server.load_verify_locations(folder / "client.pem")
    server.verify_mode, server.verify_flags = ssl.CERT_REQUIRED, server.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN
    full = node_context(folder, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return {
        "TLS with a client certificate: a full handshake": min(shaken(full, server) for _ in range(CALLS)) * 1e6,
        "TLS with a client certificate: a resumed handshake": min(shaken(resuming, server) for _ in range(CALLS)) * 1e6,
    }


def shaken(context: ssl.SSLContext, server: ssl.SSLContext) -> float:
    """Seconds that one handshake took on our side, in memory."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs, taken = context.wrap_bio(back, there, server_hostname=HOST), server.wrap_bio(there, back, server_side=True), 0.0
    for side in (ours, theirs) * 2:
        began = time.thread_time()
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
        taken += time.thread_time() - began if side is ours else 0.0
    theirs.write(b"an answer")
    ours.read()
    if isinstance(context, ResumingContext):
        context.learn(HOST)
    return taken


Context = TypeVar("Context", bound=ssl.SSLContext)


def node_context(folder: Path, context: Context) -> Context:
    """A client's for the node of the stage."""
    context.check_hostname, context.verify_flags = False, context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(folder / "node.crt")
    context.load_cert_chain(folder / "client.pem", folder / "client_key.pem")
    return context


def best(call: Callable[[], Any]) -> float:
    """Microseconds of one call."""
    taken = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(CALLS):
            call()
        taken.append((time.thread_time() - began) / CALLS * 1e6)
    return min(taken)


async def child(what: str, *arguments: str) -> float:
    """A floor whose other side is this process: measured in one of its own, on the other core."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.floors", what, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if what == "redirect":
        await process.stdout.readline()
        figure = min([await asked(int(arguments[0]), process.pid) for _ in range(ROUNDS)])
        process.stdin.close()
    else:
        figure = float(await process.stdout.readline())
    await process.wait()
    return figure


async def asked(port: int, pid: int) -> float:
    """Requests on 16 connections; what the server took for one."""
    data, left = wire.request("GET", "/", NAVIGATION | {"Host": HOST}), iter(range(REQUESTS))

    async def client() -> None:
        _, connection = await asyncio.get_running_loop().create_connection(wire.ClientSide, HOST, port)
        for _ in left:
            await connection.exchange(data)
        connection.close()

    before = cpu_seconds(pid)
    await asyncio.gather(*(client() for _ in range(16)))
    return (cpu_seconds(pid) - before) / REQUESTS * 1e6


async def redirect(port: int) -> None:
    """The server of the first."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/x"})

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def post(port: int, folder: Path) -> None:
    """The client of the second."""
    context = node_context(folder, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    key = "0123456789abcdef"
    body = json.dumps({"UserDirectory": "BENCH", "UserId": "user", "Attributes": [{"group": f"group-{n}"} for n in range(20)]}).encode()
    url, headers = f"https://{HOST}:{port}/qps/bench/ticket?xrfkey={key}", {"X-Qlik-Xrfkey": key, "Content-Type": "application/json"}
    taken = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        for _ in range(ROUNDS):
            left, began = iter(range(REQUESTS // 2)), time.process_time()

            async def client(left: Any = left) -> None:
                for _ in left:
                    async with session.post(url, data=body, headers=headers) as answer:
                        await answer.read()

            await asyncio.gather(*(client() for _ in range(16)))
            taken.append((time.process_time() - began) / (REQUESTS // 2) * 1e6)
    sys.stdout.write(f"{min(taken)}\n")


if __name__ == "__main__":
    os.sched_setaffinity(0, {SYSTEM_CORE})
    asyncio.run(redirect(int(sys.argv[2])) if sys.argv[1] == "redirect" else post(int(sys.argv[2]), Path(sys.argv[3])))
