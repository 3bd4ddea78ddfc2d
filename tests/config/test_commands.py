"""`check`, `schema` and `keygen` as a person or a script calls them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.cli import main
from gateway.protocol.oidc import read_client_key
from tests.config.folders import ENTRA, GATEWAY, GOOD, Shelf

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path, **environment: str | None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"QLIKGW_CONFIG": None, **environment})


def test_check_of_a_good_folder_ends_with_zero(shelf: Shelf) -> None:
    folder = shelf.folder()
    result = run("check", "--config", folder)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{folder}: no problems (2 findings acknowledged)\n", "")


def test_check_takes_the_folder_from_the_environment(shelf: Shelf) -> None:
    assert run("check", QLIKGW_CONFIG=str(shelf.folder())).exit_code == 0


def test_check_of_errors_ends_with_one_and_each_begins_with_its_place(shelf: Shelf) -> None:
    folder = shelf.changed(ENTRA, "issuer:", "isuer:")
    result = run("check", "--config", folder)
    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.stdout.splitlines() if line.startswith("entra")] == ["entra.yaml:1:1:", "entra.yaml:3:1:"]
    assert result.stdout.endswith(f"{folder}: 2 errors\n")
    assert "\x1b" not in result.stdout


def test_check_of_warnings_ends_with_zero(shelf: Shelf) -> None:
    result = run("check", "--config", shelf.changed(GATEWAY, "cookie_keys:\n  - {file: ../certs/cookie.key}\n", ""))
    assert result.exit_code == 0
    assert "warning[QGW-520]" in result.stdout


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_nothing_but_the_report_goes_to_standard_output(shelf: Shelf, form: str) -> None:
    result = run("check", "--config", shelf.changed(ENTRA, "issuer:", "isuer:"), "--format", form)
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout).keys() == ({"problems"} if form == "json" else {"$schema", "version", "runs"})


def test_check_without_problems_has_an_empty_list(shelf: Shelf) -> None:
    assert json.loads(run("check", "--config", shelf.folder(), "--format", "json").stdout)["problems"] == []


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_a_missing_folder_is_usage(tmp_path: Path, form: str) -> None:
    result = run("check", "--config", tmp_path / "nowhere", "--format", form)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nowhere" in result.stderr


def test_an_unknown_format_is_usage(shelf: Shelf) -> None:
    assert run("check", "--config", shelf.folder(), "--format", "xml").exit_code == 2


def test_no_files_leaves_them_unread(tmp_path: Path) -> None:
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    assert run("check", "--config", tmp_path).exit_code == 1
    assert run("check", "--config", tmp_path, "--no-files").exit_code == 0


def test_the_examples_pass_without_their_files() -> None:
    result = run("check", "--config", ROOT / "idp_configs", "--no-files", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["problems"]) == (0, [])


def test_the_examples_show_findings_that_are_acknowledged_with_a_reason_each() -> None:
    known = json.loads(run("check", "--config", ROOT / "idp_configs", "--no-files", "--format", "json").stdout)["acknowledged"]
    assert {finding["file"] for finding in known} == {"adfs.yaml", "entra.yaml", "keycloak.yaml"}
    assert all(finding["reason"].endswith(".") for finding in known)
    assert len({finding["code"] for finding in known}) >= 3


@pytest.mark.parametrize("arguments", [(), ("gateway",), ("oidc",)])
def test_schema_prints_a_schema_alone(arguments: tuple[str, ...]) -> None:
    result = run("schema", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["title"] == f"qlikgw {arguments[0] if arguments else 'gateway'}"


def test_keygen_cookie_prints_32_fresh_bytes() -> None:
    first, second = (run("keygen", "cookie").stdout for _ in range(2))
    assert first != second
    assert len(urlsafe_b64decode(first.strip() + "=")) == 32


def test_keygen_jwk_prints_a_key_that_a_provider_takes() -> None:
    result = run("keygen", "jwk")
    assert (result.exit_code, result.stderr) == (0, "")
    key = read_client_key(result.stdout.encode())
    assert (key.algorithm, key.kid) == ("ES256", json.loads(result.stdout)["kid"])


def test_keygen_saml_prints_a_key_and_its_certificate() -> None:
    pem = run("keygen", "saml").stdout.encode()
    key, certificate = load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 3072
    assert key.public_key() == certificate.public_key()
    assert 3 * 365 - 1 <= (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 3 * 365


def test_keys_that_keygen_makes_pass_check(shelf: Shelf) -> None:
    for name, kind in (("fresh.key", "cookie"), ("fresh.jwk", "jwk")):
        (shelf.base / "certs" / name).touch(mode=0o600)
        (shelf.base / "certs" / name).write_text(run("keygen", kind).stdout)
    gateway = GOOD[GATEWAY].replace("cookie.key", "fresh.key")
    auth = "{method: private_key_jwt, key: ../certs/fresh.jwk}"
    entra = GOOD[ENTRA].replace("{method: client_secret_basic, secret: {file: ../certs/entra.secret}}", auth)
    assert shelf.load(shelf.folder(gateway=gateway, entra=entra)).problems == ()
