"""What is valid and probably not meant: nothing is wrong with it, and it will not do what somebody hopes.

Like the linter's findings these are warnings, told when nothing is wrong any more. What only shows in named files
(keys that everybody may read, a client certificate of another site) is told where those are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from gateway.config.diagnostics import Code, Severity
from gateway.config.document import Document
from gateway.config.tree import Scalar, Section
from gateway.protocol.qps import read_node

SERVICE = "/qps"
"""Where every proxy's REST interface is (Qlik "Proxy API")."""
SMALLEST_PREFIX = {4: 8, 6: 32}
"""Bits of a network that may be one organisation's: 10.0.0.0/8, and what providers are given (RFC 6177 and registries' rules)."""


def tell_oversights(gateway: Document, providers: Mapping[str, Document]) -> None:
    """Report what is found as warnings."""
    prefixes: dict[str | None, set[str]] = {}
    for name, virtual_proxy in gateway.root.sections("virtual_proxies"):
        own = virtual_proxy.get("prefix")
        prefixes.setdefault(virtual_proxy.text("site"), set()).add(str(own.value) if isinstance(own, Scalar) else name)
    for name, site in gateway.root.sections("qlik_sites"):
        for node in site.items("nodes"):
            if isinstance(node, Section):
                _check_node(gateway, node, prefixes.get(name, set()))
    for network in gateway.root.items("trusted_proxies"):
        if isinstance(network, Scalar):
            _check_proxies(gateway, network)
    _check_offered(gateway, providers)


def _check_proxies(gateway: Document, network: Scalar) -> None:
    """Whoever is in the network writes any address into X-Forwarded-For: into the log, and into what limits and network_defaults go by."""
    members = ip_network(str(network.value))
    if members.prefixlen < SMALLEST_PREFIX[members.version]:
        message = f"every client in {members} is believed whatever it writes into X-Forwarded-For"
        gateway.report(
            Code.TRUSTED_CROWD, network, message, "name the proxies alone: addresses, or their own network", severity=Severity.WARNING
        )


def _check_node(gateway: Document, node: Section, prefixes: set[str]) -> None:
    """A node is named as for the default virtual proxy: the gateway adds each prefix itself."""
    for key in ("proxy_rest_uri", "reach_at"):
        place = node.scalar(key)
        if place is None:
            continue
        path = read_node(str(place.value)).path
        base, _, last = path.rpartition("/")
        if path != SERVICE and (path.startswith(f"{SERVICE}/") or last in prefixes):
            message = f"'{last}' at the end looks like a virtual proxy's prefix, which the gateway adds itself"
            gateway.report(Code.PREFIXED_NODE, place, message, f"end it with {base or SERVICE}/", severity=Severity.WARNING)


def _check_offered(gateway: Document, providers: Mapping[str, Document]) -> None:
    offered = {
        str(item.value)
        for _, virtual_proxy in gateway.root.sections("virtual_proxies")
        for item in virtual_proxy.items("identity_providers")
        if isinstance(item, Scalar)
    }
    for name, document in providers.items():
        if name not in offered:
            hint = f"add {name} to the identity_providers of a virtual proxy, or take the file out"
            document.report(Code.UNUSED, None, "no virtual proxy offers this identity provider", hint, severity=Severity.WARNING)
