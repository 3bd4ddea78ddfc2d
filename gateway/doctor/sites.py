"""Qlik sites: each node as a ticket would reach it, and each virtual proxy there. Nothing is changed: no ticket, no session."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from gateway.config.settings import SiteSettings, VirtualProxySettings
from gateway.doctor.network import look_up, place, shown_certificate
from gateway.doctor.notes import Notes, ahead
from gateway.errors import NodeUnreachable, PrefixUnknown
from gateway.protocol import qps
from gateway.qlik import QlikSite, site_expiries

CLOCK_SKEW: Final = timedelta(minutes=2)
"""Qlik Sense compares no time with us; a clock that is further off spoils the reading of logs, and its certificates' dates."""
_QMC: Final = "renew the site's certificates in the QMC and export them again"


def examine_certificates(notes: Notes, settings: SiteSettings) -> None:
    """The ends of what the QMC exported."""
    for expiry in site_expiries(client_certificate=settings.client_certificate, ca=settings.ca, pins=settings.pins):
        notes.certificate(expiry.setting, expiry.subject, expiry.not_after, _QMC)


async def examine_node(notes: Notes, site: QlikSite, node: qps.Node, virtual_proxies: Iterable[VirtualProxySettings]) -> None:
    """Name, mutual TLS, each virtual proxy, certificate, clock. Raises `Ended`."""
    found = await look_up(notes, node.reach_at, NodeUnreachable)
    clock: timedelta | None = None
    for virtual_proxy in virtual_proxies:
        clock = await _ask(notes, site, node, virtual_proxy)
    async with notes.step("certificate", NodeUnreachable):
        try:
            shown = await shown_certificate(found[0], place(node.reach_at)[1], site.context(node), node.server_name)
        except OSError as error:
            raise NodeUnreachable(f"{node.server_name}: a second handshake failed: {type(error).__name__}") from error
    notes.certificate("certificate", f"the certificate of {node.server_name}", shown.not_valid_after_utc, _QMC)
    notes.clocks(clock, CLOCK_SKEW)


async def _ask(notes: Notes, site: QlikSite, node: qps.Node, virtual_proxy: VirtualProxySettings) -> timedelta | None:
    """How far ahead the node's clock is. One virtual proxy that it does not know says nothing of the others."""
    step = f"virtual proxy {virtual_proxy.name}"
    async with notes.step(step, NodeUnreachable):
        asked = notes.clock.now()
        answer = await site.probe(node, virtual_proxy.prefix)
        clock = ahead(answer, asked, notes.clock.now())
        try:
            qps.check_probe(answer)
        except PrefixUnknown as error:
            notes.refuse(step, error)
            return clock
    notes.ok(step, "answers, and takes the client certificate")
    return clock
