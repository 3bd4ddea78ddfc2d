"""A simulated Qlik Sense site: nodes with a browser's face and a REST face by mutual TLS, for `qlikgw demo` and the tests.

Written from Qlik's public help pages and from what public clients of the Qlik Sense Proxy Service rely on. Every behaviour
names where it comes from, with a label: [D] documented by Qlik, [C] seen in public code or reports, [I] inferred, because
nothing public says. `docs/simulator.md` lists them all. It shares no code with `gateway.protocol.qps` or `gateway.qlik`,
so that a misreading there cannot agree with itself here.
"""

from gateway.demo.site.faults import Fault, Faults
from gateway.demo.site.node import Node, VirtualProxy
from gateway.demo.site.simulator import QlikSimulator
from gateway.demo.site.tls import RestTls

__all__ = ["Fault", "Faults", "Node", "QlikSimulator", "RestTls", "VirtualProxy"]
