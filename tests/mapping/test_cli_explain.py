"""`qlikgw explain` from the outside: files in, text or JSON and an exit code out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.explain import explain

GATEWAY = """
schema: 1
public_url: https://sso.example.com
listen: {host: 127.0.0.1, port: 8080}
management: {host: 127.0.0.1, port: 8081}
cookie_keys: [{file: absent/cookie.key}]
qlik_sites:
  prod:
    client_certificate: absent/client.pem
    client_key: absent/client_key.pem
    ca: absent/root.pem
    nodes: [{proxy_rest_uri: "https://qlik1.corp.example:4243/qps/"}]
virtual_proxies:
  sales:
    site: prod
    targets: [https://qlik.example.com]
    identity_providers: [entra]
    allow: "user.attributes.?group.orValue([]).exists(g, g == 'Qlik-Sales')"
  hr:
    site: prod
    targets: [https://qlik.example.com]
    identity_providers: [keycloak]
"""
ENTRA = """
schema: 1
protocol: oidc
issuer: https://login.example.com/tenant/v2.0
client_id: qlik
client_auth: {method: client_secret_basic, secret: {file: absent/entra.secret}}
mapping:
  user_directory: {value: CONTOSO}
  user_id: {claim: oid}
  attributes:
    email: {claim: email}
    group: {cel: "claims.?roles.orValue([])"}
allow: "'Qlik-Users' in claims.?roles.orValue([])"
"""
SAML = ENTRA.replace("protocol: oidc", "protocol: saml").replace("{claim: oid}", '{cel: "name_id"}')
SAML = SAML.replace("issuer: https://login.example.com/tenant/v2.0", "entity_id: https://idp.example.com/metadata")
SAML = SAML.replace("client_id: qlik\nclient_auth", "metadata: {file: absent/metadata.xml}\nclient_auth")
SAML = "".join(line for line in SAML.splitlines(keepends=True) if not line.startswith("client_auth"))
ALICE: dict[str, Any] = {"oid": "alice", "email": "alice@example.com", "roles": ["Qlik-Users", "Qlik-Sales"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "idp_configs"
    folder.mkdir()
    (folder / "gateway.yaml").write_text(GATEWAY)
    (folder / "entra.yaml").write_text(ENTRA)
    (folder / "keycloak.yaml").write_text(ENTRA)
    return folder


def run(folder: Path, claims: object, *more: str, idp: str = "entra") -> Result:
    data = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    arguments = ["--config", str(folder), "--idp", idp, "--claims", "-", *more]
    return CliRunner().invoke(explain, arguments, input=data)


def told(folder: Path, claims: object, *more: str, exit_code: int) -> dict[str, Any]:
    outcome = run(folder, claims, *more, "--format", "json")
    assert outcome.exit_code == exit_code, outcome.output
    report: dict[str, Any] = json.loads(outcome.stdout)
    return report


def test_an_allowed_user_has_the_exact_ticket_body_and_exit_code_0(folder: Path) -> None:
    report = told(folder, ALICE, exit_code=0)
    assert report["allowed"] is True
    assert report["ticket_request"] == {
        "UserDirectory": "CONTOSO",
        "UserId": "alice",
        "Attributes": [{"email": "alice@example.com"}, {"group": "Qlik-Users"}, {"group": "Qlik-Sales"}],
    }
    assert "refusal" not in report
    assert report["steps"][0] == {"name": "user_directory", "source": "value: CONTOSO", "output": ["CONTOSO"], "note": ""}
    assert report["steps"][3]["output"] == ["Qlik-Users", "Qlik-Sales"]
    assert [rule["passed"] for rule in report["rules"]] == [True]


def test_a_refused_user_has_a_code_and_exit_code_1(folder: Path) -> None:
    report = told(folder, {"oid": "alice"}, exit_code=1)
    assert report["allowed"] is False
    assert report["refusal"]["code"] == "QGW-306"
    assert "identity provider entra" in report["refusal"]["detail"]
    assert "ticket_request" not in report
    assert report["steps"][2]["note"] == "left out: there is no claim email"
    assert [(rule["passed"], rule["code"]) for rule in report["rules"]] == [(False, "QGW-306")]


def test_without_a_virtual_proxy_only_the_providers_rule_is_applied(folder: Path) -> None:
    users_only = {**ALICE, "roles": ["Qlik-Users"]}
    assert len(told(folder, users_only, exit_code=0)["rules"]) == 1
    report = told(folder, users_only, "--vp", "sales", exit_code=1)
    assert [rule["passed"] for rule in report["rules"]] == [True, False]
    assert "virtual proxy sales" in report["refusal"]["detail"]
    assert told(folder, ALICE, "--vp", "sales", exit_code=0)["virtual_proxy"] == "sales"


def test_claims_may_come_wrapped_with_a_name_id(folder: Path) -> None:
    (folder / "entra.yaml").write_text(SAML)
    claims = {name: [values] if isinstance(values, str) else values for name, values in ALICE.items()}
    assert told(folder, {"claims": claims, "name_id": "alice@x"}, exit_code=0)["ticket_request"]["UserId"] == "alice@x"
    assert told(folder, {"claims": claims}, exit_code=1)["refusal"]["code"] == "QGW-305"
    assert told(folder, {"claims": claims, "name_id": None}, exit_code=1)["refusal"]["code"] == "QGW-305"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"oid": "alice", "oid": "bob"}', "a name comes twice"),
        ('{"claims": {"oid": "alice"}, "claims": {"oid": "bob"}}', "a name comes twice"),
        ('{"oid": "alice", "a": [{"b": 1, "b": 2}]}', "a name comes twice"),
        ('{"oid": "alice", "level": NaN}', "NaN is no JSON"),
        ('{"oid": "alice", "level": -Infinity}', "-Infinity is no JSON"),
        ('{"oid": "alice", "level": 1e999}', "1e999 is beyond what a number can be"),
    ],
)
def test_json_that_two_readers_read_differently_is_refused_as_in_a_login(folder: Path, text: str, reason: str) -> None:
    (folder.parent / "claims.json").write_text(text)
    outcome = CliRunner().invoke(explain, ["--config", str(folder), "--idp", "entra", "--claims", str(folder.parent / "claims.json")])
    assert outcome.exit_code == 2
    assert reason in outcome.output


def test_a_claim_that_is_called_claims_is_no_wrapping_where_others_stand_beside_it(folder: Path) -> None:
    assert told(folder, {**ALICE, "claims": {"oid": "root"}}, exit_code=0)["ticket_request"]["UserId"] == "alice"


def test_the_text_form_tells_the_same(folder: Path) -> None:
    allowed = run(folder, ALICE, "--vp", "sales")
    assert allowed.exit_code == 0
    for line in ("claim: oid", '-> "Qlik-Users", "Qlik-Sales"', "-> passed", "ALLOWED, with this ticket request", '"UserId": "alice"'):
        assert line in allowed.stdout
    refused = run(folder, {"oid": "alice", "big": 2**70})
    assert refused.exit_code == 1
    for line in ("note: claim big: an integer beyond 64 bits was left out", "left out: there is no claim email", "REFUSED QGW-306"):
        assert line in refused.stdout
    assert "-> no value" in refused.stdout


def test_a_refusal_of_the_mapping_is_told_without_rules(folder: Path) -> None:
    refused = run(folder, {"roles": ["Qlik-Users"]})
    assert refused.exit_code == 1
    assert "REFUSED QGW-303" in refused.stdout
    assert "Access" not in refused.stdout


@pytest.mark.parametrize(
    "claims",
    [
        b'{"oid": "a\\u0000b"}',
        b'{"oid": "\\ud800"}',
        b'{"a": ' * 40 + b"1" + b"}" * 40,
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
    ],
    ids=["nul", "surrogate", "deep", "deeper than Python reads", "deep and broken"],
)
def test_claims_that_the_gate_refuses_are_refused_here(folder: Path, claims: bytes) -> None:
    assert told(folder, claims, exit_code=1)["refusal"]["code"] == "QGW-301"


def test_an_integer_of_thousands_of_digits_is_left_out(folder: Path) -> None:
    claims = json.dumps(ALICE).encode()[:-1] + b', "big": ' + b"9" * 10_000 + b"}"
    assert told(folder, claims, exit_code=0)["notes"] == ["claim big: an integer beyond 64 bits was left out"]


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON in UTF-8"),
        (b"[]", "not a JSON object"),
        (b'{"claims": []}', "not a JSON object"),
        (b'{"claims": {}, "name_id": 1}', "name_id is not a string"),
    ],
)
def test_a_file_that_holds_no_claims_is_usage(folder: Path, claims: bytes, words: str) -> None:
    outcome = run(folder, claims, "--format", "json")
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert outcome.stdout == ""


def test_unknown_names_are_usage(folder: Path) -> None:
    for arguments, words in (
        ({"idp": "entar"}, "there is no entar; configured: entra, keycloak"),
        ({"more": ("--vp", "slaes")}, "there is no slaes"),
        ({"more": ("--vp", "hr")}, "hr does not offer entra, only keycloak"),
        ({"more": ("--format", "xml")}, "xml"),
    ):
        outcome = run(folder, ALICE, *arguments.get("more", ()), idp=str(arguments.get("idp", "entra")))
        assert outcome.exit_code == 2
        assert words in outcome.stderr


def test_missing_options_are_usage(folder: Path) -> None:
    assert CliRunner().invoke(explain, ["--config", str(folder)]).exit_code == 2


def test_a_configuration_that_cannot_be_used_is_usage(folder: Path) -> None:
    (folder / "entra.yaml").write_text(ENTRA.replace("claims.?roles.orValue([])", "clams.roles"))
    outcome = run(folder, ALICE, "--format", "json")
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert "entra.yaml:" in outcome.stderr
    assert run(folder / "absent", ALICE).exit_code == 2


def test_the_claims_may_lie_in_a_file_and_the_folder_in_the_environment(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "alice.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(ALICE).encode())
    outcome = CliRunner().invoke(explain, ["--idp", "entra", "--claims", str(file)], env={"QLIKGW_CONFIG": str(folder)})
    assert outcome.exit_code == 0
    assert CliRunner().invoke(explain, ["--config", str(folder), "--idp", "entra", "--claims", "absent.json"]).exit_code == 2
