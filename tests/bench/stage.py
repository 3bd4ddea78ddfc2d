"""All that surrounds a system under test: keys and certificates, the identity provider and the Qlik proxy, served on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.demo.certificates import make_site, make_web
from tests.bench import wire
from tests.bench.identity_provider import IdentityProvider
from tests.bench.qlik_stand_in import QlikStandIn
from tests.bench.signing import Signing, by_rsa
from tests.ports import unused_port

HOST = "127.0.0.1"
QLIK_HOST = "https://qlik.example.com"
NODE = "https://qlik1.corp.example:4243/qps/"
"""How the node names itself in `proxyRestUri`."""
NODE_NAME = "qlik1.corp.example"


@dataclass(slots=True)
class Stage:
    """The surroundings while they run. `folder` holds the certificates and keys that systems under test are given."""

    folder: Path
    provider: IdentityProvider
    qlik: QlikStandIn
    qlik_port: int
    connections: Counter[str]
    servers: list[asyncio.Server]

    async def close(self) -> None:
        for server in self.servers:
            server.close()


async def open_stage(folder: Path, *, groups: int, signing: Signing | None = None) -> Stage:
    """Write what systems need into `folder`, and serve. `signing` None: by RSA."""
    signing = signing or by_rsa()
    provider_port, qlik_port = unused_port(), unused_port()
    provider = IdentityProvider(f"https://{HOST}:{provider_port}", signing, group_names(groups))
    qlik = QlikStandIn(target=f"{QLIK_HOST}/bench/hub/")
    front, node = write_certificates(folder)
    (folder / "idp.crt").write_bytes(signing.certificate.public_bytes(Encoding.PEM))
    (folder / "idp-metadata.xml").write_text(provider.metadata)
    (folder / "jwks.json").write_bytes(provider.jwks)
    loop, connections = asyncio.get_running_loop(), Counter[str]()
    servers = [
        await loop.create_server(partial(wire.ServerSide, serve, connections, name), HOST, port, ssl=context, backlog=1024)
        for name, serve, port, context in (("provider", provider.serve, provider_port, front), ("qlik", qlik.serve, qlik_port, node))
    ]
    return Stage(folder, provider, qlik, qlik_port, connections, servers)


def group_names(number: int) -> list[str]:
    """Groups that the mapping passes on; the first lets its members in."""
    return ["qlik-users", *(f"qlik-group-{one:04}" for one in range(1, number))]


def write_certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The provider's front (P-256: cheap handshakes for the driver) and the node's (RSA 2048 and a client certificate, as Qlik's are)."""
    web, site = make_web([HOST]), make_site([NODE_NAME], host_of_root="qlik1")
    files = {"ca.crt": web.ca, "root.pem": site.root, "client.pem": site.client, "client_key.pem": site.client_key}
    for name, (certificate, key) in (("front", web.servers[HOST]), ("node", site.servers[NODE_NAME])):
        files |= {f"{name}.crt": certificate, f"{name}.key": key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    front, node = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    front.load_cert_chain(folder / "front.crt", folder / "front.key")
    node.load_cert_chain(folder / "node.crt", folder / "node.key")
    node.load_verify_locations(folder / "client.pem")  # Qlik's root bears no BasicConstraints, which OpenSSL takes for no CA
    node.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    node.verify_mode = ssl.CERT_REQUIRED
    return front, node
