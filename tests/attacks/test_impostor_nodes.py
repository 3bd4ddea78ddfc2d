"""Nodes that are not what they say: whoever listens there must receive neither the client certificate nor a request.

Each impostor is the good node with the one change that its name states, in TLS 1.2 and 1.3, asking for the client
certificate in the handshake, and once more without asking. What counts is what the impostor's side has seen.
"""

import asyncio
import functools
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from gateway.demo.certificates import Pair, make_site, make_web
from gateway.errors import NodeNotVerified
from gateway.model import QlikUser
from gateway.protocol.qps import Node, Targets, read_node, read_target
from gateway.qlik import MaterialProblem, QlikSite
from tests.fakes import CountingEntropy
from tests.peers.node import NAME, Ask, TlsNode, other_site_certificates, site_certificates

ALICE = QlikUser(directory="CONTOSO", user_id="alice")
TARGETS = Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/")
TARGET_ID = "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"
SITE = site_certificates()


def site(pins: dict[str, bytes] | None = None, *, ca: bytes | None = SITE.root) -> QlikSite:
    return QlikSite(
        name="prod",
        client_certificate=SITE.client,
        client_key=SITE.client_key,
        client_key_password=None,
        ca=ca,
        pins=pins or {},
        entropy=CountingEntropy(),
    )


def named(reach_at: str) -> tuple[QlikSite, Node]:
    """The usual case: the node is told by its name, under the site's root."""
    return site(), read_node(f"https://{NAME}:4243/qps/", reach_at=reach_at)


def addressed(reach_at: str) -> tuple[QlikSite, Node]:
    """A node that goes by its address, under the site's root."""
    return site(), read_node(reach_at)


def pinned(reach_at: str) -> tuple[QlikSite, Node]:
    """A node whose own certificate is pinned."""
    node = read_node(f"https://{NAME}:4243/qps/", reach_at=reach_at)
    return site({node.name: SITE.servers[NAME][0]}, ca=None), node


def pinned_address(reach_at: str) -> tuple[QlikSite, Node]:
    """Likewise, by its address."""
    node = read_node(reach_at)
    return site({node.name: SITE.servers["127.0.0.1"][0]}, ca=None), node


def forged(name: str, issuer_name: x509.Name, issuer_key: rsa.RSAPrivateKey, *, ca: bool = False) -> tuple[bytes, rsa.RSAPrivateKey]:
    """A certificate that somebody outside the QMC signed."""
    key = issuer_key if ca else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer_name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM), key


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def self_signed(name: str) -> Pair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate, _ = forged(name, subject, key, ca=True)
    return certificate, pem(key)


