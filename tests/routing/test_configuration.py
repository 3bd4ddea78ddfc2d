"""`authentication`, `domains` and `network_defaults` in the configuration: what they become, and every mistake at its place."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import config
from gateway.config import Code, Loaded
from gateway.routing import NetworkDefault
from gateway.strength import Strength


def provider(**keys: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "protocol": "oidc",
        "issuer": "https://login.example.com",
        "client_id": "qlikgw",
        "client_auth": {"method": "none"},
        "mapping": {"user_directory": {"value": "CONTOSO"}, "user_id": {"claim": "oid"}},
        **keys,
    }


def load(folder: Path, *, virtual_proxy: dict[str, Any] | None = None, **providers: dict[str, Any]) -> Loaded:
    gateway = {
        "schema": 1,
        "public_url": "https://sso.example.com",
        "cookie_keys": [{"env": "QLIKGW_KEY"}],
        "qlik_sites": {
            "prod": {
                "client_certificate": "client.pem",
                "client_key": "client_key.pem",
                "ca": "root.pem",
                "nodes": [{"proxy_rest_uri": "https://qlik1.corp.example:4243/qps/"}],
            }
        },
        "virtual_proxies": {
            "sales": {
                "site": "prod",
                "targets": ["https://qlik.example.com"],
                "identity_providers": ["entra", "partners"],
                **(virtual_proxy or {}),
            }
        },
    }
    for name, content in {"gateway": gateway, "entra": provider(**providers.get("entra", {})), "partners": provider()}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return config.load(folder, environ={}, files=False)


def test_the_keys_become_values_of_the_core(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        virtual_proxy={
            "authentication": {"require_acr": ["gold"], "authn_context": ["urn:x"], "force_authn": True, "max_age": "1h"},
            "network_defaults": [{"networks": ["10.0.0.0/8", "2001:db8::1"], "identity_provider": "entra"}],
        },
        entra={
            "domains": ["Example.com", "b\u00fccher.example"],
            "authentication": {"acr_values": ["b", "a"], "require_acr": ["gold", "silver"], "require_amr": ["mfa"], "prompt": "consent"},
        },
    )
    assert loaded.configuration is not None, loaded.problems
    sales, entra = loaded.configuration.virtual_proxies["sales"], loaded.configuration.providers["entra"]
    assert sales.strength == Strength(require_acr=("gold",), authn_context=("urn:x",), fresh=True, max_age=timedelta(hours=1))
    assert sales.network_defaults == (NetworkDefault(networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::1")), idp="entra"),)
    assert entra.domains == {"example.com", "xn--bcher-kva.example"}
    assert entra.strength == Strength(
        acr_values=("b", "a"), require_acr=("gold", "silver"), require_amr=frozenset({"mfa"}), prompts=frozenset({"consent"})
    )
    assert loaded.configuration.providers["partners"].strength == Strength()


MISTAKES: list[tuple[dict[str, Any], dict[str, Any], Code, str]] = [
    ({}, {"authentication": {"require_acr": []}}, Code.EMPTY_VALUE, "entra.yaml"),
    ({}, {"authentication": {"require_acr": "gold"}}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"authentication": {"require_acr": ["a b"]}}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"authentication": {"prompt": "none"}}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"authentication": {"max_age": "0s"}}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"authentication": {"max_age": 60}}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"authentication": {"require_acrs": ["gold"]}}, Code.UNKNOWN_KEY, "entra.yaml"),
    ({}, {"authentication": {"authn_context": ["gold"]}}, Code.UNKNOWN_KEY, "entra.yaml"),
    ({}, {"authentication": None}, Code.EMPTY_VALUE, "entra.yaml"),
    ({}, {"domains": ["alice@example.com"]}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"domains": ["https://example.com"]}, Code.WRONG_VALUE, "entra.yaml"),
    ({}, {"domains": ["*.example.com"]}, Code.WRONG_VALUE, "entra.yaml"),
    ({"authentication": {"authn_context": ["urn:x"]}}, {}, Code.WRONG_VALUE, "gateway.yaml"),
    (
        {"authentication": {"require_acr": ["gold"]}},
        {"authentication": {"require_acr": ["silver"]}},
        Code.WRONG_VALUE,
        "gateway.yaml",
    ),
    ({"network_defaults": [{"networks": ["10.0.0.0/8"], "identity_provider": "nobody"}]}, {}, Code.DANGLING, "gateway.yaml"),
    ({"network_defaults": [{"networks": [], "identity_provider": "entra"}]}, {}, Code.EMPTY_VALUE, "gateway.yaml"),
    ({"network_defaults": [{"networks": ["10.0.0.1/8"], "identity_provider": "entra"}]}, {}, Code.WRONG_VALUE, "gateway.yaml"),
    (
        {"identity_providers": ["entra"], "network_defaults": [{"networks": ["10.0.0.0/8"], "identity_provider": "partners"}]},
        {},
        Code.DANGLING,
        "gateway.yaml",
    ),
]


@pytest.mark.parametrize(("virtual_proxy", "entra", "code", "file"), MISTAKES)
def test_a_mistake_is_told_once_at_its_place(
    tmp_path: Path, virtual_proxy: dict[str, Any], entra: dict[str, Any], code: Code, file: str
) -> None:
    loaded = load(tmp_path, virtual_proxy=virtual_proxy, entra=entra)
    assert loaded.configuration is None
    found = {(problem.code, problem.file) for problem in loaded.problems}
    assert found == {(code, file)}
    assert all(problem.line > 1 for problem in loaded.problems)
