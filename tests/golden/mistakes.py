"""More than thirty mistakes, each one edit of a good folder, and what `qlikgw check` says of each, to the letter (`told/`).

To write the files anew: `python -m tests.golden.mistakes`. Then read the difference as an administrator would.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main

TOLD = Path(__file__).parent / "told"
GATEWAY = """\
schema: 1
public_url: https://sso.example.com
cookie_keys:
  - {file: ../certs/cookie.key}
qlik_sites:
  prod:
    client_certificate: ../certs/client.pem
    client_key: ../certs/client_key.pem
    ca: ../certs/root.pem
    nodes:
      - proxy_rest_uri: https://qlik1.corp.example:4243/qps/
virtual_proxy_defaults:
  site: prod
  targets: [https://qlik.example.com]
  identity_providers: [entra]
virtual_proxies:
  sales:
    deny:
      - {id: contractors, when: "'Contractors' in claims.?roles.orValue([])", message: Contractors use the extranet.}
  extranet:
    prefix: ext
    identity_providers: [entra, partners]
    default_target: https://qlik.example.com/ext/hub/
    authentication: {require_acr: [phr], max_age: 1h}
"""
ENTRA = """\
schema: 1
protocol: oidc
display_name: Contoso
issuer: https://login.microsoftonline.com/TENANT/v2.0
client_id: 00000000-0000-0000-0000-000000000000
client_auth: {method: client_secret_basic, secret: {file: ../certs/entra.secret}}
scopes: [openid, profile, email]
domains: [contoso.example]
mapping:
  user_directory: {value: CONTOSO}
  user_id: {claim: oid}
  attributes:
    sso_group:
      claim: roles
      steps: [trim, {strip_prefix: "Qlik-"}, {cap: 50}]
allow: "'Qlik-Users' in claims.?roles.orValue([])"
tests:
  - name: an analyst
    claims: {oid: 1a2b, roles: [Qlik-Users, Qlik-Analysts]}
    expect: {user_directory: CONTOSO, user_id: 1a2b, attributes: {sso_group: [Users, Analysts]}}
"""
PARTNERS = """\
schema: 1
protocol: oidc
issuer: https://sso.partners.example
client_id: qlik
client_auth: {method: private_key_jwt, key: ../certs/partners.pem}
mapping:
  user_directory: {claim: company, one_of: [ACME, GLOBEX]}
  user_id: {claim: employee_number}
"""
FILES = {"gateway.yaml": GATEWAY, "entra.yaml": ENTRA, "partners.yaml": PARTNERS}


@dataclass(frozen=True)
class Mistake:
    """`old` becomes `new` in `file`; an empty `old` means the end of the file."""

    name: str
    file: str
    old: str
    new: str


MISTAKES = (
    Mistake("a misspelt key", "entra.yaml", "client_id:", "cilent_id:"),
    Mistake("a missing key", "entra.yaml", "issuer: https://login.microsoftonline.com/TENANT/v2.0\n", ""),
    Mistake("a key twice", "entra.yaml", "scopes:", "display_name: Fabrikam\nscopes:"),
    Mistake("broken indentation", "entra.yaml", "  user_id:", " user_id:"),
    Mistake("a tab", "gateway.yaml", "  prod:", "\tprod:"),
    Mistake("nothing behind a key", "entra.yaml", "scopes: [openid, profile, email]", "scopes:"),
    Mistake("a secret in clear", "entra.yaml", "secret: {file: ../certs/entra.secret}", "secret: Tr0ub4dor-and-3"),
    Mistake("a foreign environment variable", "entra.yaml", "{file: ../certs/entra.secret}", "{env: ENTRA_SECRET}"),
    Mistake("an issuer without https", "entra.yaml", "https://login.microsoftonline.com", "http://login.microsoftonline.com"),
    Mistake(
        "the discovery document for the issuer", "partners.yaml", "partners.example", "partners.example/.well-known/openid-configuration"
    ),
    Mistake("the shared address of all tenants", "entra.yaml", "TENANT", "common"),
    Mistake("an unknown method", "entra.yaml", "client_secret_basic", "client_secret_basics"),
    Mistake("a text for a list", "entra.yaml", "[openid, profile, email]", "openid profile email"),
    Mistake("scopes without openid", "entra.yaml", "[openid, profile, email]", "[profile, email]"),
    Mistake("a reserved directory", "entra.yaml", "CONTOSO}\n", "Internal}\n"),
    Mistake("a reserved attribute", "entra.yaml", "sso_group:\n", "SecureRequest:\n"),
    Mistake("a directory from a claim without a list", "partners.yaml", ", one_of: [ACME, GLOBEX]", ""),
    Mistake("two sources", "partners.yaml", "{claim: employee_number}", "{claim: employee_number, value: all}"),
    Mistake("a misspelt variable in a rule", "entra.yaml", 'claims.?roles.orValue([])"\ntests', 'clams.?roles.orValue([])"\ntests'),
    Mistake("a rule that is no expression", "entra.yaml", "allow: \"'Qlik-Users' in", "allow: \"'Qlik-Users' inn"),
    Mistake("an unknown step", "entra.yaml", "strip_prefix", "strip_prefx"),
    Mistake("a test that does not hold", "entra.yaml", "[Users, Analysts]", "[Users, Analyst]"),
    Mistake("an unknown provider", "gateway.yaml", "[entra, partners]", "[entra, partner]"),
    Mistake("an unknown site in the defaults", "gateway.yaml", "  site: prod", "  site: production"),
    Mistake("one virtual proxy twice", "gateway.yaml", "prefix: ext", "prefix: sales"),
    Mistake("a prefix with a slash", "gateway.yaml", "prefix: ext", "prefix: /ext"),
    Mistake("a target without https", "gateway.yaml", "targets: [https", "targets: [http"),
    Mistake("a default target elsewhere", "gateway.yaml", "https://qlik.example.com/ext/hub/", "https://qlik.elsewhere.example/ext/hub/"),
    Mistake("one rule id twice", "gateway.yaml", "  extranet:", "      - {id: contractors, when: 'false'}\n  extranet:"),
    Mistake("two providers of one directory", "partners.yaml", "[ACME, GLOBEX]", "[ACME, contoso]"),
    Mistake("an id that is given anew", "partners.yaml", "employee_number", "email"),
    Mistake("a node with a prefix", "gateway.yaml", ":4243/qps/", ":4243/qps/ext/"),
    Mistake("a name id of an openid provider", "partners.yaml", "{claim: employee_number}", '{cel: "name_id"}'),
    Mistake(
        "an attribute that nobody maps is taken away",
        "gateway.yaml",
        "    prefix: ext",
        "    prefix: ext\n    mapping: {without: [sso_groups]}",
    ),
    Mistake("an acknowledgement without a reason", "entra.yaml", "", "acknowledge: [{finding: QGW-532}]\n"),
)


def told(mistake: Mistake | None) -> str:
    """What `check` prints."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            changed = text
            if mistake is not None and mistake.file == name:
                assert not mistake.old or text.count(mistake.old) == 1, mistake.name
                changed = text.replace(mistake.old, mistake.new) if mistake.old else text + mistake.new
            Path(folder, name).write_text(changed, encoding="utf-8")
        result = CliRunner().invoke(main, ["check", "--no-files", "--config", folder])
    return f"exit code {result.exit_code}\n{result.stdout.replace(folder, 'idp_configs')}"


def golden(mistake: Mistake) -> Path:
    """Where it is written down."""
    return TOLD / f"{mistake.name.replace(' ', '-')}.txt"


if __name__ == "__main__":
    for stale in TOLD.glob("*.txt"):
        stale.unlink()
    for one in MISTAKES:
        golden(one).write_text(told(one), encoding="utf-8")
