"""Configuration folders for tests: a good one, and copies of it with something changed."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from gateway import config
from gateway.config import Loaded
from gateway.demo.certificates import make_site, make_web
from tests.peers.saml_forge import party
from tests.peers.saml_metadata import entity, raw, signed_metadata

GATEWAY = "gateway.yaml"
ENTRA = "entra.yaml"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MADE = datetime(2026, 1, 1, tzinfo=UTC)
HOST = "qlik1.corp.example"
SECRET = "hunter2-8Qm"

GOOD = {
    GATEWAY: """\
schema: 1
public_url: https://sso.example.com
listen: {host: 0.0.0.0, port: 8080}
cookie_keys:
  - {file: ../certs/cookie.key}
qlik_sites:
  prod:
    client_certificate: ../certs/client.pem
    client_key: ../certs/client_key.pem
    ca: ../certs/root.pem
    nodes:
      - proxy_rest_uri: https://qlik1.corp.example:4243/qps/
        reach_at: https://10.1.2.3:4243/qps/
virtual_proxies:
  sales:
    site: prod
    targets:
      - https://qlik.example.com
      - {url: https://mashup.example.com/sales/, ticket: append}
    identity_providers: [entra]
    allow: "true"
""",
    ENTRA: """\
schema: 1
protocol: oidc
issuer: https://login.microsoftonline.com/TENANT/v2.0
client_id: 00000000-0000-0000-0000-000000000000
client_auth: {method: client_secret_basic, secret: {file: ../certs/entra.secret}}
mapping:
  user_directory: {value: CONTOSO}
  user_id: {claim: oid}
  attributes:
    email: {claim: [contact, email]}
    group: {cel: "claims.?roles.orValue([])"}
allow: "'Qlik-Users' in claims.?roles.orValue([])"
acknowledge: [{finding: QGW-536, reason: No directory connector knows these users.}]
""",
}

ADFS = "adfs.yaml"
GOOD_SAML = """\
schema: 1
protocol: saml
display_name: Partners
entity_id: http://adfs.example.com/adfs/services/trust
metadata: {file: ../certs/adfs.xml}
sp:
  key: ../certs/saml_key.pem
  certificate: ../certs/saml.pem
  next_certificate: ../certs/saml_next.pem
  sign_requests: true
name_id_format: null
preset: adfs
idp_initiated: sales
mapping:
  user_directory: {value: PARTNERS}
  user_id: {name_id: true}
  attributes:
    group: {claim: "http://schemas.xmlsoap.org/claims/Group"}
allow: "'Qlik-Users' in claims.groups"
"""


@dataclass(slots=True)
class Shelf:
    """A place with `certs/` and as many configuration folders beside it as a test asks for."""

    base: Path
    numbers: count[int] = field(default_factory=count)

    def folder(self, **texts: str | bytes) -> Path:
        """A new folder: the good files, with these instead (`entra="…"`; an empty text leaves the file out)."""
        folder = self.base / f"configs{next(self.numbers)}"
        folder.mkdir()
        for name, text in ({name: text for name, text in GOOD.items() if name.removesuffix(".yaml") not in texts} | texts).items():
            if text:
                content = text if isinstance(text, bytes) else text.encode()
                (folder / (name if name.endswith(".yaml") else f"{name}.yaml")).write_bytes(content)
        return folder

    def changed(self, file: str, old: str, new: str) -> Path:
        """A new folder with one change in one file."""
        assert old in GOOD[file], old
        return self.folder(**{file.removesuffix(".yaml"): GOOD[file].replace(old, new, 1)})

    def with_saml(self, text: str = GOOD_SAML) -> Path:
        """A new folder with a SAML provider in `adfs.yaml`, which the virtual proxy offers beside the other one."""
        return self.folder(gateway=GOOD[GATEWAY].replace("[entra]", "[entra, adfs]"), adfs=text)

    def load(self, folder: Path, **environ: str) -> Loaded:
        return config.load(folder, environ=environ, now=NOW)


def make_shelf(base: Path) -> Shelf:
    """Write everything that the files name."""
    certs = base / "certs"
    certs.mkdir()
    site, other = (make_site([host], host_of_root=host, not_before=MADE) for host in (HOST, "qlik2.corp.example"))
    web = make_web(["sso.example.com"], not_before=NOW - timedelta(days=10))
    contents = {
        "root.pem": site.root,
        "client.pem": site.client,
        "client_key.pem": site.client_key,
        "node.pem": site.servers[HOST][0],
        "other_node.pem": other.servers["qlik2.corp.example"][0],
        "other_key.pem": other.client_key,
        "front.pem": web.servers["sso.example.com"][0],
        "front_key.pem": web.servers["sso.example.com"][1],
        "cookie.key": base64.urlsafe_b64encode(bytes(range(32))) + b"\n",
        "empty.pem": b"\n",
        "entra.secret": SECRET.encode() + b"\n",
        **saml_files(),
    }
    for name, content in contents.items():
        (certs / name).touch(mode=0o600)
        (certs / name).write_bytes(content)
    return Shelf(base)


def saml_files() -> dict[str, bytes]:
    """What the SAML provider's file names, good and bad."""
    ours, coming, theirs = party("sp"), party("sp-next"), "http://adfs.example.com/adfs/services/trust"
    good = entity(entity_id=theirs)
    locked = ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    return {
        "saml_key.pem": ours.key_pem,
        "saml_locked.pem": locked,
        "saml.pem": ours.certificate_pem,
        "saml_next.pem": coming.certificate_pem,
        "saml_weak_key.pem": party("weak", bits=1024).key_pem,
        "saml_weak.pem": party("weak", bits=1024).certificate_pem,
        "idp.pem": party("idp").certificate_pem,
        "federation.pem": party("federation").certificate_pem,
        "adfs.xml": good.encode(),
        "adfs_signed.xml": raw(signed_metadata(good)),
        "other.xml": entity(entity_id="https://other.example.com/").encode(),
        "doctype.xml": b"<!DOCTYPE x>" + good.encode(),
        "expired.xml": entity(entity_id=theirs, attributes=' validUntil="2026-05-01T00:00:00Z"').encode(),
        "http.xml": good.replace("https://idp", "http://idp").encode(),
        "keyless.xml": entity(entity_id=theirs, keys="").encode(),
        "page.xml": b"<html><body>Sign in</body></html>",
    }
