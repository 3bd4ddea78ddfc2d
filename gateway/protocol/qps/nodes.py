"""Proxy nodes: which of the configured ones the browser's redirect names (Qlik "Authentication API").

`proxyRestUri` comes through the browser. Whoever posted to it as it stands would hand the client certificate's powers and
the user's data to any address an attacker likes; so it is only compared, and what is called is the configuration's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import MalformedStart, UnknownNode
from gateway.model import AuthModuleRedirect
from gateway.protocol.qps.addresses import Address, origin_text, read_address, read_host

TARGET_ID = "targetId"
PROXY_REST_URI = "proxyRestUri"
CLIENT_NAME = "QlikClient"
"""The common name of every client certificate that the QMC exports."""

_TARGET_ID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
_LONGEST_REST_URI = 2048
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One proxy node.

    `name` is its canonical proxy_rest_uri; `origin` (scheme, host, port) and `path` (no slash at the end) are that URI's parts,
    without any virtual proxy. `reach_at` is where we reach it (no slash at the end), `server_name` the name in its certificate.
    """

    name: str
    origin: tuple[str, str, int]
    path: str
    reach_at: str
    server_name: str


def read_node(proxy_rest_uri: str, *, reach_at: str | None = None, server_name: str | None = None) -> Node:
    """Read one node of the configuration. Raises ValueError with a sentence."""
    named = _read_service_address(proxy_rest_uri)
    reached = _read_service_address(reach_at) if reach_at is not None else named
    return Node(
        name=f"{_base(named)}/",
        origin=named.origin,
        path=_without_slash(named.path),
        reach_at=_base(reached),
        server_name=_read_server_name(named.host.strip("[]") if server_name is None else server_name),
    )


def read_redirect(fields: Iterable[tuple[str, str]]) -> AuthModuleRedirect | None:
    """Read the query of the start URL, as (name, value) pairs. None: neither parameter is there ("portal first").

    Raises `MalformedStart` for one without the other, a doubled or an empty one, or a targetId that is not GUID-like.
    """
    pairs = list(fields)
    target_ids = [value for name, value in pairs if name == TARGET_ID]
    rest_uris = [value for name, value in pairs if name == PROXY_REST_URI]
    if not target_ids and not rest_uris:
        return None
    if len(target_ids) != 1 or len(rest_uris) != 1:
        raise MalformedStart(f"{len(target_ids)} {TARGET_ID} and {len(rest_uris)} {PROXY_REST_URI}, one of each is needed")
    if not _TARGET_ID.fullmatch(target_ids[0]):
        raise MalformedStart(f"{TARGET_ID} is empty or not a GUID")
    if not rest_uris[0] or len(rest_uris[0]) > _LONGEST_REST_URI:
        raise MalformedStart(f"{PROXY_REST_URI} is empty or longer than {_LONGEST_REST_URI} characters")
    return AuthModuleRedirect(target_id=target_ids[0], proxy_rest_uri=rest_uris[0])


def match_node(redirect: AuthModuleRedirect, nodes: Sequence[Node], prefix: str) -> Node:
    """The configured node that the redirect names, under this virtual proxy's own prefix. Raises `UnknownNode`.

    Scheme, host, port and raw path are compared as parsed values; one slash at the end more or less is the same.
    """
    shown = ascii(redirect.proxy_rest_uri[:_SHOWN])
    try:
        address = read_address(redirect.proxy_rest_uri)
    except ValueError as error:
        raise UnknownNode(f"{PROXY_REST_URI} {shown}: {error}") from None
    for node in nodes:
        if _names(address, node, prefix):
            return node
    raise UnknownNode(f"{PROXY_REST_URI} {shown} is no configured node with the prefix {prefix!r}")


def _names(address: Address, node: Node, prefix: str) -> bool:
    expected = f"{node.path}/{prefix}" if prefix else node.path
    return address.origin == node.origin and _without_slash(address.path) == expected and address.query is None and address.fragment is None


def _read_service_address(text: str) -> Address:
    address = read_address(text)
    if address.scheme != "https":
        raise ValueError("a node is reached by https:// only: it has to prove who it is")
    if address.query is not None or address.fragment is not None:
        raise ValueError("a node's address has no query and no fragment")
    path = _without_slash(address.path)
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise ValueError("a node's path is plain: letters, digits, hyphens, without escapes and empty or dotted segments")
    return address


def _read_server_name(text: str) -> str:
    """Names keep their case: OpenSSL compares without it, people read it in messages."""
    if text.lower() == CLIENT_NAME.lower():
        raise ValueError(f"{CLIENT_NAME} is the name of every client certificate of a site: no node can be told by it")
    read_host(f"[{text}]" if ":" in text else text)
    return text


def _base(address: Address) -> str:
    return origin_text(*address.origin) + _without_slash(address.path)


def _without_slash(path: str) -> str:
    return path.removesuffix("/")
