"""The estate of docs/many-virtual-proxies.md, alive: its files as they stand there, with loopback addresses in the place of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from gateway import config
from gateway.app import Gateway
from gateway.demo.certificates import SiteCertificates, make_site
from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.openid_requests import AuthorizationRequest, Client
from gateway.demo.saml_provider import DemoSamlProvider
from gateway.demo.site import QlikSimulator
from gateway.demo.watching import Watcher
from gateway.model import JsonValue, Secret
from tests.fakes import FixedClock
from tests.flow.world import SECRET, Answer, Browser, World, stop_world, write_certificates
from tests.ports import unused_port

PAGE = Path(__file__).parents[2] / "docs" / "many-virtual-proxies.md"
FILES: dict[str, str] = dict(re.findall(r"```yaml\n# idp_configs/([a-z0-9-]+\.yaml)\n(.+?)```", PAGE.read_text(), re.DOTALL))
SITES = {
    "corp": (("qlik1.corp.example", "qlik2.corp.example"), {"hub": "", "mashup": "mashup", "qmc": "admin"}),
    "dmz": (("qlik.dmz.example",), {"extranet": "ext"}),
}
OPENID = {
    "entra": "https://login.microsoftonline.com/TENANT/v2.0",
    "partners": "https://keycloak.example.com/realms/partners",
    "consultants": "https://consultants.example.net/oauth2/default",
}
CLIENTS = {"entra": "00000000-0000-0000-0000-000000000000", "partners": "qlikgw", "consultants": "qlikgw"}
SAML = {"adfs": "http://adfs.example.com/adfs/services/trust", "suppliers": "https://idp.supplier.example/metadata"}
ADFS_METADATA = "https://adfs.example.com/FederationMetadata/2007-06/FederationMetadata.xml"
ENVIRONMENT = {"QLIKGW_PARTNERS_SECRET": SECRET}
PORTAL = "http://127.0.0.1:9/sales/"
"""The mashup's own place; nobody needs to answer there."""


@dataclass
class Estate(World):
    """Two sites: `site` is corp, `sites` both."""

    sites: dict[str, QlikSimulator] = field(default_factory=dict)

    def says(self, idp: str, **claims: JsonValue) -> None:
        """What an OpenID provider says of whoever signs in, beside its own claims."""

        def assurance(_: AuthorizationRequest) -> Mapping[str, JsonValue]:
            return claims

        self.providers[idp].assurance = assurance

    def signed_in(self, site: str) -> list[tuple[str, str, str, dict[str, list[str]]]]:
        """Everybody with a session on a site: prefix, directory, user id, attributes."""
        found = []
        for node in self.sites[site].nodes:
            for session in self.sites[site].node(node).memory.sessions.values():
                attributes: dict[str, list[str]] = {}
                for name, value in session.user.attributes:
                    attributes.setdefault(name, []).append(value)
                found.append((session.prefix, session.user.directory, session.user.user_id, attributes))
        return found


@cache
def certificates_of(site: str) -> SiteCertificates:
    """The same for every test: making them takes longer than a login."""
    nodes, _ = SITES[site]
    return make_site(nodes, host_of_root=nodes[0])


def loopback(estate_sites: Mapping[str, QlikSimulator], addresses: Mapping[str, str], port: int, management: int) -> dict[str, str]:
    """What of the page's texts is written otherwise here: addresses and nothing else."""
    nodes = {
        f'"https://{name}:4243/qps/"': f'"{site.proxy_rest_uri("", name)}", reach_at: "{site.reach_at(name)}", server_name: "{name}"'
        for site in estate_sites.values()
        for name in site.nodes
    }
    return {
        "https://sso.example.com": f"http://127.0.0.1:{port}",
        "{host: 0.0.0.0, port: 8080}": f"{{host: 127.0.0.1, port: {port}}}",
        "{host: 127.0.0.1, port: 8081}": f"{{host: 127.0.0.1, port: {management}}}",
        "https://qlik.example.com": estate_sites["corp"].url(),
        "https://extranet.example.com": estate_sites["dmz"].url(),
        "https://portal.example.org/sales/": PORTAL,
        **nodes,
        **addresses,
    }


