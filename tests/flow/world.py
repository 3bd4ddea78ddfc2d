"""A whole world on loopback: a simulated Qlik site, OpenID and SAML providers, the gateway from its YAML folder, and browsers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import aiohttp
import yaml
from yarl import URL

from gateway import config
from gateway.app import Gateway
from gateway.demo.certificates import SiteCertificates
from gateway.demo.folder import client
from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.saml_provider import DemoSamlProvider
from gateway.demo.site import QlikSimulator
from gateway.demo.site.memory import Session
from gateway.demo.watching import Watcher
from gateway.ports import Clock
from tests.fakes import FixedClock
from tests.peers.saml_forge import party
from tests.ports import unused_port

SECRET = "demo-secret-canary-5f1c"
Edit = Callable[[dict[str, Any]], None]


@dataclass
class Answer:
    """What a browser got."""

    url: str
    status: int
    headers: Mapping[str, str]
    set_cookies: list[str]
    text: str

    @property
    def location(self) -> str:
        return urljoin(self.url, self.headers["Location"])

    @property
    def code(self) -> str | None:
        """The QGW code on an error page or in a JSON error."""
        found = re.search(r"QGW-\d{3}", self.text)
        return found.group() if found else None

    def json(self) -> Any:
        return json.loads(self.text)


class Browser:
    """Keeps cookies per host (a port does not separate them, RFC 6265 §8.5), follows nothing by itself."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.cookies: dict[str, dict[str, str]] = {}
        self.seen: list[Answer] = []

    async def get(self, url: str, **headers: str) -> Answer:
        return await self.send("GET", url, headers=headers)

    async def post(self, url: str, fields: Mapping[str, str], **headers: str) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.send("POST", url, headers=form | headers, body=urlencode(fields).encode())

    async def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        jar = self.cookies.setdefault(str(urlsplit(url).hostname), {})
        cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()} | ({"Cookie": cookie} if cookie else {})
        target = URL(url.partition("#")[0], encoded=True)
        async with self._session.request(method, target, headers=sent, data=body, allow_redirects=False) as response:
            lines = response.headers.getall("Set-Cookie", [])
            for line in lines:
                for morsel in SimpleCookie(line).values():
                    if morsel["max-age"] == "0":
                        jar.pop(morsel.key, None)
                    else:
                        jar[morsel.key] = morsel.value
            answer = Answer(url, response.status, response.headers, lines, await response.text())
        self.seen.append(answer)
        return answer

    async def follow(self, answer: Answer, *, until: str | None = None, most: int = 12) -> Answer:
        """Follow redirects; stop before the first address that begins with `until`."""
        for _ in range(most):
            if answer.status not in {302, 303} or (until and answer.location.startswith(until)):
                return answer
            answer = await self.get(answer.location)
        raise AssertionError("too many redirects")

    async def submit(self, answer: Answer, **fields: str) -> Answer:
        """Send the page's form with its hidden fields, and these."""
        form = re.search(r"<form[^>]*>", answer.text)
        assert form, answer.text
        action = re.search(r'action="([^"]*)"', form.group())
        hidden = dict(re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"', answer.text))
        values = {name: unescape(value) for name, value in hidden.items()} | fields
        return await self.post(urljoin(answer.url, unescape(action.group(1)) if action else ""), values)


@dataclass
class World:
    """Everything that runs. `url`: the gateway's public URL; `alice` signs in at the first provider."""

    folder: Path
    site: QlikSimulator
    providers: dict[str, DemoOpenIdProvider]
    gateway: Gateway
    clock: Any
    url: str
    management: str
    session: aiohttp.ClientSession
    watcher: Watcher
    prefixes: tuple[str, ...] = field(default=("sales",))
    saml: dict[str, DemoSamlProvider] = field(default_factory=dict)

    def browser(self) -> Browser:
        return Browser(self.session)

    def sessions(self, prefix: str = "sales", node: str | None = None) -> list[Session]:
        """The Qlik sessions that live on a node (the first one without a name)."""
        return [session for session in self.site.node(node).memory.sessions.values() if session.prefix == prefix]

    async def ask_hub(self, browser: Browser, prefix: str = "sales", node: str | None = None) -> Answer:
        """Ask the virtual proxy for its hub: the redirect to the gateway."""
        return await browser.get(self.site.hub(prefix, node))

    async def to_sign_in(self, browser: Browser, prefix: str = "sales", node: str | None = None) -> Answer:
        """As far as the provider's sign-in page."""
        return await browser.follow(await self.ask_hub(browser, prefix, node))

    async def to_callback(self, browser: Browser, user: str = "alice", prefix: str = "sales", node: str | None = None) -> Answer:
        """As far as the provider's answer: a redirect to the callback (not yet followed), or the page with the form_post."""
        return await browser.submit(await self.to_sign_in(browser, prefix, node), user=user)

    async def sign_in(self, browser: Browser, user: str = "alice", prefix: str = "sales", node: str | None = None) -> Answer:
        """The whole way; the last answer is the hub's page, or an error page."""
        answer = await self.to_callback(browser, user, prefix, node)
        if answer.status == 200:
            answer = await browser.submit(answer)
        return await browser.follow(answer)

    async def run_errands(self) -> None:
        """What the gateway does in the background, if it is due."""
        await self.gateway._errands.run_due(self.gateway._in_use)

    async def metrics(self) -> str:
        async with self.session.get(f"{self.management}/metrics") as response:
            return await response.text()


def sharing(store: str | None) -> Edit:
    """A gateway with its marks and its index in that store; None: in its own memory."""
    return lambda gateway: gateway.update({} if store is None else {"store": {"url": store}})


def write(folder: Path, name: str, content: object) -> None:
    """In one step: whoever follows the folder never sees half of it."""
    (folder / f".{name}").write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / f".{name}").rename(folder / name)


