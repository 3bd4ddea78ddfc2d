"""Certificates and keys as operators name them, and what they mistake for them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from gateway.demo.certificates import make_site, make_web
from gateway.model import Secret
from gateway.protocol.qps import Node, Targets, read_node
from gateway.qlik import MaterialProblem, QlikSite, site_expiries
from gateway.qlik.material import read_client, read_pin, read_roots
from tests.fakes import CountingEntropy
from tests.peers.node import NAME, other_site_certificates, site_certificates

SITE = site_certificates()
NODE = read_node(f"https://{NAME}:4243/qps/")
GOOD = {
    "client_certificate": SITE.client,
    "client_key": SITE.client_key,
    "client_key_password": None,
    "ca": SITE.root,
    "pins": {},
    "nodes": [NODE],
}
PASSWORD = Secret("correct horse")


def check(*, nodes: Iterable[Node], **material: Any) -> None:
    """Build a site and the ports of its nodes: no connection is made."""
    site = QlikSite(name="prod", entropy=CountingEntropy(), **material)
    for node in nodes:
        site.proxy(node, "sales", Targets(allowed=(), default=""))


def encrypted(encoding: PrivateFormat) -> bytes:
    key = load_pem_private_key(SITE.client_key, None)
    return key.private_bytes(Encoding.PEM, encoding, BestAvailableEncryption(PASSWORD.reveal().encode()))


def own_certificate(constraints: x509.BasicConstraints) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    return builder.add_extension(constraints, critical=True).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def resigned_root() -> bytes:
    """The root's name and key under somebody else's signature."""
    root = x509.load_pem_x509_certificate(SITE.root)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(root.subject, root.subject, root.public_key(), 1, now, now + timedelta(days=1))
    other = load_pem_private_key(other_site_certificates().client_key, None)
    assert not isinstance(other, ec.EllipticCurvePrivateKey)
    return builder.sign(other, hashes.SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]


def test_what_the_qmc_exports_is_accepted() -> None:
    check(**GOOD)


@pytest.mark.parametrize("encoding", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_an_encrypted_key_opens_with_its_password(encoding: PrivateFormat) -> None:
    check(**GOOD | {"client_key": encrypted(encoding), "client_key_password": PASSWORD})


def test_an_ordinary_ca_is_used_as_it_is() -> None:
    ca = make_web([NAME]).ca
    check(**GOOD | {"ca": ca})
    check(**GOOD | {"ca": SITE.root + ca})


def test_a_pin_replaces_the_ca() -> None:
    check(**GOOD | {"ca": None, "pins": {NODE.name: SITE.servers[NAME][0]}})


@pytest.mark.parametrize(
    ("changes", "setting", "sentence"),
    [
        ({"client_certificate": b""}, "client_certificate", "no readable certificate"),
        ({"client_certificate": b"\x30\x82\xff"}, "client_certificate", "PEM"),
        ({"client_certificate": SITE.client_key}, "client_certificate", "no readable certificate"),
        ({"client_certificate": SITE.client[:-200]}, "client_certificate", "no readable certificate"),
        ({"client_certificate": SITE.root}, "client_key", "not the key of"),
        ({"client_key": b"nothing"}, "client_key", "no readable private key"),
        ({"client_key": SITE.client}, "client_key", "no readable private key"),
        ({"client_key": other_site_certificates().client_key}, "client_key", "same export"),
        ({"client_key": encrypted(PrivateFormat.PKCS8)}, "client_key_password", "is encrypted"),
        ({"client_key": encrypted(PrivateFormat.PKCS8), "client_key_password": Secret("wrong")}, "client_key", "wrong password"),
        ({"client_key_password": PASSWORD}, "client_key_password", "is not encrypted"),
        ({"ca": b"-----BEGIN CERTIFICATE-----"}, "ca", "no readable certificate"),
        ({"ca": SITE.servers[NAME][0]}, "ca", "issued by CN=qlik1-CA"),
        ({"ca": SITE.client}, "ca", "issued by CN=qlik1-CA"),
        ({"ca": resigned_root()}, "ca", "not signed by its own key"),
        ({"ca": own_certificate(x509.BasicConstraints(ca=False, path_length=None))}, "ca", "no CA"),
        ({"ca": None}, "ca", "server_certificate"),
        ({"pins": {NODE.name: SITE.root}}, "server_certificate", "not for"),
        ({"pins": {NODE.name: SITE.servers["QLIK_1"][0]}}, "server_certificate", "for CN=QLIK_1, not for qlik1.corp.example"),
        ({"pins": {NODE.name: SITE.servers[NAME][0] + SITE.root}}, "server_certificate", "exactly one"),
        ({"pins": {NODE.name: make_web([NAME]).ca}}, "server_certificate", "is a CA"),
        ({"pins": {NODE.name: b""}}, "server_certificate", "no readable certificate"),
        (
            {
                "nodes": [read_node(f"https://{NAME}/qps/", server_name="127.0.0.1")],
                "pins": {f"https://{NAME}/qps/": SITE.servers[NAME][0]},
            },
            "server_certificate",
            "not for 127.0.0.1",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_setting_and_a_sentence(changes: dict[str, object], setting: str, sentence: str) -> None:
    with pytest.raises(MaterialProblem, match=sentence) as caught:
        check(**GOOD | changes)
    assert caught.value.setting == setting
    assert isinstance(caught.value, ValueError)
    assert "PRIVATE" not in str(caught.value)


def test_a_problem_of_one_node_names_the_node() -> None:
    with pytest.raises(MaterialProblem) as caught:
        check(**GOOD | {"ca": None})
    assert caught.value.node == NODE.name


def test_the_names_of_a_pin_are_those_of_its_subject_alternative_name() -> None:
    web = make_web([NAME, "127.0.0.1"])
    node = read_node(f"https://{NAME}:4243/qps/")
    by_address = read_node("https://127.0.0.1:4243/qps/")
    pins = {node.name: web.servers[NAME][0], by_address.name: web.servers["127.0.0.1"][0]}
    check(**GOOD | {"ca": None, "pins": pins, "nodes": [node, by_address]})
    with pytest.raises(MaterialProblem, match="not for"):
        check(**GOOD | {"ca": None, "pins": {node.name: web.servers["127.0.0.1"][0]}})
    with pytest.raises(MaterialProblem, match="not for"):
        check(**GOOD | {"ca": None, "pins": {by_address.name: web.servers[NAME][0]}, "nodes": [by_address]})


def test_a_client_certificate_by_an_ordinary_ca_is_known_by_all_its_names() -> None:
    certificate, key = make_web(["client.corp.example"]).servers["client.corp.example"]
    assert read_client(certificate, key, None).names == {"client.corp.example"}
    assert read_client(SITE.client, SITE.client_key, None).names == {"qlikclient"}


def test_no_key_shows_itself() -> None:
    assert "PRIVATE" not in repr(read_client(SITE.client, SITE.client_key, None))


# ---- expiry ----------------------------------------------------------------------------------------------------------


def test_every_certificate_of_a_site_tells_how_long_it_is_valid() -> None:
    found = site_expiries(client_certificate=SITE.client, ca=SITE.root, pins={NODE.name: SITE.servers[NAME][0]})
    assert [(expiry.setting, expiry.subject, expiry.node) for expiry in found] == [
        ("client_certificate", "CN=QlikClient", None),
        ("ca", "CN=qlik1-CA", None),
        ("server_certificate", f"CN={NAME}", NODE.name),
    ]
    assert all(expiry.problem(datetime.now(UTC)) is None for expiry in found)


def test_an_expired_root_is_reported_with_a_sentence() -> None:
    old = make_site([NAME], host_of_root="qlik1", not_before=datetime(2015, 1, 1, tzinfo=UTC))
    _, root = site_expiries(client_certificate=old.client, ca=old.root, pins={})
    assert root.problem(datetime(2024, 1, 1, tzinfo=UTC)) is None
    assert root.problem(datetime(2026, 3, 2, tzinfo=UTC)) == (
        "CN=qlik1-CA expired on 2025-01-07: renew the site's certificates in the QMC and export them again"
    )
    assert "clock" in (root.problem(datetime(2014, 1, 1, tzinfo=UTC)) or "")


def test_expiries_can_be_told_without_a_ca() -> None:
    assert len(site_expiries(client_certificate=SITE.client, ca=None, pins={})) == 1


# ---- the parsed values -----------------------------------------------------------------------------------------------


def test_several_roots_may_stand_in_one_file() -> None:
    assert len(read_roots(SITE.root + other_site_certificates().root)) == 2


def test_a_pin_is_the_certificate_itself() -> None:
    assert read_pin(SITE.servers[NAME][0], node="n").public_bytes(Encoding.PEM) == SITE.servers[NAME][0]


def test_a_client_certificate_that_comes_alone_is_sent_alone() -> None:
    """Else OpenSSL would complete it with the trust anchors that were made for this process."""
    pem = read_client(SITE.client, SITE.client_key, None).pem
    assert x509.load_pem_x509_certificates(pem) == [x509.load_pem_x509_certificate(SITE.client)] * 2
    with_root = read_client(SITE.client + SITE.root, SITE.client_key, None).pem
    assert len(x509.load_pem_x509_certificates(with_root)) == 2


def test_the_key_is_kept_in_one_form_whatever_it_came_in() -> None:
    key = load_pem_private_key(SITE.client_key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read_client(SITE.client, SITE.client_key, None).pem.startswith(key)
