"""Certificates and keys that the configuration names: that they fit together, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from gateway.config import Problem, load
from gateway.config.certificates import SOON
from tests.config.folders import ENTRA, GATEWAY, GOOD, MADE, NOW, Shelf

SITE_END = MADE + timedelta(days=3652 + 7)
TLS = "port: 8080, tls: {certificate: ../certs/front.pem, key: ../certs/front_key.pem}}"
PIN = "        server_certificate: ../certs/node.pem\n        reach_at"


def at(shelf: Shelf, folder: Path, now: datetime) -> list[tuple[int, str, str]]:
    assert shelf
    return [(problem.line, problem.code.value, problem.severity.value) for problem in load(folder, environ={}, now=now).problems]


def test_certificates_that_expire_soon_are_warned_of(shelf: Shelf) -> None:
    folder = shelf.changed(GATEWAY, "        reach_at", PIN)
    assert at(shelf, folder, SITE_END - SOON - timedelta(days=1)) == []
    soon = [(line, "QGW-523", "warning") for line in (8, 10, 13)]
    assert at(shelf, folder, SITE_END - timedelta(days=1)) == soon


def test_expired_certificates_are_errors(shelf: Shelf) -> None:
    folder = shelf.changed(GATEWAY, "        reach_at", PIN)
    assert at(shelf, folder, SITE_END + timedelta(days=1)) == [(line, "QGW-512", "error") for line in (8, 10, 13)]


def test_certificates_that_are_not_valid_yet_are_errors(shelf: Shelf) -> None:
    assert at(shelf, shelf.folder(), MADE - timedelta(days=1)) == [(line, "QGW-512", "error") for line in (8, 10)]


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-11, (3, "QGW-512", "error")), (60, (3, "QGW-523", "warning")), (81, (3, "QGW-512", "error"))],
)
def test_the_front_certificate_is_looked_at_likewise(shelf: Shelf, days: int, expected: tuple[int, str, str]) -> None:
    assert at(shelf, shelf.changed(GATEWAY, "port: 8080}", TLS), NOW + timedelta(days=days)) == [expected]


def test_every_file_of_a_site_is_looked_at(shelf: Shelf) -> None:
    text = (
        GOOD[GATEWAY]
        .replace("client.pem", "nowhere.pem")
        .replace("root.pem", "cookie.key")
        .replace("        reach_at", "        server_certificate: ../certs/empty.pem\n        reach_at")
    )
    assert at(shelf, shelf.folder(gateway=text), NOW) == [(8, "QGW-511", "error"), (10, "QGW-512", "error"), (13, "QGW-511", "error")]


def encrypted(shelf: Shelf, password: bytes) -> None:
    key = load_pem_private_key((shelf.base / "certs" / "client_key.pem").read_bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    (shelf.base / "certs" / "locked_key.pem").touch(mode=0o600)
    (shelf.base / "certs" / "locked_key.pem").write_bytes(pem)


def first(shelf: Shelf, file: str, old: str, new: str, **environ: str) -> Problem | None:
    problems = shelf.load(shelf.changed(file, old, new), **environ).problems
    return problems[0] if problems else None


def test_an_encrypted_client_key_needs_its_password(shelf: Shelf) -> None:
    encrypted(shelf, b"open sesame")
    locked = "../certs/locked_key.pem\n    client_key_password: {env: QLIKGW_PASSWORD}"
    assert first(shelf, GATEWAY, "../certs/client_key.pem", locked, QLIKGW_PASSWORD="open sesame") is None
    wrong = first(shelf, GATEWAY, "../certs/client_key.pem", locked, QLIKGW_PASSWORD="open simsim")
    assert wrong is not None
    assert (wrong.line, wrong.message) == (9, "wrong password, or no readable private key")
    without = first(shelf, GATEWAY, "../certs/client_key.pem", "../certs/locked_key.pem")
    assert without is not None
    assert (without.line, without.message) == (9, "the key is encrypted: set `client_key_password`")
    assert first(shelf, GATEWAY, "../certs/client_key.pem", locked) is not None


def test_an_encrypted_key_of_a_provider_needs_its_password(shelf: Shelf) -> None:
    encrypted(shelf, b"open sesame")
    old = "{method: client_secret_basic, secret: {file: ../certs/entra.secret}}"
    locked = "{method: private_key_jwt, key: ../certs/locked_key.pem, key_password: {env: QLIKGW_PASSWORD}}"
    assert first(shelf, ENTRA, old, locked, QLIKGW_PASSWORD="open sesame") is None
    for new in (locked, "{method: private_key_jwt, key: ../certs/locked_key.pem}"):
        problem = first(shelf, ENTRA, old, new, QLIKGW_PASSWORD="open simsim")
        assert problem is not None
        assert problem.code == "QGW-512"


def test_an_encrypted_front_key_is_refused(shelf: Shelf) -> None:
    encrypted(shelf, b"open sesame")
    problem = first(shelf, GATEWAY, "port: 8080}", TLS.replace("front_key", "locked_key"))
    assert problem is not None
    assert problem.message == "this key is encrypted: the gateway cannot open it"


def test_a_pin_makes_the_ca_unnecessary(shelf: Shelf) -> None:
    text = GOOD[GATEWAY].replace("    ca: ../certs/root.pem\n", "").replace("        reach_at", PIN)
    assert shelf.load(shelf.folder(gateway=text)).problems == ()


def test_comments_between_roots_are_left_out(shelf: Shelf) -> None:
    root = (shelf.base / "certs" / "root.pem").read_bytes()
    (shelf.base / "certs" / "bundle.pem").write_bytes("# Főtanúsítvány\n".encode() + root + root)
    configuration = shelf.load(shelf.changed(GATEWAY, "schema: 1\n", "schema: 1\noutbound: {ca: ../certs/bundle.pem}\n")).configuration
    assert configuration is not None
    assert configuration.gateway.outbound.ca == root + root


def test_a_store_behind_a_reference_is_looked_at_as_well(shelf: Shelf) -> None:
    change = ("schema: 1\n", "schema: 1\nstore: {url: {env: QLIKGW_STORE_URL}}\n")
    keyless = GOOD[GATEWAY].replace("cookie_keys:\n  - {file: ../certs/cookie.key}\n", "").replace(*change)
    problems = shelf.load(shelf.folder(gateway=keyless), QLIKGW_STORE_URL="rediss://:hunter2@redis").problems
    assert [(problem.line, problem.code) for problem in problems] == [(2, "QGW-520")]
    shared = shelf.load(shelf.changed(GATEWAY, *change), QLIKGW_STORE_URL="rediss://:hunter2@redis").configuration
    assert shared is not None
    assert (shared.gateway.store.tls, shared.gateway.store.servers) == (True, (("redis", 6379),))
    assert "hunter2" not in repr(shared)
    wrong = first(shelf, GATEWAY, *change, QLIKGW_STORE_URL="postgres://x")
    assert wrong is not None
    assert (wrong.line, wrong.code) == (2, "QGW-506")
