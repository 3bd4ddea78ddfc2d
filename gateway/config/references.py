"""Rules that look at more than one value: references, duplicates, and settings that must fit together.

They read the tree, not the models, so that a mistake of form elsewhere in a file does not hide what they find. What is
absent or malformed has been reported already; here it is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from gateway.config.diagnostics import Code, Severity
from gateway.config.document import Document
from gateway.config.mapping_references import check_access, check_mapping, check_name_id
from gateway.config.tree import Node, Scalar, Section
from gateway.config.values import did_you_mean
from gateway.errors import TargetRefused
from gateway.protocol.qps import Target, Targets, check_target, check_target_list, default_target, read_node, read_target
from gateway.stores.address import read_store_address

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def check_gateway(document: Document, providers: Collection[str]) -> None:
    """All rules of gateway.yaml that need no named file. `providers`: the ids that files exist for."""
    root = document.root
    _check_listeners(document, root)
    _check_store(document, root)
    for _, site in root.sections("qlik_sites"):
        _check_nodes(document, site)
    _check_duplicates(document, root)
    for name, virtual_proxy in root.sections("virtual_proxies"):
        _check_reference(document, virtual_proxy.get("site"), root.section("qlik_sites").entries, "site")
        _check_providers(document, virtual_proxy, providers)
        _check_network_defaults(document, virtual_proxy)
        _check_targets(document, name, virtual_proxy)
        check_mapping(document, virtual_proxy.section("mapping"), saml=True)
        check_access(document, virtual_proxy)


def check_provider(document: Document, *, saml: bool = False) -> None:
    """All rules of an identity provider's file that need no named file."""
    check_mapping(document, document.root.section("mapping"), saml=saml)
    check_access(document, document.root)
    if not saml:
        check_name_id(document, document.root)
    secret = document.root.get("client_auth", "secret")
    if isinstance(secret, Scalar) and secret.value is not None and not document.has_problem_at(secret.spot):
        document.report(Code.INLINE_SECRET, secret, "a secret is never written in here", "write {file: PATH} or {env: QLIKGW_NAME}")
    age = document.root.scalar("authorization_params", "max_age")
    if age is not None and not re.fullmatch("[0-9]{1,9}", str(age.value)):
        document.report(Code.WRONG_VALUE, age, "max_age is a whole number of seconds")


def _check_listeners(document: Document, root: Section) -> None:
    """Two listeners on one port: the second would not start."""
    front, management = root.get("listen", "port"), root.get("management", "port")
    ports = [node.value if isinstance(node, Scalar) else port for node, port in ((front, 8080), (management, 8081))]
    hosts = {root.text("listen", "host") or "0.0.0.0", root.text("management", "host") or "127.0.0.1"}  # noqa: S104
    if ports[0] == ports[1] != 0 and (len(hosts) == 1 or hosts & _EVERYWHERE):
        document.report(Code.DUPLICATE, management or front, "listen and management need different ports")


def _check_store(document: Document, root: Section) -> None:
    url = root.scalar("store", "url")
    if url is not None and ("@" in str(url.value) or "password=" in str(url.value)):
        hint = "write url: {env: QLIKGW_STORE_URL}"
        document.report(Code.INLINE_SECRET, url, "an address with a password is a secret: name the file or variable that holds it", hint)
    proxy = root.scalar("outbound", "proxy")
    if proxy is not None and "@" in str(proxy.value):
        hint = "write proxy: {env: QLIKGW_PROXY}"
        document.report(Code.INLINE_SECRET, proxy, "an address with a password is a secret: name the file or variable that holds it", hint)
    if url is not None or root.get("store", "url") is None:
        check_store_url(document, url or root, "memory:" if url is None else str(url.value))


def check_store_url(document: Document, place: Node, url: str) -> None:
    """Any store is better with `cookie_keys`, a shared one needs them. `place`: where the address or its reference stands."""
    try:
        address = read_store_address(url)
    except ValueError:
        return
    ca = document.root.get("store", "ca")
    if ca is not None and not address.tls:
        document.report(Code.WRONG_VALUE, ca, "the store is not reached over TLS, so these roots vouch for nothing", "write rediss://…")
    if document.root.get("cookie_keys") is not None:
        return
    hint = "make one: qlikgw keygen cookie"
    if address.shared:
        document.report(Code.COOKIE_KEYS, place, "a shared store needs cookie_keys: without them no replica opens another's logins", hint)
        return
    message = "without cookie_keys each start draws its own: logins in flight do not survive a restart"
    document.report(Code.COOKIE_KEYS, document.root, message, hint, severity=Severity.WARNING)


