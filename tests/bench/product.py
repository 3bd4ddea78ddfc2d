"""The product as a system under test: `qlikgw serve` on a configuration folder, as an administrator would write it."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from urllib.parse import urlencode

from tests.bench import wire
from tests.bench.browser import Journey
from tests.bench.identity_provider import CLIENT_ID, CLIENT_SECRET
from tests.bench.stage import HOST, NODE, QLIK_HOST, Stage

PUBLIC_URL = "https://sso.example.com"
TICKET = re.compile(rf"^{re.escape(QLIK_HOST)}/bench/hub/\?qlikTicket=.")
GATEWAY = """\
schema: 1
public_url: {public_url}
listen: {{host: {host}, port: {port}}}
management: {{host: {host}, port: {management_port}}}
cookie_keys:
  - {{file: ../certs/cookie.key}}
store: {{url: "{store}"}}
drain: 0s
outbound: {{ca: ../certs/ca.crt}}
qlik_sites:
  prod:
    client_certificate: ../certs/client.pem
    client_key: ../certs/client_key.pem
    ca: ../certs/root.pem
    nodes:
      - {{proxy_rest_uri: "{node}", reach_at: "https://{host}:{qlik_port}/qps/"}}
virtual_proxies:
"""
VIRTUAL_PROXY = """\
  {name}:
    site: prod
    prefix: {name}
    targets: [{qlik_host}]
    identity_providers: [{provider}]
"""
OPENID = """\
schema: 1
protocol: oidc
issuer: {issuer}
client_id: {client_id}
client_auth: {{method: client_secret_basic, secret: {{file: ../certs/client.secret}}}}
id_token_algorithms: [{algorithm}]
scopes: [openid, profile, email]
mapping:
  user_directory: {{value: {directory}}}
  user_id: {{claim: sub}}
"""
SAML = """\
schema: 1
protocol: saml
entity_id: {issuer}/saml/metadata
metadata: {{file: ../certs/idp-metadata.xml}}
second_opinion: {second_opinion}
mapping:
  user_directory: {{value: {directory}}}
  user_id: {{name_id: true}}
"""
RULES = """\
  attributes:
    email: {claim: email}
    group: {cel: "claims.?groups.orValue([]).filter(g, g.startsWith('qlik-'))"}
allow: "'qlik-users' in claims.?groups.orValue([])"
"""
JOURNEYS = {"OIDC": "oidc", "SAML, both opinions": "saml", "SAML, own engine": "own"}
"""What a login is called in the tables, and the virtual proxy and provider that it goes by."""


def write_folder(
    stage: Stage, *, ports: tuple[int, int], store: str = "memory:", oidc_alone: bool = False, virtual_proxies: int = 1, providers: int = 1
) -> Path:
    """A folder `idp_configs` with three providers, or one, a virtual proxy for each, and as many more of both as asked for."""
    folder, certs = stage.folder / f"product-{ports[0]}" / "idp_configs", stage.folder / f"product-{ports[0]}" / "certs"
    folder.mkdir(parents=True)
    certs.symlink_to(stage.folder)
    if not (certs / "cookie.key").exists():  # shared by all gateways of the stage, which would take a new one over
        (certs / "cookie.key").write_text(wire.encoded(secrets.token_bytes(32)))
    (certs / "client.secret").write_text(CLIENT_SECRET)
    text = GATEWAY.format(
        public_url=PUBLIC_URL, host=HOST, port=ports[0], management_port=ports[1], store=store, node=NODE, qlik_port=stage.qlik_port
    )
    pairs = [(name, name) for name in JOURNEYS.values() if name == "oidc" or not oidc_alone]
    others = [f"idp-{number}" for number in range(providers - 1)]
    pairs += [(f"vp-{number}", others[number % len(others)] if others else "oidc") for number in range(virtual_proxies - 1)]
    text += "".join(VIRTUAL_PROXY.format(name=name, provider=provider, qlik_host=QLIK_HOST) for name, provider in pairs)
    (folder / "gateway.yaml").write_text(text)
    common = {"issuer": stage.provider.issuer, "client_id": CLIENT_ID, "algorithm": stage.provider.signing.alg}
    for name in ("oidc", *others):
        (folder / f"{name}.yaml").write_text(OPENID.format(directory=name.upper(), **common) + RULES)
    for name, second_opinion in () if oidc_alone else (("saml", "true"), ("own", "false")):
        (folder / f"{name}.yaml").write_text(
            SAML.format(issuer=stage.provider.issuer, directory=name.upper(), second_opinion=second_opinion) + RULES
        )
    return folder


def journey(virtual_proxy: str, port: int) -> Journey:
    """A login at one virtual proxy."""
    query = urlencode({"proxyRestUri": f"{NODE}{virtual_proxy}/"})
    return Journey(start=f"{PUBLIC_URL}/vp/{virtual_proxy}/login?targetId={{target}}&{query}", ends=TICKET, address=(HOST, port))
