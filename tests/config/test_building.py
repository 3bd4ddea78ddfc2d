"""What a good configuration becomes: values of the core, with the documented defaults."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from gateway.config.settings import Configuration, Listen, OutboundSettings, TlsPair
from gateway.mapping import Cel, ClaimPath, Constant
from gateway.model import Binding
from gateway.protocol import oidc, qps
from gateway.stores.address import IN_MEMORY
from tests.config.folders import ENTRA, GATEWAY, GOOD, SECRET, Shelf

FULL = """
display_name: Contoso
scopes: [openid, profile]
response_mode: form_post
id_token_algorithms: [ES256, PS256]
userinfo: true
authorization_params: {prompt: login, max_age: "3600"}
clock_skew: 2m
allow_logout_token_without_exp: true
"""


def built(shelf: Shelf, folder: Path, **environ: str) -> Configuration:
    loaded = shelf.load(folder, **environ)
    assert [problem for problem in loaded.problems if problem.severity == "error"] == []
    assert loaded.configuration is not None
    return loaded.configuration


def test_the_gateway_has_the_documented_defaults(shelf: Shelf) -> None:
    gateway = built(shelf, shelf.changed(GATEWAY, "listen: {host: 0.0.0.0, port: 8080}\n", "")).gateway
    assert (gateway.public_url, gateway.secure) == ("https://sso.example.com", True)
    assert gateway.listen == Listen(host="0.0.0.0", port=8080)
    assert gateway.management == Listen(host="127.0.0.1", port=8081)
    assert gateway.cookie_keys == (bytes(range(32)),)
    assert gateway.store == IN_MEMORY
    assert (gateway.login_lifetime, gateway.drain) == (timedelta(minutes=15), timedelta(seconds=5))
    assert (gateway.trusted_proxies, gateway.outbound, gateway.cache_dir) == ((), OutboundSettings(), None)
    assert (gateway.logging.level, gateway.logging.format, gateway.limits.starts_per_client) == ("info", "json", None)


def test_the_gateways_settings_are_read(shelf: Shelf) -> None:
    more = """schema: 1
