"""Every file in docs/how-to/saml-providers.md can be used as it stands, and its access rule does what it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import config
from gateway.config.diagnostics import FINDINGS
from gateway.errors import GatewayError
from gateway.mapping import AccessRule, Scope, Subject, check_access, compile_expression
from gateway.model import QlikUser

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "saml-providers.md").read_text()
FILES = dict(re.findall(r"```yaml\n# idp_configs/([a-z0-9-]+)\.yaml\n(.+?)```", PAGE, re.DOTALL))
PRODUCTS = ("AD FS", "Microsoft Entra ID", "Okta", "Ping", "Keycloak", "Shibboleth", "SimpleSAMLphp")
USER = QlikUser(directory="PARTNERS", user_id="alice", attributes=())
GATEWAY: dict[str, Any] = {
    "schema": 1,
    "public_url": "https://sso.example.com",
    "cookie_keys": [{"file": "../certs/cookie.key"}],
    "qlik_sites": {
        "prod": {
            "client_certificate": "../certs/client.pem",
            "client_key": "../certs/client_key.pem",
            "ca": "../certs/root.pem",
            "nodes": [{"proxy_rest_uri": "https://qlik1.corp.example:4243/qps/"}],
        }
    },
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_has_its_part(product: str) -> None:
    part = PAGE.partition(f"\n## {product}\n")[2].partition("\n## ")[0]
    assert "```yaml\n# idp_configs/" in part


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_guide_has_no_mistakes(name: str, tmp_path: Path) -> None:
    virtual_proxy = {"site": "prod", "targets": ["https://qlik.example.com"], "identity_providers": [name]}
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(GATEWAY | {"virtual_proxies": {"sales": virtual_proxy}}))
    (tmp_path / f"{name}.yaml").write_text(FILES[name])
    problems = config.load(tmp_path, environ={}, files=False).problems
    assert [problem for problem in problems if problem.code.value not in FINDINGS] == []  # whether a finding matters, its site decides


@pytest.mark.parametrize("name", [name for name, text in FILES.items() if "\nallow:" in text])
def test_an_access_rule_of_the_guide_lets_the_group_in_and_nobody_else(name: str) -> None:
    content = yaml.safe_load(FILES[name])
    rule, claim = content["allow"], content["mapping"]["attributes"]["group"]["claim"]
    group = rule.split("'")[1]
    rules = [AccessRule(owner=name, expression=compile_expression(rule, Scope.ACCESS))]
    check_access(rules, Subject(claims={claim: ["other", group]}, name_id="alice"), USER, idp=name)
    for claims in ({}, {claim: ["other"]}, {claim: []}):
        with pytest.raises(GatewayError):
            check_access(rules, Subject(claims=claims, name_id="alice"), USER, idp=name)