def gateway_yaml(site: QlikSimulator, providers: Iterable[str], port: int) -> dict[str, Any]:
    nodes = [
        {"proxy_rest_uri": site.proxy_rest_uri("", name), "reach_at": site.reach_at(name), "server_name": name}
        for name in site.certificates.servers
    ]
    return {
        "schema": 1,
        "public_url": f"http://127.0.0.1:{port}",
        "listen": {"host": "127.0.0.1", "port": port},
        "management": {"host": "127.0.0.1", "port": unused_port()},
        "cookie_keys": [{"file": "../certs/cookie.key"}],
        "qlik_sites": {
            "prod": {
                "client_certificate": "../certs/client.pem",
                "client_key": "../certs/client_key.pem",
                "ca": "../certs/root.pem",
                "nodes": nodes,
            }
        },
        "virtual_proxies": {
            prefix or "default": {
                "site": "prod",
                "prefix": prefix,
                "targets": [site.url(name) for name in site.certificates.servers],
                "identity_providers": list(providers),
            }
            for prefix in site.virtual_proxies
        },
    }


def provider_yaml(provider: DemoOpenIdProvider, name: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "protocol": "oidc",
        "display_name": f"Provider {name}",
        "issuer": provider.issuer,
        "client_id": f"qlikgw-{name}",
        "client_auth": {"method": "client_secret_basic", "secret": {"file": "../certs/idp.secret"}},
        "scopes": ["openid", "profile", "email", "groups"],
        "mapping": {
            "user_directory": {"value": "CONTOSO"},
            "user_id": {"claim": "preferred_username"},
            "attributes": {"email": {"claim": "email"}, "group": {"claim": "groups"}, "idp": {"cel": "idp"}},
        },
        "allow": "'qlik-users' in claims.groups",
    }


def saml_yaml(provider: DemoSamlProvider, name: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "protocol": "saml",
        "display_name": f"Provider {name}",
        "entity_id": provider.entity_id,
        "metadata": {"url": provider.entity_id},
        "mapping": {
            "user_directory": {"value": "PARTNERS"},
            "user_id": {"name_id": True},
            "attributes": {"email": {"claim": "email"}, "group": {"claim": "groups"}, "idp": {"cel": "idp"}},
        },
        "allow": "'qlik-users' in claims.groups",
    }


