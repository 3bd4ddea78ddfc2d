"""Rules for what stands in named files: secrets, certificates and keys parse, match each other, and are valid for a while.

Reads through `NamedFiles`; `now` is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from gateway.config.certificates import check_pair, read_certificates, report_validity, validity_problem
from gateway.config.diagnostics import Code
from gateway.config.document import Document
from gateway.config.named import NamedFiles
from gateway.config.references import check_store_url
from gateway.config.site_material import check_site
from gateway.config.tree import Node, Section
from gateway.config.values import Refusal, read_cookie_key, read_proxy, read_store
from gateway.protocol.oidc import read_client_key

T = TypeVar("T")


def check_gateway_material(document: Document, named: NamedFiles, now: datetime) -> None:
    """Everything that gateway.yaml names."""
    root = document.root
    for reference in root.items("cookie_keys"):
        _secret(document, named, reference, read_cookie_key)
    store = root.get("store", "url")
    url = _secret(document, named, store, read_store)
    if url is not None and store is not None:
        check_store_url(document, store, url)
    _secret(document, named, root.get("outbound", "proxy"), read_proxy)
    for place in (root.get("store", "ca"), root.get("outbound", "ca")):
        _check_roots(document, place, named)
    _check_front(document, root.section("listen", "tls"), named, now)
    for _, site in root.sections("qlik_sites"):
        check_site(document, site, named, now)


def check_provider_material(document: Document, named: NamedFiles) -> None:
    """Everything that an OpenID provider's file names."""
    client_auth = document.root.section("client_auth")
    named.secret(client_auth.get("secret"))
    place, reference = client_auth.get("key"), client_auth.get("key_password")
    key, password = named.private(place), named.secret(reference)
    if key is None or (reference is not None and password is None):
        return
    try:
        read_client_key(key, None if password is None else password.reveal().encode())
    except ValueError as error:
        document.report(Code.MATERIAL, place, str(error).removesuffix("."), "qlikgw keygen jwk makes one")


def _secret(document: Document, named: NamedFiles, reference: Node | None, read: Callable[[str], object]) -> str | None:
    """A secret that must have a certain form; its text if it has."""
    secret = named.secret(reference)
    if secret is None or not isinstance(reference, Section):
        return None
    try:
        read(secret.reveal())
    except Refusal as refusal:
        document.report(refusal.code, reference.get("file") or reference.get("env"), refusal.message, refusal.hint)
        return None
    return secret.reveal()


def _check_roots(document: Document, place: Node | None, named: NamedFiles) -> None:
    content = named.content(place)
    if content is not None:
        _attempt(document, place, lambda: read_certificates(content))


def _check_front(document: Document, tls: Section, named: NamedFiles, now: datetime) -> None:
    certificate, key = named.content(tls.get("certificate")), named.private(tls.get("key"))
    if certificate is None:
        return
    chain = _attempt(document, tls.get("certificate"), lambda: read_certificates(certificate))
    if not chain:
        return
    report_validity(document, tls.get("certificate"), validity_problem(chain[0], now), chain[0].not_valid_after_utc, now)
    if key is not None:
        _attempt(document, tls.get("key"), lambda: check_pair(chain[0], key))


def _attempt(document: Document, place: Node | None, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Refusal as refusal:
        document.report(refusal.code, place, refusal.message, refusal.hint)
        return None
