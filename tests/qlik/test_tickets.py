"""Tickets from a node, over real TLS: what is asked, what is made of the answers."""

import json
import re
import ssl
from collections.abc import AsyncIterator

import pytest

from gateway.demo.certificates import make_site
from gateway.errors import (
    CertificateRejected,
    GatewayError,
    NodeAnswer,
    NodeUnreachable,
    PrefixUnknown,
    ReservedDirectory,
    TargetRefused,
)
from gateway.model import QlikUser
from gateway.ports import QlikProxy
from gateway.protocol.qps import Targets, read_node, read_target
from gateway.qlik import QlikSite
from gateway.qlik.site import make_xrfkey
from tests.fakes import CountingEntropy
from tests.peers.node import NAME, TICKET, Answer, Fault, Reply, TlsNode, always, in_turn, site_certificates, ticket_reply

ALICE = QlikUser(directory="CONTOSO", user_id="alice", attributes=(("group", "a"), ("group", "b")))
TARGET_ID = "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"
UNKNOWN = Reply(500, f"Specified targetId {TARGET_ID} was unknown".encode())
TARGETS = Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/")
SITE = site_certificates()


@pytest.fixture
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
    yield prod
    await prod.close()


def proxy(site: QlikSite, node: TlsNode, prefix: str = "sales") -> QlikProxy:
    return site.proxy(read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at), prefix, TARGETS)


async def test_a_ticket_brings_the_browser_back_to_where_it_wanted_to_go(site: QlikSite) -> None:
    async with TlsNode(answers=always(ticket_reply(target_uri="https://qlik.example.com/sales/hub?a=1"))) as node:
        ticket = await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
    assert ticket.location == f"https://qlik.example.com/sales/hub?a=1&qlikTicket={TICKET}"
    assert ticket.node == f"https://{NAME}:4243/qps/"
    assert TICKET not in repr(ticket)


async def test_the_node_gets_the_documented_request(site: QlikSite) -> None:
    async with TlsNode() as node:
        await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
        await proxy(site, node, prefix="").issue_ticket(ALICE, TARGET_ID)
    first, second = node.requests
    key = first.headers["X-Qlik-Xrfkey"]
    assert re.fullmatch("[0-9A-Za-z]{16}", key)
    assert (first.method, first.path) == ("POST", f"/qps/sales/ticket?Xrfkey={key}")
    assert second.path == f"/qps/ticket?Xrfkey={second.headers['X-Qlik-Xrfkey']}"
    assert second.headers["X-Qlik-Xrfkey"] != key
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Host"] == f"{NAME}:4243"
    assert {"Cookie", "Authorization"} & set(first.headers) == set()
    assert json.loads(first.body) == {
        "UserDirectory": "CONTOSO",
        "UserId": "alice",
        "Attributes": [{"group": "a"}, {"group": "b"}],
        "TargetId": TARGET_ID,
    }


async def test_an_unknown_target_is_asked_once_more_on_the_same_node_without_it(site: QlikSite) -> None:
    async with TlsNode(answers=in_turn([UNKNOWN, ticket_reply()])) as node:
        ticket = await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
    assert ticket.location == f"https://qlik.example.com/sales/hub/?qlikTicket={TICKET}"
    bodies = [json.loads(request.body) for request in node.requests]
    assert ["TargetId" in body for body in bodies] == [True, False]
    assert node.requests[0].headers["X-Qlik-Xrfkey"] != node.requests[1].headers["X-Qlik-Xrfkey"]
    assert len(node.seen) == 1


async def test_a_node_that_knows_no_target_at_all_is_asked_twice_and_no_more(site: QlikSite) -> None:
    async with TlsNode(answers=always(UNKNOWN)) as node:
        with pytest.raises(NodeAnswer, match="was unknown") as caught:
            await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
    assert caught.value.code == "QGW-404"
    assert len(node.requests) == 2


async def test_a_target_that_is_not_listed_gets_no_ticket(site: QlikSite) -> None:
    async with TlsNode(answers=always(ticket_reply(target_uri="https://evil.example/"))) as node:
        with pytest.raises(TargetRefused) as caught:
            await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
    assert TICKET not in caught.value.detail


async def test_nobody_is_asked_for_a_user_whom_the_last_gate_refuses(site: QlikSite) -> None:
    async with TlsNode() as node:
        with pytest.raises(ReservedDirectory):
            await proxy(site, node).issue_ticket(QlikUser(directory="internal", user_id="sa_api"), TARGET_ID)
    assert node.seen == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(403, b"Forbidden"), CertificateRejected),
        (Reply(400, b"Bad Request"), PrefixUnknown),
        (Reply(500, b"<h1>Server Error</h1>"), NodeAnswer),
        (Reply(302, b"", ("Location: https://evil.example/",)), NodeAnswer),
        (Reply(201, b"not JSON"), NodeAnswer),
        (Reply(201, b"{}" + b" " * 300_000), NodeAnswer),
        (Reply(500, b"x" * 300_000), NodeAnswer),
        (Reply(201, b'{"Ticket": "x"}', ("Content-Encoding: gzip",)), None),
        (Reply(201, b'{"Ticket": "x', length=100, closes=True), NodeAnswer),
        (Reply(201, b"{}", ("X-Long: " + "a" * 20_000,)), NodeAnswer),
        (b"220 smtp.corp.example ESMTP\r\n", NodeAnswer),
        (b"HTTP/1.1 2x1 Created\r\n\r\n", NodeAnswer),
        (Fault.DROP, NodeUnreachable),
    ],
)
async def test_whatever_a_node_answers_ends_as_a_ticket_or_as_an_error_of_its_own(
    site: QlikSite, answer: Answer, error: type[GatewayError] | None
) -> None:
    async with TlsNode(answers=always(answer)) as node:
        if error is None:
            assert (await proxy(site, node).issue_ticket(ALICE, TARGET_ID)).location.endswith("=x")
        else:
            with pytest.raises(error) as caught:
                await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
            assert caught.value.code == error.code
            assert NAME in caught.value.detail
    assert len(node.requests) == 1


async def test_cookies_of_a_node_are_not_kept(site: QlikSite) -> None:
    reply = ticket_reply()
    with_cookie = Reply(201, reply.body, ("Set-Cookie: X-Qlik-Session=abc; Path=/",))
    async with TlsNode(answers=always(with_cookie)) as node:
        for _ in range(2):
            await proxy(site, node).issue_ticket(ALICE, TARGET_ID)
    assert all("Cookie" not in request.headers for request in node.requests)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_node_that_refuses_our_certificate_in_the_handshake_is_told_apart(version: ssl.TLSVersion) -> None:
    foreign = make_site([], host_of_root="other")
    prod = QlikSite(
        name="prod",
        client_certificate=foreign.client,
        client_key=foreign.client_key,
        client_key_password=None,
        ca=SITE.root,
        pins={},
        entropy=CountingEntropy(),
    )
    async with TlsNode(version=version) as node:
        with pytest.raises(CertificateRejected, match="refuses the client certificate"):
            await proxy(prod, node).issue_ticket(ALICE, TARGET_ID)
        await prod.close()
    assert node.requests == []


class RepeatingEntropy:
    """`Entropy` of one byte."""

    def __init__(self, values: list[int]) -> None:
        self.values = iter(values)

    def token(self, size: int) -> bytes:
        return bytes([next(self.values)]) * size


def test_the_xrfkey_takes_no_character_more_often_than_others() -> None:
    assert make_xrfkey(RepeatingEntropy([255, 248, 247])) == "z" * 16
    assert make_xrfkey(RepeatingEntropy([0])) == "0" * 16
