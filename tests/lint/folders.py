"""Folders that are valid, to be judged by the linter. Their files are never read: no certificate is needed."""

from __future__ import annotations

from pathlib import Path

from gateway import config

GATEWAY = """\
schema: 1
public_url: https://sso.example.com
cookie_keys: [{file: ../certs/cookie.key}]
qlik_sites:
  prod: {client_certificate: c, client_key: k, ca: r, nodes: [{proxy_rest_uri: "https://qlik1.corp.example:4243/qps/"}]}
  test: {client_certificate: c, client_key: k, ca: r, nodes: [{proxy_rest_uri: "https://qlik2.corp.example:4243/qps/"}]}
virtual_proxies:
  sales: {site: prod, targets: [https://qlik.example.com], identity_providers: [entra, partners]}
  test: {site: test, targets: [https://test.example.com], identity_providers: [trial]}
"""
PROVIDER = """\
schema: 1
protocol: oidc
issuer: https://login.example.com/NAME
client_id: qlik
client_auth: {method: none}
mapping:
  user_directory: {value: NAME}
  user_id: {claim: oid}
  attributes:
    mail_address: {claim: email}
"""
DIRECTORY, USER_ID, ATTRIBUTES = "{value: ENTRA}", "{claim: oid}", "    mail_address: {claim: email}\n"


def write(folder: Path, **files: str) -> Path:
    """A folder without findings; `files` replace its files."""
    names = {"gateway": GATEWAY, **{name: PROVIDER.replace("NAME", name.upper()) for name in ("entra", "partners", "trial")}} | files
    for name, text in names.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def provider(name: str = "entra", *, acknowledge: str = "", **changes: str) -> str:
    """A provider's file with some of `user_directory`, `user_id` and `attributes` written otherwise."""
    text = PROVIDER.replace("NAME", name.upper())
    for key, old in {"user_directory": DIRECTORY.replace("ENTRA", name.upper()), "user_id": USER_ID, "attributes": ATTRIBUTES}.items():
        text = text.replace(old, changes.get(key, old))
    return text + acknowledge


def load(folder: Path) -> config.Loaded:
    """What comes of it."""
    return config.load(folder, environ={}, files=False)


def told(loaded: config.Loaded) -> list[str]:
    """Each open finding as `file code`."""
    return [f"{problem.file.removesuffix('.yaml')} {problem.code.value}" for problem in loaded.problems]
