"""The Qlik leg against the simulated site, which was written from public sources and shares no code with it."""

import re
import ssl

import pytest

from gateway.demo.site import QlikSimulator, RestTls
from gateway.errors import PrefixUnknown
from gateway.model import QlikUser
from gateway.protocol.qps import Targets, read_node, read_target
from gateway.qlik import QlikSite
from tests.fakes import CountingEntropy, FixedClock
from tests.peers.node import NAME, site_certificates

SITE = site_certificates()
ALICE = QlikUser(directory="CONTOSO", user_id="alice", attributes=(("group", "a"), ("group", "ü; =")))
TARGETS = Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/")


@pytest.mark.parametrize(
    "tls",
    [RestTls(version=ssl.TLSVersion.TLSv1_2), RestTls(version=ssl.TLSVersion.TLSv1_3), RestTls(version=ssl.TLSVersion.TLSv1_3, late=True)],
)
async def test_every_node_gives_tickets_for_its_virtual_proxies_and_no_other(tls: RestTls) -> None:
    nodes = (NAME, "127.0.0.1")
    site = QlikSite(
        name="prod",
        client_certificate=SITE.client,
        client_key=SITE.client_key,
        client_key_password=None,
        ca=SITE.root,
        pins={},
        entropy=CountingEntropy(),
    )
    async with QlikSimulator(clock=FixedClock(), nodes=nodes, virtual_proxies={"sales": "", "": ""}, certificates=SITE, tls=tls) as qlik:
        for name in nodes:
            port = qlik.node(name).rest_port
            route = read_node(f"https://{name}:{port}/qps/", reach_at=f"https://127.0.0.1:{port}/qps/")
            for prefix in ("sales", ""):
                ticket = await site.proxy(route, prefix, TARGETS).issue_ticket(ALICE, "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c")
                assert re.fullmatch(r"https://qlik\.example\.com/sales/hub/\?qlikTicket=\S{16}", ticket.location)
            with pytest.raises(PrefixUnknown):
                await site.proxy(route, "finance", TARGETS).issue_ticket(ALICE, "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c")
            assert qlik.node(name).counters["tickets_issued"] == 2
            assert qlik.node(name).counters["targets_unknown"] == 2
            assert qlik.node(name).counters["rest_connections"] == 1
        await site.close()
