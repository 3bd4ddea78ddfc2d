"""Where a login may come from and go to: virtual proxies, their nodes, their identity providers.

Built whole from one configuration and swapped as one reference; a request reads it once. Looking anything up costs the
same for one virtual proxy and for a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.errors import NotFound, UnknownHint
from gateway.mapping import AccessRule, Rules
from gateway.model import AuthModuleRedirect
from gateway.ports import IdentityProvider, QlikProxy
from gateway.protocol.qps import Node, Targets, match_node

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider with the rules that turn its claims into a Qlik user.

    `idp_initiated`: the virtual proxy where an unsolicited answer begins a fresh login; None: it ends on a page.
    """

    port: IdentityProvider
    rules: Rules
    access: AccessRule | None
    idp_initiated: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRoute:
    """One proxy node of the site, as one virtual proxy reaches it."""

    node: Node
    proxy: QlikProxy


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualProxy:
    """One virtual proxy of one site. `nodes` is keyed by the node's name."""

    name: str
    prefix: str
    nodes: Mapping[str, NodeRoute]
    targets: Targets
    identity_providers: tuple[str, ...]
    access: AccessRule | None

    def match(self, redirect: AuthModuleRedirect) -> Node:
        """The node that the redirect names. Raises `UnknownNode`."""
        return match_node(redirect, [route.node for route in self.nodes.values()], self.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """Everything a request needs to find its way."""

    virtual_proxies: Mapping[str, VirtualProxy]
    providers: Mapping[str, Provider]

    def virtual_proxy(self, name: str) -> VirtualProxy:
        """Raises `NotFound`."""
        try:
            return self.virtual_proxies[name]
        except KeyError:
            raise NotFound(f"no virtual proxy {name[:63]!r}") from None

    def provider(self, name: str) -> Provider:
        """Raises `NotFound`."""
        try:
            return self.providers[name]
        except KeyError:
            raise NotFound(f"no identity provider {name[:63]!r}") from None


class Live(Generic[T]):
    """The one reference that a reload swaps. Read it once per request."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def read(self) -> T:
        return self._value

    def swap(self, value: T) -> None:
        self._value = value


def choose(virtual_proxy: VirtualProxy, hint: str | None) -> str | None:
    """The provider to sign in with; None: the user chooses. A hint counts only for a provider of this virtual proxy (`UnknownHint`)."""
    if hint is not None:
        if hint not in virtual_proxy.identity_providers:
            raise UnknownHint(f"idp={hint[:63]!r} is not offered by virtual proxy {virtual_proxy.name}")
        return hint
    if len(virtual_proxy.identity_providers) == 1:
        return virtual_proxy.identity_providers[0]
    return None
