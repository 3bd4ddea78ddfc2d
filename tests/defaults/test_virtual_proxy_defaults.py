from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from gateway import config
from gateway.config.json_schema import json_schema
from gateway.config.wire_gateway import VirtualProxyDefaultsWire, VirtualProxyWire

GATEWAY = """\
schema: 1
public_url: https://sso.example.com
cookie_keys: [{file: ../certs/cookie.key}]
qlik_sites:
  prod:
    client_certificate: ../certs/client.pem
    client_key: ../certs/client_key.pem
    ca: ../certs/root.pem
    nodes: [{proxy_rest_uri: "https://qlik1.corp.example:4243/qps/"}]
  test:
    client_certificate: ../certs/client.pem
    client_key: ../certs/client_key.pem
    ca: ../certs/root.pem
    nodes: [{proxy_rest_uri: "https://qlik2.corp.example:4243/qps/"}]
"""
PROVIDER = """\
schema: 1
protocol: oidc
issuer: https://login.example.com
client_id: qlik
client_auth: {method: none}
mapping: {user_directory: {value: CONTOSO}, user_id: {claim: oid}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("entra", "partners"):
        (tmp_path / f"{name}.yaml").write_text(PROVIDER.replace("CONTOSO", name.upper()))
    return tmp_path


def load(folder: Path, virtual_proxies: str) -> config.Loaded:
    (folder / "gateway.yaml").write_text(GATEWAY + dedent(virtual_proxies))
    return config.load(folder, environ={}, files=False)


SHARED = """\
virtual_proxy_defaults:
  site: prod
  targets: [https://qlik.example.com]
  identity_providers: [entra]
  allow: "user.directory == 'ENTRA'"
  ticket_parameter: ticket
"""


def test_a_virtual_proxy_has_what_it_does_not_say_from_the_defaults(folder: Path) -> None:
    loaded = load(folder, SHARED + "virtual_proxies: {sales: {}, hr: {}}\n")
    assert loaded.configuration is not None, loaded.problems
    for name in ("sales", "hr"):
        found = loaded.configuration.virtual_proxies[name]
        assert (found.site, found.prefix, found.identity_providers) == ("prod", name, ("entra",))
        assert found.targets.default == f"https://qlik.example.com/{name}/hub/"
        assert found.targets.ticket_parameter == "ticket"
        assert [rule.owner for rule in found.access] == [f"virtual proxy {name}"]


def test_its_own_key_replaces_the_whole_key_of_the_defaults(folder: Path) -> None:
    own = "virtual_proxies: {sales: {site: test, identity_providers: [partners], allow: 'true'}}\n"
    loaded = load(folder, SHARED + own)
    assert loaded.configuration is not None, loaded.problems
    found = loaded.configuration.virtual_proxies["sales"]
    assert (found.site, found.identity_providers) == ("test", ("partners",))
    assert [rule.expression.source for rule in found.access] == ["true"]


def test_what_neither_says_is_missing_at_the_virtual_proxy(folder: Path) -> None:
    loaded = load(folder, "virtual_proxy_defaults: {site: prod, identity_providers: [entra]}\nvirtual_proxies:\n  sales: {}\n")
    assert [(problem.line, problem.code.value, problem.message) for problem in loaded.problems] == [
        (17, "QGW-505", "the key 'targets' is missing")
    ]


@pytest.mark.parametrize(
    ("wrong", "code", "line"),
    [
        ("site: nowhere", "QGW-508", 16),
        ("identity_providers: [entra, nobody]", "QGW-508", 18),
        ("targets: [{url: https://qlik.example.com, tickt: append}]", "QGW-504", 17),
        ("targets: [http://qlik.example.com]", "QGW-513", 17),
        ("allow: user.directry == 'X'", "QGW-515", 19),
        ("prefix: sales", "QGW-504", 19),
        ("colour: blue", "QGW-504", 19),
        ("default_target: https://elsewhere.example.com/", "QGW-517", 19),
    ],
)
def test_a_mistake_in_the_defaults_is_told_once_and_there(folder: Path, wrong: str, code: str, line: int) -> None:
    lines = {"site": "site: prod", "targets": "targets: [https://qlik.example.com]", "identity_providers": "identity_providers: [entra]"}
    lines[wrong.partition(":")[0]] = wrong
    many = "".join(f"  vp{number}: {{}}\n" for number in range(20))
    defaults = "".join(f"  {text}\n" for text in lines.values())
    loaded = load(folder, f"virtual_proxy_defaults:\n{defaults}virtual_proxies:\n{many}")
    assert [(problem.line, problem.code.value) for problem in loaded.problems] == [(line, code)]


STRONG = (
    SHARED
    + """\
  authentication: {require_amr: [mfa], max_age: 12h}
  network_defaults: [{networks: [10.0.0.0/8], identity_provider: entra}]
  deny: [{id: left, when: "claims.?left.orValue(false)"}]
  mapping: {attributes: {zone: {value: inside}}}
"""
)


def test_strength_networks_rules_and_mapping_can_be_shared_too(folder: Path) -> None:
    loaded = load(folder, STRONG + "virtual_proxies: {sales: {}, hr: {}}\n")
    assert loaded.configuration is not None, loaded.problems
    for name in ("sales", "hr"):
        found = loaded.configuration.virtual_proxies[name]
        assert (found.strength.require_amr, found.strength.max_age) == (frozenset({"mfa"}), timedelta(hours=12))
        assert [(str(rule.networks[0]), rule.idp) for rule in found.network_defaults] == [("10.0.0.0/8", "entra")]
        assert [(rule.id, rule.owner) for rule in found.access] == [("left", f"virtual proxy {name}"), ("allow", f"virtual proxy {name}")]
        assert found.overrides is not None
        assert [attribute for attribute, _ in found.overrides.attributes] == ["zone"]


def test_a_virtual_proxys_own_strength_replaces_the_shared_one_as_a_whole(folder: Path) -> None:
    """Nothing is merged: who asks for a younger sign-in alone asks for no second factor."""
    own = "virtual_proxies: {sales: {authentication: {max_age: 1h}, network_defaults: []}, hr: {}}\n"
    loaded = load(folder, STRONG + own)
    assert loaded.configuration is not None, loaded.problems
    sales, hr = (loaded.configuration.virtual_proxies[name] for name in ("sales", "hr"))
    assert (sales.strength.require_amr, sales.strength.max_age) == (frozenset(), timedelta(hours=1))
    assert (sales.network_defaults, len(hr.network_defaults)) == ((), 1)


def test_a_shared_network_default_for_a_provider_that_one_virtual_proxy_lacks_is_told_in_the_defaults(folder: Path) -> None:
    others = "hr: {identity_providers: [partners]}, it: {identity_providers: [partners]}"
    loaded = load(folder, f"{STRONG}virtual_proxies: {{sales: {{}}, {others}}}\n")
    assert [(problem.code.value, problem.line) for problem in loaded.problems] == [("QGW-508", 22)]
    assert loaded.problems[0].message == "there is no identity provider of this virtual proxy 'entra'"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("authentication: {max_age: forever}", "QGW-506"),
        ("authentication: {require_amrs: [mfa]}", "QGW-504"),
        ("authentication: {authn_context: [urn:oasis:names:tc:SAML:2.0:ac:classes:X509]}", "QGW-506"),
        ("network_defaults: [{networks: [10.0.0.1/8], identity_provider: entra}]", "QGW-506"),
        ("mapping: {without: [email]}", "QGW-508"),
    ],
)
def test_what_is_wrong_with_them_is_told_once_and_there(folder: Path, wrong: str, code: str) -> None:
    many = "".join(f"  vp{number}: {{}}\n" for number in range(20))
    loaded = load(folder, f"{SHARED}  {wrong}\nvirtual_proxies:\n{many}")
    assert [(problem.code.value, problem.line) for problem in loaded.problems] == [(code, 21)]


def test_two_virtual_proxies_of_one_prefix_are_found_through_the_defaults(folder: Path) -> None:
    loaded = load(folder, SHARED + "virtual_proxies: {sales: {}, copy: {prefix: sales}}\n")
    assert [problem.code.value for problem in loaded.problems] == ["QGW-510"]


def test_every_key_but_the_prefix_can_be_shared() -> None:
    assert set(VirtualProxyWire.model_fields) - set(VirtualProxyDefaultsWire.model_fields) == {"prefix"}
    assert not [name for name, field in VirtualProxyDefaultsWire.model_fields.items() if field.is_required()]


def test_editors_do_not_ask_for_what_the_defaults_may_say() -> None:
    schema = json_schema("gateway")
    assert "required" not in schema["$defs"]["VirtualProxyWire"]
    assert "virtual_proxy_defaults" in schema["properties"]
