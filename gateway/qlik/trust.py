"""The TLS contexts of one site: what a node has to prove before it sees the client certificate.

Everything is decided inside the handshake, by OpenSSL, in TLS 1.2 and 1.3 alike: the chain leads to the site's root (or is
the pinned certificate itself), and the certificate bears the node's name as a whole. Only then does OpenSSL answer the
node's wish for a client certificate. The reasons are in docs/decisions/0003-trust-anchor-of-the-qlik-site.md.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from _ssl import HOSTFLAG_NO_WILDCARDS
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.protocol.qps import Node
from gateway.qlik.material import ClientIdentity, MaterialProblem, bears, is_address, is_ordinary_ca
from gateway.qlik.resumption import ResumingContext

_Build = Callable[[Node], ResumingContext]
_CERT_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class SiteTrust:
    """Builds each context of a site once: one for all nodes under `ca`, one per pinned node, one per node named by an address."""

    def __init__(self, *, client: ClientIdentity, roots: tuple[x509.Certificate, ...], pins: Mapping[str, x509.Certificate]) -> None:
        self._client = client
        self._roots = roots
        self._pins = pins
        self._contexts: dict[str, ResumingContext] = {}
        self._of_node: dict[Node, ResumingContext] = {}

    def context(self, node: Node) -> ResumingContext:
        """The context for connections to `node`. Raises `MaterialProblem`."""
        if node not in self._of_node:
            self._of_node[node] = self._find(node)
        return self._of_node[node]

    def _find(self, node: Node) -> ResumingContext:
        self._check_name(node)
        if node.name in self._pins:
            return self._once(f"pin {node.name}", self._pinned, node)
        if not self._roots:
            raise MaterialProblem("ca", "without the site's `ca` every node needs a `server_certificate`", node=node.name)
        if is_address(node.server_name) and not any(is_ordinary_ca(root) for root in self._roots):
            return self._once(f"address {node.server_name}", self._addressed, node)
        return self._once("site", self._named, node)

    def _check_name(self, node: Node) -> None:
        """A client certificate must never pass for a node: it is in many hands, and every site's bears the same name."""
        if node.server_name.lower() in self._client.names:
            raise MaterialProblem("server_name", f"{node.server_name} is the name in `client_certificate`, no node's", node=node.name)

    def _once(self, key: str, build: _Build, node: Node) -> ResumingContext:
        if key not in self._contexts:
            self._contexts[key] = build(node)
        return self._contexts[key]

    def _named(self, _node: Node) -> ResumingContext:
        return self._build(trust_anchor(root) for root in self._roots)

    def _addressed(self, node: Node) -> ResumingContext:
        """OpenSSL looks for an address in the subjectAltName only, which Qlik's certificates lack.

        So the anchor itself is narrowed to this one subject (RFC 5280 §4.2.1.10), and the name is checked with the chain.
        """
        context = self._build(trust_anchor(root, only=node.server_name) for root in self._roots)
        context.check_hostname = False
        return context

    def _pinned(self, node: Node) -> ResumingContext:
        """The one certificate that is trusted has its name checked here and now, and again in every handshake where OpenSSL can."""
        pin = self._pins[node.name]
        if not bears(pin, node.server_name):
            subject = pin.subject.rfc4514_string()
            raise MaterialProblem(
                "server_certificate", f"it is for {subject}, not for {node.server_name}: set `server_name`", node=node.name
            )
        context = self._build([pin])
        if is_address(node.server_name):
            context.check_hostname = False
        return context

    def _build(self, anchors: Iterable[x509.Certificate]) -> ResumingContext:
        context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)  # with CERT_REQUIRED and check_hostname
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata=b"".join(anchor.public_bytes(Encoding.DER) for anchor in anchors))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an anchor need not be signed by itself: it is trusted by being there
        context.hostname_checks_common_name = True
        context._host_flags |= HOSTFLAG_NO_WILDCARDS  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public switch
        context.post_handshake_auth = True
        with as_file(self._client.pem) as path:
            context.load_cert_chain(path)
        return context


def trust_anchor(root: x509.Certificate, *, only: str | None = None) -> x509.Certificate:
    """The root as OpenSSL accepts it: same name, same key, same serial number and key identifier, but a CA.

    A trust anchor is a name and a key (RFC 5280 §6.1.1 d); who signed it is never looked at, so a key made for this
    moment does. It may issue nodes' certificates and no further CA. `only`: for that common name alone.
    """
    if is_ordinary_ca(root):
        return root
    builder = (
        x509.CertificateBuilder(subject_name=root.subject, issuer_name=root.subject, public_key=root.public_key())
        .serial_number(root.serial_number)
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CERT_SIGN, critical=True)
    )
    for extension in root.extensions:
        if isinstance(extension.value, x509.SubjectKeyIdentifier):
            builder = builder.add_extension(extension.value, critical=False)
    if only is not None:
        subject = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, only)]))
        builder = builder.add_extension(x509.NameConstraints(permitted_subtrees=[subject], excluded_subtrees=None), critical=True)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


@contextmanager
def as_file(content: bytes) -> Iterator[str]:
    """A path for a library that reads keys from files only. On Linux the file exists in memory alone, and only while it is open."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
    else:
        with tempfile.TemporaryDirectory(prefix="qlikgw-") as folder:  # for its owner only
            path = Path(folder) / "client.pem"
            path.write_bytes(content)
            yield str(path)
