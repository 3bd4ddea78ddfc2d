"""Warnings of what is valid and probably not meant: each keeps the configuration usable."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config import Loaded
from gateway.config.diagnostics import Problem, Severity
from gateway.demo.certificates import make_site
from tests.config.folders import ADFS, ENTRA, GATEWAY, GOOD, GOOD_SAML, HOST, MADE, SECRET, Shelf

NODE = "https://qlik1.corp.example:4243/qps/"


def warning(loaded: Loaded) -> Problem:
    """The only thing that is told, of a configuration that is used."""
    assert loaded.configuration is not None
    (problem,) = loaded.problems
    assert problem.severity is Severity.WARNING
    return problem


@pytest.mark.parametrize("path", ["qps/sales/", "qps/sales", "qps/other/", "sales/"])
@pytest.mark.parametrize("key", ["proxy_rest_uri", "reach_at"])
def test_a_node_that_is_named_with_a_prefix_is_told(shelf: Shelf, key: str, path: str) -> None:
    base = NODE if key == "proxy_rest_uri" else "https://10.1.2.3:4243/qps/"
    problem = warning(shelf.load(shelf.changed(GATEWAY, f"{key}: {base}", f"{key}: {base.removesuffix('qps/')}{path}")))
    assert (problem.code, problem.line) == ("QGW-562", 12 if key == "proxy_rest_uri" else 13)
    last = path.rstrip("/").rpartition("/")[2]
    assert problem.message == f"'{last}' at the end looks like a virtual proxy's prefix, which the gateway adds itself"
    assert problem.hint == "end it with /qps/"


@pytest.mark.parametrize("path", ["qps", "", "behind/qps/"])
def test_a_node_without_a_prefix_is_not(shelf: Shelf, path: str) -> None:
    folder = shelf.changed(GATEWAY, f"proxy_rest_uri: {NODE}", f"proxy_rest_uri: {NODE.removesuffix('qps/')}{path}")
    assert shelf.load(folder).problems == ()


def test_a_provider_that_nobody_offers_is_told(shelf: Shelf) -> None:
    problem = warning(shelf.load(shelf.folder(okta=GOOD[ENTRA].replace("CONTOSO", "OKTA"))))
    assert (problem.file, problem.code, problem.message) == ("okta.yaml", "QGW-560", "no virtual proxy offers this identity provider")
    assert problem.hint == "add okta to the identity_providers of a virtual proxy, or take the file out"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "8.0.0.0/7", "::/0", "fc00::/7"])
def test_a_crowd_that_is_believed_to_be_proxies_is_told(shelf: Shelf, network: str) -> None:
    problem = warning(shelf.load(shelf.folder(gateway=GOOD[GATEWAY] + f'trusted_proxies: [10.0.0.7, "{network}"]\n')))
    assert (problem.code, problem.message) == ("QGW-565", f"every client in {network} is believed whatever it writes into X-Forwarded-For")


@pytest.mark.parametrize("network", ["10.0.0.0/8", "35.191.0.0/16", "192.0.2.7", "2001:db8::/32"])
def test_a_network_of_proxies_is_not(shelf: Shelf, network: str) -> None:
    assert shelf.load(shelf.folder(gateway=GOOD[GATEWAY] + f'trusted_proxies: ["{network}"]\n')).problems == ()


def test_a_client_certificate_of_another_export_is_told(shelf: Shelf) -> None:
    other = make_site([HOST], host_of_root=HOST, not_before=MADE)
    for name, content in (("foreign.pem", other.client), ("foreign_key.pem", other.client_key)):
        (shelf.base / "certs" / name).touch(mode=0o600)
        (shelf.base / "certs" / name).write_bytes(content)
    text = GOOD[GATEWAY].replace("client.pem", "foreign.pem").replace("client_key.pem", "foreign_key.pem")
    problem = warning(shelf.load(shelf.folder(gateway=text)))
    assert (problem.code, problem.line, problem.excerpt) == ("QGW-563", 8, "    client_certificate: ../certs/foreign.pem")


KNOWN = """\
acknowledge:
  - {finding: QGW-534, reason: NameIDs are UUIDs here.}
  - {finding: QGW-536, reason: No directory connector knows these users.}
