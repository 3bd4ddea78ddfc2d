"""Rules for what the QMC exported: a site's certificates and keys parse, match each other, and belong to its nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from cryptography.x509 import Certificate

from gateway.config.certificates import report_validity
from gateway.config.diagnostics import Code, Severity
from gateway.config.document import Document
from gateway.config.named import NamedFiles
from gateway.config.tree import Node, Section
from gateway.protocol import qps
from gateway.qlik import MaterialProblem, site_expiries
from gateway.qlik.material import ClientIdentity, issued_by, read_client, read_pin, read_roots
from gateway.qlik.trust import SiteTrust

T = TypeVar("T")


def check_site(document: Document, site: Section, named: NamedFiles, now: datetime) -> None:
    """Report every problem of one site's certificates and keys."""
    check = _SiteCheck(document, site, named)
    check.client()
    check.roots()
    check.lineage()
    check.pins()
    check.nodes()
    check.validity(now)


@dataclass(slots=True)
class _SiteCheck:
    """What could be read of a site so far; `complete` until something could not."""

    document: Document
    site: Section
    named: NamedFiles
    complete: bool = True
    places: dict[str, Section] = field(default_factory=dict)
    client_pem: bytes = b""
    identity: ClientIdentity | None = None
    ca: bytes | None = None
    roots_read: tuple[Certificate, ...] = ()
    pins_pem: dict[str, bytes] = field(default_factory=dict)
    pins_read: dict[str, Certificate] = field(default_factory=dict)
    qlik_nodes: list[qps.Node] = field(default_factory=list)

    def client(self) -> None:
        certificate = self.named.content(self.site.get("client_certificate"))
        key = self.named.private(self.site.get("client_key"))
        reference = self.site.get("client_key_password")
        password = self.named.secret(reference)
        if certificate is None or key is None or (reference is not None and password is None):
            self.complete = False
            return
        self.client_pem = certificate
        self.identity = self._read(lambda: read_client(certificate, key, password))

    def roots(self) -> None:
        place = self.site.get("ca")
        self.ca = content = self.named.content(place)
        if content is not None:
            self.roots_read = self._read(lambda: read_roots(content)) or ()
        self.complete = self.complete and (place is None or content is not None)

    def lineage(self) -> None:
        """The client certificate is of the root that is named: files of two exports look alike."""
        if self.identity is not None and self.roots_read and not issued_by(self.client_pem, self.roots_read):
            message, hint = "the certificate in `ca` did not issue this one: the nodes will refuse it", "take all files from one export"
            place = self.site.get("client_certificate")
            self.document.report(Code.FOREIGN_CERTIFICATE, place, message, hint, severity=Severity.WARNING)

    def pins(self) -> None:
        for section in self.site.items("nodes"):
            node = _node(section)
            if node is None or not isinstance(section, Section):
                self.complete = False
                continue
            self.qlik_nodes.append(node)
            self.places[node.name] = section
            place = section.get("server_certificate")
            content = self.named.content(place)
            if content is not None:
                self._pin(node.name, content)
            self.complete = self.complete and (place is None or content is not None)

    def _pin(self, name: str, content: bytes) -> None:
        certificate = self._read(lambda: read_pin(content, node=name))
        if certificate is not None:
            self.pins_pem[name], self.pins_read[name] = content, certificate

    def nodes(self) -> None:
        """What only shows when everything is put together: names against certificates."""
        if not self.complete or self.identity is None or not (self.ca or self.pins_pem):
            return
        trust = SiteTrust(client=self.identity, roots=self.roots_read, pins=self.pins_read)
        for node in self.qlik_nodes:
            if self.ca or node.name in self.pins_pem:
                self._read(partial(trust.context, node))

    def validity(self, now: datetime) -> None:
        if not self.complete:
            return
        for expiry in site_expiries(client_certificate=self.client_pem, ca=self.ca, pins=self.pins_pem):
            report_validity(self.document, self._place(expiry.setting, expiry.node), expiry.problem(now), expiry.not_after, now)

    def _read(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except MaterialProblem as problem:
            self.document.report(Code.MATERIAL, self._place(problem.setting, problem.node), str(problem))
            self.complete = False
            return None

    def _place(self, setting: str, node: str | None) -> Node | None:
        """Where a setting stands: at the node, at the site, or, where it is absent, what it belongs to."""
        section = self.places.get(node or "", self.site)
        return section.get(setting) or section.get("proxy_rest_uri") or self.site.get(setting) or self.site.get("client_key")


def _node(section: Node) -> qps.Node | None:
    if not isinstance(section, Section) or (uri := section.text("proxy_rest_uri")) is None:
        return None
    try:
        return qps.read_node(uri, reach_at=section.text("reach_at"), server_name=section.text("server_name"))
    except ValueError:
        return None
