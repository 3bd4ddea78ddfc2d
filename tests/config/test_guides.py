"""Every file in the guides of docs/how-to/ can be used as it stands, and its access rule does what it is for."""

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

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = {name: (HOW_TO / f"{name}-providers.md").read_text() for name in ("openid", "saml")}
FILES = {
    (guide, name): text
    for guide, page in PAGES.items()
    for name, text in re.findall(r"```yaml\n# idp_configs/([a-z0-9-]+)\.yaml\n(.+?)```", page, re.DOTALL)
}
PRODUCTS = {
    "openid": ("Microsoft Entra ID", "Okta", "Keycloak", "Auth0", "Google Workspace", "PingOne", "AD FS"),
    "saml": ("AD FS", "Microsoft Entra ID", "Okta", "Ping", "Keycloak", "Shibboleth", "SimpleSAMLphp"),
}
RULES = [key for key, text in FILES.items() if "\nallow:" in text]
OF_THEIR_OWN = {("openid", "google"), ("openid", "adfs-oidc")}
READS_GROUPS = re.compile(r"^'(?P<group>[^']+)' in claims(?:\.\?(?P<plain>\w+)|\[\?'(?P<quoted>[^']+)'\])\.orValue\(\[\]\)$")
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


@pytest.mark.parametrize(("guide", "product"), [(guide, product) for guide, products in PRODUCTS.items() for product in products])
def test_a_product_has_its_part(guide: str, product: str) -> None:
    part = PAGES[guide].partition(f"\n## {product}\n")[2].partition("\n## ")[0]
    assert "```yaml\n# idp_configs/" in part


@pytest.mark.parametrize(("guide", "name"), FILES)
def test_a_file_of_a_guide_has_no_mistakes(guide: str, name: str, tmp_path: Path) -> None:
    virtual_proxy = {"site": "prod", "targets": ["https://qlik.example.com"], "identity_providers": [name]}
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(GATEWAY | {"virtual_proxies": {"sales": virtual_proxy}}))
    (tmp_path / f"{name}.yaml").write_text(FILES[guide, name])
    problems = config.load(tmp_path, environ={}, files=False).problems
    assert [problem for problem in problems if problem.code.value not in FINDINGS] == []  # whether a finding matters, its site decides


def passes(guide: str, name: str, claims: dict[str, Any]) -> bool:
    rules = [AccessRule(owner=name, expression=compile_expression(yaml.safe_load(FILES[guide, name])["allow"], Scope.ACCESS))]
    try:
        check_access(rules, Subject(claims=claims, name_id="alice"), USER, idp=name)
    except GatewayError:
        return False
    return True


@pytest.mark.parametrize(("guide", "name"), [key for key in RULES if key not in OF_THEIR_OWN])
def test_an_access_rule_of_a_guide_lets_the_group_in_and_nobody_else(guide: str, name: str) -> None:
    content = yaml.safe_load(FILES[guide, name])
    found = READS_GROUPS.match(content["allow"])
    assert found, content["allow"]
    claim, group = found["plain"] or found["quoted"], found["group"]
    assert claim in str(content["mapping"]["attributes"]["group"])  # the rule reads what the attribute is made of
    assert passes(guide, name, {claim: ["other", group]})
    for claims in ({}, {claim: ["other"]}, {claim: []}):
        assert not passes(guide, name, claims)


def test_the_rule_for_google_lets_accounts_of_the_organisation_in_and_no_private_ones() -> None:
    assert passes("openid", "google", {"hd": "example.com", "email": "alice@example.com"})
    for claims in ({}, {"email": "alice@example.com"}, {"hd": "example.net"}, {"hd": ["example.com"]}):
        assert not passes("openid", "google", claims)


def test_the_rule_for_ad_fs_reads_one_group_as_text_and_several_as_a_list() -> None:
    for group in ("Qlik-Users", ["Qlik-Users"], ["other", "Qlik-Users"]):
        assert passes("openid", "adfs-oidc", {"group": group})
    for claims in ({}, {"group": "other"}, {"group": []}, {"group": ["other"]}, {"group": "Qlik-Users, other"}):
        assert not passes("openid", "adfs-oidc", claims)