"""
PRIVATE = {
    "client_key.pem": (GATEWAY, 9),
    "cookie.key": (GATEWAY, 5),
    "entra.secret": (ENTRA, 5),
    "front_key.pem": (GATEWAY, 3),
    "saml_key.pem": (ADFS, 7),
}


@pytest.fixture
def open_shelf(shelf: Shelf) -> Iterator[Shelf]:
    """A copy in a place that everybody may look into; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        shutil.copytree(shelf.base / "certs", base / "certs")
        yield Shelf(base)


@pytest.mark.parametrize("name", PRIVATE)
def test_a_key_or_secret_that_everybody_may_read_is_told(open_shelf: Shelf, name: str) -> None:
    file, line = PRIVATE[name]
    front = "{host: 0.0.0.0, port: 8080, tls: {certificate: ../certs/front.pem, key: ../certs/front_key.pem}}"
    text = GOOD[GATEWAY].replace("[entra]", "[entra, adfs]").replace("{host: 0.0.0.0, port: 8080}", front)
    folder, path = open_shelf.folder(gateway=text, adfs=GOOD_SAML + KNOWN), open_shelf.base / "certs" / name
    assert open_shelf.load(folder).problems == ()
    path.chmod(0o640)
    assert open_shelf.load(folder).problems == ()
    path.chmod(0o644)
    problem = warning(open_shelf.load(folder))
    assert (problem.file, problem.line, problem.code) == (file, line, "QGW-561")
    path.parent.chmod(0o750)
    assert open_shelf.load(folder).problems == (), "a closed folder keeps others out as well"


def test_a_link_is_as_open_as_what_it_leads_to(open_shelf: Shelf) -> None:
    """Kubernetes mounts a Secret as links."""
    certs = open_shelf.base / "certs"
    (certs / "..data").mkdir()
    (certs / "cookie.key").rename(certs / "..data" / "cookie.key")
    (certs / "cookie.key").symlink_to("..data/cookie.key")
    assert open_shelf.load(open_shelf.folder()).problems == ()
    (certs / "..data" / "cookie.key").chmod(0o644)
    assert warning(open_shelf.load(open_shelf.folder())).code == "QGW-561"


@pytest.mark.parametrize("text", [f"{SECRET} \n", f" {SECRET}\n", f"{SECRET} "])
def test_a_blank_at_the_end_of_a_secret_is_told_and_not_cut(shelf: Shelf, text: str) -> None:
    (shelf.base / "certs" / "blank.secret").touch(mode=0o600)
    (shelf.base / "certs" / "blank.secret").write_text(text)
    problem = warning(shelf.load(shelf.changed(ENTRA, "entra.secret", "blank.secret")))
    assert (problem.code, problem.line) == ("QGW-564", 5)
    assert SECRET not in f"{problem}"


@pytest.mark.parametrize("name", ["gatway", "gateways", "config"])
def test_a_misspelt_gateway_yaml_is_recognised(shelf: Shelf, name: str) -> None:
    folder = shelf.folder()
    (folder / GATEWAY).rename(folder / f"{name}.yaml")
    loaded = shelf.load(folder)
    assert loaded.configuration is None
    (problem,) = loaded.problems
    assert (problem.file, problem.code, problem.hint) == (GATEWAY, "QGW-501", f"rename {name}.yaml to gateway.yaml")


def test_warnings_are_told_once_nothing_is_wrong_any_more(shelf: Shelf) -> None:
    folder = shelf.folder(okta=GOOD[ENTRA].replace("issuer:", "isuer:"))
    assert "QGW-560" not in {problem.code.value for problem in shelf.load(folder).problems}