def write_certificates(folder: Path, certificates: SiteCertificates, secrets: Mapping[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in {
        "client.pem": certificates.client,
        "client_key.pem": certificates.client_key,
        "root.pem": certificates.root,
        "cookie.key": base64.urlsafe_b64encode(b"c" * 32).rstrip(b"="),
        "idp.secret": SECRET.encode() + b"\n",
        **secrets,
    }.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)


async def start_world(
    folder: Path,
    certificates: SiteCertificates,
    *,
    prefixes: tuple[str, ...] = ("sales",),
    idps: tuple[str, ...] = ("entra",),
    saml: tuple[str, ...] = (),
    edit_gateway: Edit = lambda _: None,
    edit_provider: Edit = lambda _: None,
    edit_saml: Edit = lambda _: None,
    clock: Clock | None = None,
    port: int | None = None,
    secrets: Mapping[str, bytes] | None = None,
    foreign: Mapping[str, dict[str, Any]] | None = None,
    single_logout: bool = False,
    **simulator: Any,
) -> World:
    """Start it all. `idps` are OpenID providers, `saml` SAML providers; `edit_…` change the YAML before it is written.

    `secrets` are further files in certs/, `foreign` the YAML of further providers, which others have started. With `single_logout`
    all providers take part in logout; without it, no browser is sent to one.
    """
    clock, port, watcher = clock or FixedClock(), port or unused_port(), Watcher()
    modules = {prefix: f"http://127.0.0.1:{port}/vp/{prefix or 'default'}/login" for prefix in prefixes}
    site = QlikSimulator(clock=clock, nodes=list(certificates.servers), virtual_proxies=modules, certificates=certificates, **simulator)
    await site.start()
    providers = {}
    for name in idps:
        provider = providers[name] = DemoOpenIdProvider(clock=clock, watch=watcher)
        await provider.start()
        provider.signs_out = single_logout
        provider.register(client(f"qlikgw-{name}", SECRET, f"http://127.0.0.1:{port}/idp/{name}"))
    saml_providers = {name: DemoSamlProvider(clock=clock) for name in saml}
    for saml_provider in saml_providers.values():
        await saml_provider.start()
    configs = folder / "idp_configs"
    configs.mkdir()
    sp = {"saml.pem": party("sp").certificate_pem, "saml_key.pem": party("sp").key_pem} if single_logout else {}
    write_certificates(folder / "certs", certificates, {**sp, **(secrets or {})})
    foreign = foreign or {}
    settings = gateway_yaml(site, [*providers, *saml_providers, *foreign], port)
    edit_gateway(settings)
    for name, saml_provider in saml_providers.items():
        at = f"{settings['public_url']}/idp/{name}"
        slo = {"slo_url": f"{at}/slo", "certificate": sp["saml.pem"]} if single_logout else {}
        saml_provider.register(entity_id=f"{at}/metadata", acs_url=f"{at}/acs", **slo)
    write(configs, "gateway.yaml", settings)
    for name, provider in providers.items():
        content = provider_yaml(provider, name)
        edit_provider(content)
        write(configs, f"{name}.yaml", content)
    for name, saml_provider in saml_providers.items():
        content = saml_yaml(saml_provider, name)
        if single_logout:
            content["sp"] = {"key": "../certs/saml_key.pem", "certificate": "../certs/saml.pem"}
        edit_saml(content)
        write(configs, f"{name}.yaml", content)
    for name, content in foreign.items():
        write(configs, f"{name}.yaml", content)
    gateway, addresses = await start_gateway(configs, clock)
    return World(
        watcher=watcher,
        folder=configs,
        site=site,
        providers=providers,
        gateway=gateway,
        clock=clock,
        url=f"http://127.0.0.1:{port}",
        management=f"http://127.0.0.1:{addresses.management[1]}",
        session=aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()),
        prefixes=prefixes,
        saml=saml_providers,
    )


async def start_gateway(configs: Path, clock: Clock) -> tuple[Gateway, Any]:
    loaded = config.load(configs, environ={})
    assert loaded.configuration is not None, "\n".join(f"{p.file}:{p.line}:{p.column}: {p.code} {p.message}" for p in loaded.problems)
    gateway = Gateway(loaded.configuration, clock=clock)
    return gateway, await gateway.start()


async def stop_world(world: World) -> None:
    await world.session.close()
    await world.gateway.stop()
    for provider in (*world.providers.values(), *world.saml.values()):
        await provider.close()
    await world.site.close()


def state_of(url: str) -> str:
    """The `state` in an authorization request or an answer."""
    return parse_qs(urlsplit(url).query)["state"][0]