def _check_nodes(document: Document, site: Section) -> None:
    seen: dict[str, int] = {}
    for node in site.items("nodes"):
        if not isinstance(node, Section) or (uri := node.scalar("proxy_rest_uri")) is None:
            continue
        if site.get("ca") is None and node.get("server_certificate") is None:
            hint = "name root.pem as the site's ca, or the node's server_certificate"
            document.report(Code.MISSING_KEY, node, "nothing says how this node proves who it is", hint)
        try:
            name = read_node(str(uri.value)).name
        except ValueError:
            continue
        if name in seen:
            document.report(
                Code.DUPLICATE, uri, "two nodes of a site have the same proxy_rest_uri", f"the first stands in line {seen[name]}"
            )
        seen.setdefault(name, uri.spot.line)


def _check_duplicates(document: Document, root: Section) -> None:
    """One site and prefix is one virtual proxy."""
    seen: dict[tuple[str, str], str] = {}
    for name, virtual_proxy in root.sections("virtual_proxies"):
        site, prefix = virtual_proxy.text("site"), _prefix(name, virtual_proxy)
        if site is None or prefix is None:
            continue
        first = seen.setdefault((site, prefix), name)
        if first != name:
            place = virtual_proxy.get("prefix") or root.section("virtual_proxies").key(name)
            message = f"the virtual proxies '{first}' and '{name}' are the same one: site '{site}', prefix '{prefix}'"
            document.report(Code.DUPLICATE, place, message)


def _prefix(name: str, virtual_proxy: Section) -> str | None:
    """The prefix that a virtual proxy has in effect."""
    node = virtual_proxy.get("prefix")
    if node is None:
        return name
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _check_reference(document: Document, node: Node | None, known: Collection[str], what: str) -> None:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value and node.value not in known:
        hint = did_you_mean(node.value, list(known)) or (f"there is {', '.join(sorted(known)[:10])}" if known else None)
        if not document.has_problem_at(node.spot):
            document.report(Code.DANGLING, node, f"there is no {what} '{node.value}'", hint)


def _check_providers(document: Document, virtual_proxy: Section, providers: Collection[str]) -> None:
    seen: set[object] = set()
    for item in virtual_proxy.items("identity_providers"):
        _check_reference(document, item, providers, "identity provider")
        if isinstance(item, Scalar) and item.value in seen:
            document.report(Code.DUPLICATE, item, f"the identity provider '{item.value}' is named twice")
        seen.add(item.value if isinstance(item, Scalar) else None)


def _check_network_defaults(document: Document, virtual_proxy: Section) -> None:
    offered = {str(item.value) for item in virtual_proxy.items("identity_providers") if isinstance(item, Scalar)}
    for rule in virtual_proxy.items("network_defaults"):
        if isinstance(rule, Section):
            _check_reference(document, rule.get("identity_provider"), offered, "identity provider of this virtual proxy")


def _check_targets(document: Document, name: str, virtual_proxy: Section) -> None:
    targets = [_target(item) for item in virtual_proxy.items("targets")]
    allowed = tuple(target for target in targets if target is not None)
    if not allowed or len(allowed) != len(targets):
        return
    default = virtual_proxy.scalar("default_target")
    first = default_target(allowed[0], _prefix(name, virtual_proxy) or "")
    try:
        check_target_list(Targets(allowed=allowed, default=first))
    except ValueError as error:
        document.report(Code.TARGET, virtual_proxy.get("targets"), str(error))
    if default is None or document.has_problem_at(default.spot):
        return
    try:
        check_target(str(default.value), Targets(allowed=allowed, default=first))
    except TargetRefused:
        document.report(Code.TARGET, default, "the default target lies under none of the targets", "list it, or the origin that it is on")


def _target(item: Node) -> Target | None:
    section = item if isinstance(item, Section) else Section(item.spot)
    url = section.text("url") if isinstance(item, Section) else item.value if isinstance(item, Scalar) else None
    try:
        return read_target(str(url), ticket=section.text("ticket") or "append")
    except ValueError:
        return None