management: {host: 0.0.0.0, port: 9000}
store: {url: {env: QLIKGW_STORE_URL}}
login_lifetime: 5m
trusted_proxies: [10.0.0.0/8, 192.0.2.7]
outbound: {proxy: {env: QLIKGW_PROXY}, ca: ../certs/root.pem, allow_private: ["fd00::/8"]}
logging: {level: debug, format: console}
cache_dir: ../var
limits: {starts_per_client: null}
drain: 0s
"""
    folder = shelf.folder(
        gateway=GOOD[GATEWAY]
        .replace("schema: 1\n", more)
        .replace("8080}", "0, tls: {certificate: ../certs/front.pem, key: ../certs/front_key.pem}}")
    )
    gateway = built(shelf, folder, QLIKGW_STORE_URL="memory:", QLIKGW_PROXY="http://me:hunter2@proxy:3128").gateway
    certs = shelf.base / "certs"
    assert gateway.listen == Listen(
        host="0.0.0.0", port=0, tls=TlsPair(certificate=(certs / "front.pem").read_bytes(), key=(certs / "front_key.pem").read_bytes())
    )
    assert gateway.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32"))
    assert (gateway.outbound.proxy, gateway.outbound.allow_private) == ("http://me:hunter2@proxy:3128", (ip_network("fd00::/8"),))
    assert gateway.outbound.ca == (certs / "root.pem").read_bytes()
    assert (gateway.cache_dir, gateway.drain) == (shelf.base / "var", timedelta(0))
    assert "hunter2" not in repr(gateway)


def test_plain_http_on_loopback_is_not_secure(shelf: Shelf) -> None:
    gateway = built(shelf, shelf.changed(GATEWAY, "https://sso.example.com", "http://LOCALHOST:8080/")).gateway
    assert (gateway.public_url, gateway.secure) == ("http://localhost:8080", False)


def test_a_site_is_read(shelf: Shelf) -> None:
    folder = shelf.changed(GATEWAY, "        reach_at", "        server_certificate: ../certs/node.pem\n        reach_at")
    site = built(shelf, folder).sites["prod"]
    certs = shelf.base / "certs"
    assert (site.client_certificate, site.client_key) == ((certs / "client.pem").read_bytes(), (certs / "client_key.pem").read_bytes())
    assert site.ca == (certs / "root.pem").read_bytes()
    node = qps.read_node("https://qlik1.corp.example:4243/qps/", reach_at="https://10.1.2.3:4243/qps/")
    assert site.nodes == (node,)
    assert site.pins == {node.name: (certs / "node.pem").read_bytes()}


def test_a_virtual_proxy_is_read(shelf: Shelf) -> None:
    virtual_proxy = built(shelf, shelf.changed(GATEWAY, "ticket: append", "ticket: redeem_first")).virtual_proxies["sales"]
    assert (virtual_proxy.name, virtual_proxy.site, virtual_proxy.prefix) == ("sales", "prod", "sales")
    assert [target.redeem_first for target in virtual_proxy.targets.allowed] == [False, True]
    assert virtual_proxy.targets.default == "https://qlik.example.com/sales/hub/"
    assert virtual_proxy.targets.ticket_parameter == "qlikTicket"
    assert virtual_proxy.identity_providers == ("entra",)
    assert [(rule.owner, rule.id, rule.expression.source) for rule in virtual_proxy.access] == [("virtual proxy sales", "allow", "true")]


def test_an_empty_prefix_is_the_default_virtual_proxy(shelf: Shelf) -> None:
    folder = shelf.changed(GATEWAY, "    site: prod\n", '    site: prod\n    prefix: ""\n    ticket_parameter: t\n')
    virtual_proxy = built(shelf, folder).virtual_proxies["sales"]
    assert (virtual_proxy.prefix, virtual_proxy.targets.default) == ("", "https://qlik.example.com/hub/")
    assert virtual_proxy.targets.ticket_parameter == "t"


def test_a_default_target_of_ones_own_is_kept(shelf: Shelf) -> None:
    folder = shelf.changed(GATEWAY, "    site: prod\n", "    site: prod\n    default_target: https://mashup.example.com/sales/start\n")
    assert built(shelf, folder).virtual_proxies["sales"].targets.default == "https://mashup.example.com/sales/start"


def test_a_provider_has_the_documented_defaults(shelf: Shelf) -> None:
    provider = built(shelf, shelf.folder()).providers["entra"]
    assert (provider.name, provider.display_name) == ("entra", "entra")
    assert provider.relying_party == oidc.RelyingParty(
        issuer="https://login.microsoftonline.com/TENANT/v2.0",
        client_id="00000000-0000-0000-0000-000000000000",
        redirect_uri="https://sso.example.com/idp/entra/callback",
        post_logout_redirect_uri="https://sso.example.com/idp/entra/slo",
        client_auth=provider.relying_party.client_auth,
    )
    assert isinstance(provider.relying_party.client_auth, oidc.ClientSecretBasic)
    assert provider.relying_party.client_auth.secret.reveal() == SECRET


def test_a_providers_settings_are_read(shelf: Shelf) -> None:
    relying_party = built(shelf, shelf.folder(entra=GOOD[ENTRA] + FULL)).providers["entra"].relying_party
    assert (relying_party.scopes, relying_party.response_mode) == (("openid", "profile"), Binding.FORM_POST)
    assert (relying_party.id_token_algorithms, relying_party.userinfo) == (("ES256", "PS256"), True)
    assert (relying_party.max_age, relying_party.clock_skew) == (3600, timedelta(minutes=2))
    assert relying_party.allow_logout_token_without_exp


def test_rules_are_built_in_their_order(shelf: Shelf) -> None:
    mapping = "{claim: tid, one_of: [CONTOSO, PARTNERS]}"
    rules = built(shelf, shelf.changed(ENTRA, "{value: CONTOSO}", mapping)).providers["entra"].rules
    assert rules.user_directory == ClaimPath(("tid",))
    assert rules.directory_one_of == {"CONTOSO", "PARTNERS"}
    assert rules.user_id == ClaimPath(("oid",))
    assert [name for name, _ in rules.attributes] == ["email", "group"]
    assert rules.attributes[0][1] == ClaimPath(("contact", "email"))
    assert isinstance(rules.attributes[1][1], Cel)
    assert built(shelf, shelf.folder()).providers["entra"].rules.user_directory == Constant("CONTOSO")


def test_every_way_to_prove_who_we_are_is_built(shelf: Shelf) -> None:
    old = "{method: client_secret_basic, secret: {file: ../certs/entra.secret}}"
    for new, expected in (
        (old.replace("basic", "post"), oidc.ClientSecretPost),
        ("{method: private_key_jwt, key: ../certs/client_key.pem}", oidc.PrivateKeyJwt),
        ("{method: none}", oidc.NoClientAuth),
    ):
        assert isinstance(built(shelf, shelf.changed(ENTRA, old, new)).providers["entra"].relying_party.client_auth, expected)


def test_without_cookie_keys_there_is_a_warning_and_a_configuration(shelf: Shelf) -> None:
    assert built(shelf, shelf.changed(GATEWAY, "cookie_keys:\n  - {file: ../certs/cookie.key}\n", "")).gateway.cookie_keys == ()


def test_repr_shows_no_secret(shelf: Shelf) -> None:
    shown = repr(built(shelf, shelf.folder()))
    assert SECRET not in shown
    assert "PRIVATE KEY" not in shown
    assert repr(bytes(range(32))) not in shown


def test_a_thousand_virtual_proxies_are_read(shelf: Shelf) -> None:
    block = "".join(
        f"  vp{number}: {{site: prod, targets: [https://qlik.example.com], identity_providers: [entra]}}\n" for number in range(1_000)
    )
    configuration = built(shelf, shelf.folder(gateway=GOOD[GATEWAY] + block))
    assert len(configuration.virtual_proxies) == 1_001
