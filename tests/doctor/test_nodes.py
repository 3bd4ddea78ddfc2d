"""One node, over real TLS: what it is asked, and what its answers mean."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

import pytest

from gateway.config.settings import VirtualProxySettings
from gateway.demo.certificates import SiteCertificates, make_site
from gateway.doctor.notes import Ended, Notes
from gateway.doctor.sites import examine_node
from gateway.protocol.qps import Node, Targets, read_node, read_target
from gateway.qlik import QlikSite
from tests.fakes import CountingEntropy, FixedClock
from tests.peers.node import NAME, Answer, Fault, Reply, TlsNode, always, site_certificates

SITE = site_certificates()
SALES = VirtualProxySettings(
    name="sales",
    site="prod",
    prefix="sales",
    targets=Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/"),
    identity_providers=("entra",),
)


def site(client: SiteCertificates = SITE) -> QlikSite:
    return QlikSite(
        name="prod",
        client_certificate=client.client,
        client_key=client.client_key,
        client_key_password=None,
        ca=SITE.root,
        pins={},
        entropy=CountingEntropy(),
    )


async def looked_at(node: TlsNode, prod: QlikSite, *, name: str = NAME) -> Notes:
    notes = Notes("node", FixedClock(datetime.now(UTC)))
    described: Node = read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at, server_name=name)
    try:
        await examine_node(notes, prod, described, [SALES])
    except Ended:
        pass
    finally:
        await prod.close()
    return notes


async def test_it_is_asked_for_the_sessions_of_nobody_and_nothing_else() -> None:
    """Qlik "Get user": read-only, with the key in query and header."""
    async with TlsNode(answers=always(Reply(200, b"[]"))) as node:
        await looked_at(node, site())
    (request,) = node.requests
    key = request.headers["X-Qlik-Xrfkey"]
    assert re.fullmatch("[0-9A-Za-z]{16}", key)
    assert (request.method, request.path) == ("GET", f"/qps/sales/user/QLIKGW-DOCTOR/nobody?Xrfkey={key}")
    assert request.headers["Host"] == f"{NAME}:4243"
    assert not request.body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Reply(200, b"[]"), None),
        (Reply(204), None),
        (Reply(404, b"No sessions"), None),
        (Reply(403, b"Forbidden"), "QGW-403"),
        (Reply(400, b"Bad Request"), "QGW-405"),
        (Reply(500, b"<h1>Server Error</h1>"), "QGW-404"),
        (Reply(302, b"", ("Location: https://evil.example/",)), "QGW-404"),
        (b"220 smtp.corp.example ESMTP\r\n", "QGW-404"),
        (Fault.DROP, "QGW-401"),
    ],
)
async def test_what_its_answer_means(answer: Answer, code: str | None) -> None:
    async with TlsNode(answers=always(answer)) as node:
        notes = await looked_at(node, site())
    (found,) = (finding for finding in notes.findings if finding.step == "virtual proxy sales")
    assert found.code == code
    assert (found.hint is None) == (code is None)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_of_another_site_is_refused_and_told(version: ssl.TLSVersion) -> None:
    async with TlsNode(version=version) as node:
        notes = await looked_at(node, site(make_site([], host_of_root="other")))
    assert node.requests == []
    assert [finding.code for finding in notes.findings] == [None, "QGW-403"]
    assert "certs/README.md" in str(notes.findings[-1].hint)


async def test_a_node_under_another_name_is_told_which_setting_helps() -> None:
    async with TlsNode() as node:
        notes = await looked_at(node, site(), name="qlik9.corp.example")
    assert node.requests == []
    assert notes.findings[-1].code == "QGW-402"
    assert "server_name" in str(notes.findings[-1].hint)