def under_a_look_alike_root(name: str) -> Pair:
    """The attacker's own root has the same name as the site's, is a proper CA, and comes along in the chain."""
    root_name = x509.load_pem_x509_certificate(SITE.root).subject
    root_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    common_name = str(root_name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    root, _ = forged(common_name, root_name, root_key, ca=True)
    leaf, key = forged(name, root_name, root_key)
    return leaf + root, pem(key)


def under_another_nodes_certificate(name: str) -> Pair:
    """Whoever owns one node signs a certificate for another with that node's key."""
    certificate, key = SITE.servers["QLIK_1"]
    issuer_key = load_pem_private_key(key, None)
    assert isinstance(issuer_key, rsa.RSAPrivateKey)
    leaf, leaf_key = forged(name, x509.load_pem_x509_certificate(certificate).subject, issuer_key)
    return leaf + certificate, pem(leaf_key)


IMPOSTORS = {
    "the root of another site": lambda name: make_site([name], host_of_root="other").servers[name],
    "a root of the same name with another key": lambda name: make_site([name], host_of_root="qlik1").servers[name],
    "a look-alike root that comes along": under_a_look_alike_root,
    "signed by another node of the site": under_another_nodes_certificate,
    "signed by itself": self_signed,
    "an ordinary CA": lambda name: make_web([name]).servers[name],
    "another node of the site": lambda _name: SITE.servers["QLIK_1"],
    "a wildcard": lambda _name: SITE.servers["*.corp.example"],
    "the client certificate": lambda _name: (SITE.client, SITE.client_key),
}


@functools.cache
def impostor_pair(impostor: str, name: str) -> Pair:
    return IMPOSTORS[impostor](name)


TRUSTS = {
    "named": (named, NAME),
    "addressed": (addressed, "127.0.0.1"),
    "pinned": (pinned, NAME),
    "pinned address": (pinned_address, "127.0.0.1"),
}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
CERTIFICATE_DER = x509.load_pem_x509_certificate(SITE.client).public_bytes(Encoding.DER)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trust", TRUSTS)
async def test_the_good_node_that_all_impostors_are_derived_from(trust: str, version: ssl.TLSVersion) -> None:
    connect, name = TRUSTS[trust]
    async with TlsNode(SITE.servers[name], version=version) as node:
        prod, route = connect(node.reach_at)
        await prod.proxy(route, "sales", TARGETS).issue_ticket(ALICE, TARGET_ID)
        await prod.close()
        await node.settled()
    (seen,) = node.seen
    assert seen.certificate == CERTIFICATE_DER
    assert len(seen.requests) == 1
    assert (CERTIFICATE_DER in seen.wire) is (version is ssl.TLSVersion.TLSv1_2), (
        "TLS 1.2 shows certificates in clear: the tests below look there"
    )


@pytest.mark.parametrize("ask", [Ask.IN_HANDSHAKE, Ask.NEVER])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trust", TRUSTS)
@pytest.mark.parametrize("impostor", IMPOSTORS)
async def test_an_impostor_receives_neither_certificate_nor_request(impostor: str, trust: str, version: ssl.TLSVersion, ask: Ask) -> None:
    connect, name = TRUSTS[trust]
    async with TlsNode(impostor_pair(impostor, name), version=version, ask=ask) as node:
        await assert_nothing_is_given_away(connect(node.reach_at), node)


async def test_a_node_of_the_site_is_an_impostor_where_another_one_is_pinned() -> None:
    async with TlsNode(SITE.servers["QLIK_1"]) as node:
        route = read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at)
        await assert_nothing_is_given_away((site({route.name: SITE.servers[NAME][0]}), route), node)


async def test_another_sites_node_is_an_impostor_even_with_the_right_name() -> None:
    async with TlsNode(other_site_certificates().servers[NAME]) as node:
        await assert_nothing_is_given_away(named(node.reach_at), node)


async def test_a_listener_without_tls_learns_nothing() -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(65536))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        prod, route = named(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/qps/")
        with pytest.raises(NodeNotVerified):
            await prod.proxy(route, "sales", TARGETS).issue_ticket(ALICE, TARGET_ID)
        await prod.close()
    assert b"POST" not in heard
    assert b"alice" not in heard
    assert CERTIFICATE_DER not in heard


def test_no_node_can_be_told_by_the_name_of_the_client_certificate() -> None:
    with pytest.raises(ValueError, match="client certificate"):
        read_node(f"https://{NAME}:4243/qps/", server_name="QlikClient")


def test_no_node_can_be_told_by_whatever_name_our_client_certificate_bears() -> None:
    certificate, key = SITE.servers["QLIK_1"]
    prod = QlikSite(
        name="prod",
        client_certificate=certificate,
        client_key=key,
        client_key_password=None,
        ca=SITE.root,
        pins={},
        entropy=CountingEntropy(),
    )
    with pytest.raises(MaterialProblem) as caught:
        prod.proxy(read_node(f"https://{NAME}:4243/qps/", server_name="qlik_1"), "sales", TARGETS)
    assert caught.value.setting == "server_name"


async def assert_nothing_is_given_away(connection: tuple[QlikSite, Node], node: TlsNode) -> None:
    prod, route = connection
    with pytest.raises(NodeNotVerified) as caught:
        await prod.proxy(route, "sales", TARGETS).issue_ticket(ALICE, TARGET_ID)
    assert caught.value.code == "QGW-402"
    assert caught.value.status == 502
    assert route.name in caught.value.detail
    await prod.close()
    await node.settled()
    (seen,) = node.seen
    assert not seen.handshake
    assert seen.certificate is None
    assert seen.requests == []
    assert seen.said == b""
    assert CERTIFICATE_DER not in seen.wire
