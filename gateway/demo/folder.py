"""The demo's configuration: a folder as an administrator would write it, so that the demo runs what production runs."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

from gateway.demo.certificates import make_service_provider
from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.openid_requests import Client
from gateway.demo.saml_provider import DemoSamlProvider
from gateway.demo.site import QlikSimulator
from gateway.model import Secret

HOST = "127.0.0.1"
OPENID = "openid"
SAML = "saml"
DISPLAY_NAMES = {OPENID: "Demo OpenID provider", SAML: "Demo SAML provider"}
DIRECTORIES = {OPENID: "DEMO", SAML: "PARTNERS"}
"""A user directory for each provider: the alice of one is not the alice of the other."""
CLIENT_ID = "qlikgw-demo"
VIRTUAL_PROXIES = {"sales": "sales", "main": ""}
"""The gateway's virtual proxies and their prefixes; `main` is the site's default one."""

GATEWAY = """\
schema: 1
public_url: {public_url}
listen: {{host: {host}, port: {port}}}
management: {{host: {host}, port: {management_port}}}
cookie_keys:
  - {{file: ../certs/cookie.key}}
qlik_sites:
  simulated:
    client_certificate: ../certs/client.pem
    client_key: ../certs/client_key.pem
    ca: ../certs/root.pem
    nodes:
{nodes}
virtual_proxies:
{virtual_proxies}
"""
NODE = """\
      - proxy_rest_uri: {named}
        reach_at: {reach_at}
"""
VIRTUAL_PROXY = """\
  {name}:
    site: simulated
    prefix: "{prefix}"
    targets: [{targets}]
    identity_providers: [{providers}]
"""
OPENID_PROVIDER = """\
schema: 1
protocol: oidc
display_name: {display_name}
issuer: {issuer}
client_id: {client_id}
client_auth: {{method: client_secret_basic, secret: {{file: ../certs/{provider}.secret}}}}
scopes: [openid, profile, email, groups]
mapping:
  user_directory: {{value: {directory}}}
  user_id: {{claim: sub}}
"""
SAML_PROVIDER = """\
schema: 1
protocol: saml
display_name: {display_name}
entity_id: {entity_id}
metadata: {{url: {entity_id}}}
sp: {{key: ../certs/{provider}_key.pem, certificate: ../certs/{provider}.pem}}
mapping:
  user_directory: {{value: {directory}}}
  user_id: {{name_id: true}}
"""
ATTRIBUTES = """\
  attributes:
    email: {claim: email}
    group: {cel: "claims.?groups.orValue([]).filter(g, g != 'qlik-users')"}
    identity_provider: {cel: "idp"}
allow: "'qlik-users' in claims.?groups.orValue([])"
"""


def write_folder(base: Path, site: QlikSimulator, openid: DemoOpenIdProvider, saml: DemoSamlProvider, *, ports: tuple[int, int]) -> Path:
    """Write `idp_configs/` and `certs/` into `base`, and enter the gateway at the site and at the providers. Returns the former.

    `ports`: for browsers, and for management.
    """
    port, management_port = ports
    public_url = f"http://{HOST}:{port}"
    secret, (certificate, key) = secrets.token_urlsafe(32), make_service_provider()
    folder = base / "idp_configs"
    _write_certificates(
        base / "certs", site, {f"{OPENID}.secret": secret, f"{SAML}.pem": certificate.decode(), f"{SAML}_key.pem": key.decode()}
    )
    _write(folder / "gateway.yaml", _gateway(site, public_url, port, management_port))
    _write(folder / f"{OPENID}.yaml", _provider(OPENID, OPENID_PROVIDER, issuer=openid.issuer, client_id=CLIENT_ID))
    _write(folder / f"{SAML}.yaml", _provider(SAML, SAML_PROVIDER, entity_id=saml.entity_id))
    for name, prefix in VIRTUAL_PROXIES.items():
        site.link(prefix, f"{public_url}/vp/{name}/login")
    openid.register(client(CLIENT_ID, secret, f"{public_url}/idp/{OPENID}"))
    ours = f"{public_url}/idp/{SAML}"
    saml.register(entity_id=f"{ours}/metadata", acs_url=f"{ours}/acs", slo_url=f"{ours}/slo", certificate=certificate)
    return folder


def client(client_id: str, secret: str, ours: str) -> Client:
    """The gateway as an OpenID provider registers it. `ours`: where its addresses for this provider begin."""
    return Client(
        client_id=client_id,
        secret=Secret(secret),
        redirect_uris=(f"{ours}/callback",),
        post_logout_redirect_uris=(f"{ours}/slo",),
        backchannel_logout_uri=f"{ours}/backchannel-logout",
    )


def _provider(name: str, template: str, **values: str) -> str:
    return template.format(provider=name, display_name=DISPLAY_NAMES[name], directory=DIRECTORIES[name], **values) + ATTRIBUTES


def _gateway(site: QlikSimulator, public_url: str, port: int, management_port: int) -> str:
    targets = ", ".join(site.url(node) for node in site.nodes)
    providers = ", ".join(DISPLAY_NAMES)
    return GATEWAY.format(
        public_url=public_url,
        host=HOST,
        port=port,
        management_port=management_port,
        nodes="".join(NODE.format(named=site.proxy_rest_uri("", node), reach_at=site.reach_at(node)) for node in site.nodes).rstrip(),
        virtual_proxies="".join(
            VIRTUAL_PROXY.format(name=name, prefix=prefix, targets=targets, providers=providers) for name, prefix in VIRTUAL_PROXIES.items()
        ).rstrip(),
    )


def _write_certificates(certs: Path, site: QlikSimulator, more: Mapping[str, str]) -> None:
    cookie_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    _write(certs / "root.pem", site.certificates.root.decode())
    _write(certs / "client.pem", site.certificates.client.decode())
    _write(certs / "client_key.pem", site.certificates.client_key.decode())
    _write(certs / "cookie.key", cookie_key + "\n")
    for name, content in more.items():
        _write(certs / name, content)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
