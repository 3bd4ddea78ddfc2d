"""A node that asks for the client certificate only after it has read the request, as Windows' HTTP stack does by default."""

import asyncio
import contextlib
import re
import ssl
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model import QlikUser
from gateway.protocol.qps import Targets, read_node, read_target
from gateway.qlik import QlikSite
from tests.fakes import CountingEntropy
from tests.peers.node import NAME, TICKET, Ask, TlsNode, site_certificates, ticket_reply

ALICE = QlikUser(directory="CONTOSO", user_id="alice")
TARGETS = Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/")
SITE = site_certificates()


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[QlikSite]:
    prod = QlikSite(
        name="prod",
        client_certificate=SITE.client,
        client_key=SITE.client_key,
        client_key_password=None,
        ca=SITE.root,
        pins={},
        entropy=CountingEntropy(),
    )
    try:
        yield prod
    finally:
        await prod.close()


async def test_in_tls_1_3_the_certificate_is_given_after_the_handshake_and_once() -> None:
    async with TlsNode(ask=Ask.LATE, version=ssl.TLSVersion.TLSv1_3) as node, site() as prod:
        proxy = prod.proxy(read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at), "sales", TARGETS)
        for _ in range(3):
            ticket = await proxy.issue_ticket(ALICE, "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c")
            assert ticket.location.endswith(TICKET)
    (seen,) = node.seen
    assert seen.version == "TLSv1.3"
    assert seen.certificate == ssl.PEM_cert_to_DER_cert(SITE.client.decode())
    assert len(seen.requests) == 3


@pytest.mark.needs("openssl")  # Python's ssl cannot ask for a renegotiation; OpenSSL's own server can
async def test_in_tls_1_2_the_certificate_is_given_in_a_renegotiation(tmp_path: Path) -> None:
    async with openssl_server(tmp_path) as (server, port), site() as prod:
        node = read_node(f"https://{NAME}:4243/qps/", reach_at=f"https://127.0.0.1:{port}/qps/")
        waiting = asyncio.create_task(prod.proxy(node, "sales", TARGETS).issue_ticket(ALICE, "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"))
        before = await until(server, b'"TargetId"')
        assert b"CertificateVerify" not in before
        say(server, b"R\n")  # renegotiate, and ask for a certificate this time
        after = await until(server, b"CertificateRequest", b"CertificateVerify", b"], Finished", b"], Finished")
        sent = re.search(rb"<<< TLS 1.2, Handshake \[length ([0-9a-f]+)\], Certificate\n", after)
        assert sent is not None
        assert int(sent[1], 16) > len(ssl.PEM_cert_to_DER_cert(SITE.client.decode()))
        say(server, ticket_reply(target_uri="https://qlik.example.com/hub").encode())
        assert (await waiting).location == f"https://qlik.example.com/hub?qlikTicket={TICKET}"


@contextlib.asynccontextmanager
async def openssl_server(folder: Path) -> AsyncIterator[tuple[Process, int]]:
    for name, content in {"node.pem": b"".join(SITE.servers[NAME]), "client.pem": SITE.client}.items():
        (folder / name).write_bytes(content)
    options = "-accept 127.0.0.1:0 -tls1_2 -cert node.pem -CAfile client.pem -partial_chain -verify_return_error"
    options += " -naccept 1 -no_ticket -no_cache -msg"  # every message is told, and nothing is resumed
    server = await asyncio.create_subprocess_exec(
        "openssl", "s_server", *options.split(), stdin=PIPE, stdout=PIPE, stderr=STDOUT, cwd=folder
    )
    try:
        told = await until(server, b"ACCEPT ", b"\n")
        yield server, int(told.rpartition(b"ACCEPT ")[2].rpartition(b":")[2])
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.communicate()


async def until(server: Process, *marks: bytes) -> bytes:
    """What the server tells, up to the marks in this order."""
    assert server.stdout is not None
    told = b""
    async with asyncio.timeout(20):
        for mark in marks:
            told += await server.stdout.readuntil(mark)
    return told


def say(server: Process, data: bytes) -> None:
    assert server.stdin is not None
    server.stdin.write(data)
