"""A configuration folder for tests of mapping keys: one gateway, one provider, named files that are not read."""

from __future__ import annotations

from pathlib import Path

from gateway import config
from gateway.config.diagnostics import Severity

GATEWAY = """
schema: 1
public_url: https://sso.example.com
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
"""
ENTRA = """
schema: 1
protocol: oidc
issuer: https://login.example.com/tenant/v2.0
client_id: qlik
client_auth: {method: none}
"""
MAPPING = """
mapping:
  user_directory: {value: CONTOSO}
  user_id: {claim: oid}
"""


def write(folder: Path, provider: str, sales: str = "") -> Path:
    """`provider`: what stands in entra.yaml behind its registration; `sales`: what stands at the virtual proxy."""
    folder.mkdir(exist_ok=True)
    (folder / "gateway.yaml").write_text(GATEWAY + "".join(f"    {line}\n" for line in sales.splitlines()))
    (folder / "entra.yaml").write_text(ENTRA + provider)
    return folder


def load(folder: Path, provider: str, sales: str = "", *, tables: bool = True) -> config.Loaded:
    return config.load(write(folder, provider, sales), environ={}, files=False, tables=tables)


def problems(folder: Path, provider: str, sales: str = "") -> list[tuple[str, str, str]]:
    """Every error as its code, the line it points at, and its message."""
    errors = [problem for problem in load(folder, provider, sales).problems if problem.severity is Severity.ERROR]
    return [(problem.code.value, (problem.excerpt or "").strip(), problem.message) for problem in errors]
