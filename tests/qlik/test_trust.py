"""What a genuine node has to present, and how the contexts are built."""

import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.demo.certificates import Pair, WebCertificates, make_site, make_web
from gateway.errors import NodeNotVerified
from gateway.model import QlikUser
from gateway.protocol.qps import Node, Targets, read_node, read_target
from gateway.qlik import QlikSite
from gateway.qlik.material import read_client, read_roots
from gateway.qlik.trust import SiteTrust, trust_anchor
from tests.fakes import CountingEntropy
from tests.peers.node import NAME, TICKET, TlsNode, site_certificates

ALICE = QlikUser(directory="CONTOSO", user_id="alice")
TARGETS = Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/")
SITE = site_certificates()
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


async def ask(route: Node, ca: bytes | None = SITE.root, pins: dict[str, bytes] | None = None) -> str:
    site = QlikSite(
        name="prod",
        client_certificate=SITE.client,
        client_key=SITE.client_key,
        client_key_password=None,
        ca=ca,
        pins=pins or {},
        entropy=CountingEntropy(),
    )
    try:
        return (await site.proxy(route, "sales", TARGETS).issue_ticket(ALICE, "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c")).location
    finally:
        await site.close()


def trust(*nodes: Node) -> tuple[SiteTrust, list[ssl.SSLContext]]:
    built = SiteTrust(client=read_client(SITE.client, SITE.client_key, None), roots=read_roots(SITE.root), pins={})
    return built, [built.context(node) for node in nodes]


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("presented", "expected"),
    [(NAME, NAME), (NAME, NAME.upper()), ("QLIK_1", "QLIK_1"), ("QLIK_1", "qlik_1"), ("127.0.0.1", "127.0.0.1")],
)
async def test_a_node_is_known_by_its_whole_name_in_any_case(presented: str, expected: str, version: ssl.TLSVersion) -> None:
    async with TlsNode(SITE.servers[presented], version=version) as node:
        route = read_node("https://public.example.com:4243/qps/", reach_at=node.reach_at, server_name=expected)
        assert TICKET in await ask(route)


async def test_the_node_is_told_which_name_is_expected() -> None:
    async with TlsNode(SITE.servers["QLIK_1"]) as node:
        await ask(read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at, server_name="QLIK_1"))
        await node.settled()
    assert node.seen[0].server_name == "QLIK_1"
    assert node.requests[0].headers["Host"] == f"{NAME}:4243"


@pytest.mark.parametrize("expected", ["qlik1", "qlik1.corp", "corp.example", "qlik1.corp.example.com", "1.corp.example", "127.0.0.2"])
async def test_part_of_a_name_is_another_name(expected: str) -> None:
    async with TlsNode() as node:
        route = read_node("https://public.example.com:4243/qps/", reach_at=node.reach_at, server_name=expected)
        with pytest.raises(NodeNotVerified, match="server_name"):
            await ask(route)


@pytest.fixture(scope="module")
def web() -> WebCertificates:
    return make_web([NAME, "127.0.0.1", "*.corp.example"])


@pytest.mark.parametrize("name", [NAME, "127.0.0.1"])
async def test_under_an_ordinary_ca_the_alternative_names_count(web: WebCertificates, name: str) -> None:
    async with TlsNode(web.servers[name]) as node:
        assert TICKET in await ask(read_node(f"https://{name}:{node.port}/qps/", reach_at=node.reach_at), ca=web.ca)


@pytest.mark.parametrize(("presented", "expected"), [("*.corp.example", NAME), (NAME, "127.0.0.1"), ("127.0.0.1", NAME)])
async def test_under_an_ordinary_ca_other_names_and_wildcards_are_refused(web: WebCertificates, presented: str, expected: str) -> None:
    async with TlsNode(web.servers[presented]) as node:
        with pytest.raises(NodeNotVerified, match="server_name"):
            await ask(read_node(f"https://{expected}:{node.port}/qps/", reach_at=node.reach_at), ca=web.ca)


async def test_both_roots_of_a_renewed_site_are_good(web: WebCertificates) -> None:
    for pair in (SITE.servers[NAME], web.servers[NAME]):
        async with TlsNode(pair) as node:
            assert TICKET in await ask(read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at), ca=web.ca + SITE.root)


async def test_a_pinned_certificate_of_any_origin_is_good(web: WebCertificates) -> None:
    for name in (NAME, "127.0.0.1"):
        async with TlsNode(web.servers[name]) as node:
            route = read_node(f"https://{name}:{node.port}/qps/", reach_at=node.reach_at)
            assert TICKET in await ask(route, ca=None, pins={route.name: web.servers[name][0]})


async def test_an_expired_site_is_told_apart_from_a_foreign_one() -> None:
    old = make_site([NAME], host_of_root="qlik1", not_before=datetime(2015, 1, 1, tzinfo=UTC))
    async with TlsNode(old.servers[NAME]) as node:
        with pytest.raises(NodeNotVerified, match="expired"):
            await ask(read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at), ca=old.root)


# ---- contexts --------------------------------------------------------------------------------------------------------


def test_one_context_serves_all_named_nodes_and_is_built_once() -> None:
    one, two, address = (read_node(f"https://{host}/qps/") for host in ("qlik1.corp.example", "qlik2.corp.example", "192.0.2.1"))
    _, contexts = trust(one, two, one, address, address)
    assert contexts[0] is contexts[1] is contexts[2]
    assert contexts[3] is contexts[4]
    assert contexts[3] is not contexts[0]


def test_every_context_verifies_and_speaks_nothing_older_than_tls_1_2() -> None:
    _, contexts = trust(read_node(f"https://{NAME}/qps/"), read_node("https://192.0.2.1/qps/"))
    for context in contexts:
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.post_handshake_auth
        assert len(context.get_ca_certs()) == 1
    assert contexts[0].check_hostname


def test_the_trust_anchor_is_the_roots_name_and_key_as_a_ca_of_nodes_only() -> None:
    (root,) = read_roots(SITE.root)
    anchor = trust_anchor(root)
    assert (anchor.subject, anchor.serial_number) == (root.subject, root.serial_number)
    assert anchor.public_key() == root.public_key()
    assert anchor.not_valid_after_utc == root.not_valid_after_utc
    constraints = anchor.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert anchor.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert anchor.extensions.get_extension_for_class(x509.SubjectKeyIdentifier) == root.extensions.get_extension_for_class(
        x509.SubjectKeyIdentifier
    )


def test_an_ordinary_ca_is_its_own_anchor(web: WebCertificates) -> None:
    (ca,) = read_roots(web.ca)
    assert trust_anchor(ca, only="192.0.2.1") is ca


@pytest.mark.parametrize("pair", [SITE.servers[NAME], SITE.servers["127.0.0.1"]])
async def test_no_node_sees_a_trust_anchor(pair: Pair) -> None:
    """In TLS 1.2 the client's certificates go in clear: the root's key must not be among them."""
    (root,) = read_roots(SITE.root)
    key = root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    async with TlsNode(pair, version=ssl.TLSVersion.TLSv1_2) as node:
        name = NAME if pair is SITE.servers[NAME] else "127.0.0.1"
        await ask(read_node(f"https://{name}:4243/qps/", reach_at=node.reach_at))
        await node.settled()
    (seen,) = node.seen
    assert seen.certificate is not None
    assert seen.certificate in seen.wire
    assert key not in seen.wire


async def test_where_memory_has_no_files_the_key_goes_through_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TlsNode() as node:
        route = read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("gateway.qlik.trust.sys.platform", "elsewhere")
            _, (context,) = trust(route)
        assert context.cert_store_stats()["x509_ca"] == 1