def with_addresses(text: str, addresses: Mapping[str, str]) -> str:
    for written, here in addresses.items():
        text = text.replace(written, here)
    return text


async def start_estate(folder: Path, *, clock: Any = None, also: Mapping[str, str] | None = None) -> Estate:
    """Start it all. `also`: more texts to be written otherwise."""
    clock, port, management, watcher = clock or FixedClock(), unused_port(), unused_port(), Watcher()
    at = f"http://127.0.0.1:{port}"
    sites = {}
    for name, (nodes, doors) in SITES.items():
        modules = {prefix: f"{at}/vp/{door}/login" for door, prefix in doors.items()}
        certificates = certificates_of(name)
        site = sites[name] = QlikSimulator(clock=clock, nodes=nodes, virtual_proxies=modules, certificates=certificates)
        await site.start()
    openid = {name: DemoOpenIdProvider(clock=clock, watch=watcher) for name in OPENID}
    saml = {name: DemoSamlProvider(clock=clock) for name in SAML}
    for provider in (*openid.values(), *saml.values()):
        await provider.start()
    for name, openid_provider in openid.items():
        uri = f"{at}/idp/{name}/callback"
        openid_provider.register(Client(client_id=CLIENTS[name], secret=Secret(SECRET), redirect_uris=(uri,)))
    for name, saml_provider in saml.items():
        saml_provider.register(entity_id=f"{at}/idp/{name}/metadata", acs_url=f"{at}/idp/{name}/acs")
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    async with session.get(saml["suppliers"].entity_id) as response:
        suppliers = await response.read()
    for name, site in sites.items():
        (folder / "certs" / name).mkdir(parents=True)
        write_certificates(folder / "certs" / name, site.certificates, {})
    files = {"entra.secret": SECRET.encode(), "consultants.secret": SECRET.encode() + b"\n", "suppliers.xml": suppliers}
    write_certificates(folder / "certs", sites["corp"].certificates, files)
    addresses = {OPENID[name]: provider.issuer for name, provider in openid.items()}
    addresses |= {SAML[name]: provider.entity_id for name, provider in saml.items()} | {ADFS_METADATA: saml["adfs"].entity_id}
    configs = folder / "idp_configs"
    configs.mkdir()
    for name, text in FILES.items():
        (configs / name).write_text(with_addresses(text, loopback(sites, addresses, port, management) | dict(also or {})))
    gateway = await serve(configs, clock)
    return Estate(
        folder=configs,
        site=sites["corp"],
        sites=sites,
        providers=openid,
        saml=saml,
        gateway=gateway,
        clock=clock,
        url=at,
        management=f"http://127.0.0.1:{management}",
        session=session,
        watcher=watcher,
    )


async def serve(configs: Path, clock: Any) -> Gateway:
    loaded = load(configs)
    assert loaded.configuration is not None, "\n".join(f"{p.file}:{p.line}: {p.code} {p.message}" for p in loaded.problems)
    gateway = Gateway(loaded.configuration, clock=clock)
    await gateway.start()
    return gateway


def load(configs: Path) -> config.Loaded:
    return config.load(configs, environ=ENVIRONMENT)


async def stop_estate(estate: Estate) -> None:
    await stop_world(estate)
    await estate.sites["dmz"].close()


async def choose(estate: Estate, browser: Browser, site: str, prefix: str, idp: str) -> Answer:
    """From the hub's address to the provider's sign-in page; where there is a page to choose on, by its link."""
    page = await browser.follow(await browser.get(estate.sites[site].hub(prefix)))
    if "Choose how to sign in" not in page.text:
        return page
    link = re.search(rf'<a href="([^"]*idp={idp}[^"]*)"', page.text)
    assert link, page.text
    return await browser.follow(await browser.get(estate.url + link[1].replace("&amp;", "&")))


async def answer_of(browser: Browser, page: Answer, user: str = "alice") -> Answer:
    """Sign in at the provider: a redirect to the callback, or the page with the form that goes there."""
    return await browser.submit(page, user=user)


async def finish(browser: Browser, answer: Answer) -> Answer:
    """From the provider's answer to where the browser comes to rest."""
    return await browser.follow(await browser.submit(answer) if answer.status == 200 else answer, until=PORTAL)
