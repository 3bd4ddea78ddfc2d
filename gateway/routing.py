"""Where a login may come from and go to: virtual proxies, their nodes, their identity providers.

Built whole from one configuration and swapped as one reference; a request reads it once. Looking anything up costs the
same for one virtual proxy and for a thousand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Generic, TypeVar

from gateway.errors import NotFound, UnknownHint
from gateway.mapping import AccessRule, Overrides, Rules
from gateway.model import AuthModuleRedirect
from gateway.noun import noun
from gateway.ports import IdentityProvider, QlikProxy
from gateway.protocol.qps import Node, Targets, match_node
from gateway.strength import Strength

T = TypeVar("T")
DOMAIN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider with the rules that turn its claims into a Qlik user.

    `domains`: those of its users' mail addresses, as `mail_domain` gives them.
    `idp_initiated`: the virtual proxy where an unsolicited answer begins a fresh login; None: it ends on a page.
    """

    port: IdentityProvider
    rules: Rules
    access: tuple[AccessRule, ...]
    strength: Strength
    domains: frozenset[str] = frozenset()
    idp_initiated: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRoute:
    """One proxy node of the site, as one virtual proxy reaches it."""

    node: Node
    proxy: QlikProxy


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDefault:
    """The provider that users in these networks are sent to, unless they chose another one."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    idp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualProxy:
    """One virtual proxy of one site. `nodes` is keyed by the node's name; of `network_defaults` the first that fits counts."""

    name: str
    prefix: str
    nodes: Mapping[str, NodeRoute]
    targets: Targets
    identity_providers: tuple[str, ...]
    access: tuple[AccessRule, ...]
    strength: Strength
    overrides: Overrides | None = None
    network_defaults: tuple[NetworkDefault, ...] = ()
    _matched: Mapping[str, Node] = field(init=False, repr=False, compare=False)
    """What `match` finds for that which a node's proxy says of itself."""
    _made: dict[str, tuple[Rules, Rules]] = field(init=False, repr=False, compare=False, default_factory=dict)
    """By a provider's name: its rules, and what `overrides` makes of them."""

    def __post_init__(self) -> None:
        names = [route.node.name for route in self.nodes.values()]
        said = [f"{name}{self.prefix}/" if self.prefix else name for name in names]
        matched = {uri: self._match(AuthModuleRedirect(target_id="", proxy_rest_uri=uri)) for uri in said}
        object.__setattr__(self, "_matched", matched)

    def match(self, redirect: AuthModuleRedirect) -> Node:
        """The node that the redirect names. Raises `UnknownNode`."""
        return self._matched.get(redirect.proxy_rest_uri) or self._match(redirect)

    def _match(self, redirect: AuthModuleRedirect) -> Node:
        return match_node(redirect, [route.node for route in self.nodes.values()], self.prefix)

    def rules(self, provider: Provider) -> Rules:
        """The mapping of a provider as it holds here; made at its first login."""
        if self.overrides is None:
            return provider.rules
        made = self._made.get(provider.port.name)
        if made is None or made[0] is not provider.rules:
            made = self._made[provider.port.name] = (provider.rules, self.overrides.over(provider.rules))
        return made[1]


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


class _State(Generic[T]):
    """A value, how many hold it, and what to do once it was swapped out and nobody does."""

    __slots__ = ("holders", "value", "when_free")

    def __init__(self, value: T) -> None:
        self.value = value
        self.holders = 0
        self.when_free: Callable[[], None] | None = None

    def __enter__(self) -> T:
        self.holders += 1
        return self.value

    def __exit__(self, *_: object) -> None:
        self.holders -= 1
        self.settle()

    def settle(self) -> None:
        if self.when_free is not None and self.holders == 0:
            self.when_free()
            self.when_free = None


class Live(Generic[T]):
    """The one reference that a reload swaps. Read it once per request."""

    __slots__ = ("_state",)

    def __init__(self, value: T) -> None:
        self._state = _State(value)

    def read(self) -> T:
        return self._state.value

    def hold(self) -> AbstractContextManager[T]:
        """The value of now, kept usable until the end of the block whatever is swapped in meanwhile."""
        return self._state

    def swap(self, value: T, *, when_free: Callable[[], None] | None = None) -> None:
        """Put `value` in the place of the old one. `when_free` is called once, when nobody holds the old one any more."""
        old, self._state = self._state, _State(value)
        old.when_free = when_free
        old.settle()


@noun
class Visit:
    """What a browser brings along that may say where its user signs in. All of it is the browser's word: it selects, it proves nothing.

    `hint`: `idp=`. `ask`: the user wants to choose anew. `remembered`: the provider of the user's last choice here.
    """

    hint: str | None = None
    ask: bool = False
    remembered: str | None = None
    address: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider to sign in with; None: the user chooses. `by_user`: it is, or was before, the user's own choice."""

    idp: str | None
    by_user: bool = False


def choose(virtual_proxy: VirtualProxy, visit: Visit) -> Choice:
    """A hint, the wish to choose, the only provider, the last choice, the network's default: the first that is there decides.

    A hint counts only for a provider of this virtual proxy (`UnknownHint`); a last choice that is none any more is forgotten.
    """
    offered = virtual_proxy.identity_providers
    if visit.hint is not None:
        if visit.hint not in offered:
            raise UnknownHint(f"idp={visit.hint[:63]!r} is not offered by virtual proxy {virtual_proxy.name}")
        return Choice(visit.hint, by_user=len(offered) > 1)
    if visit.ask:
        return Choice(None)
    if len(offered) == 1:
        return Choice(offered[0])
    if visit.remembered in offered:
        return Choice(visit.remembered, by_user=True)
    return Choice(network_default(virtual_proxy, visit.address))


def network_default(virtual_proxy: VirtualProxy, address: IPv4Address | IPv6Address | None) -> str | None:
    """The default provider of the network that the address is in."""
    if address is None:
        return None
    return next((rule.idp for rule in virtual_proxy.network_defaults if any(address in network for network in rule.networks)), None)


def find_by_mail(table: RoutingTable, virtual_proxy: VirtualProxy, mail: str) -> tuple[str, ...]:
    """The providers of this virtual proxy that sign in users of the address's domain (home-realm discovery)."""
    domain = mail_domain(mail)
    return tuple(idp for idp in virtual_proxy.identity_providers if domain in table.provider(idp).domains)


def mail_domain(mail: str) -> str | None:
    """The domain of a mail address, or of a domain alone, as it is compared: lower case, in ASCII (IDNA); None where it is none."""
    domain = mail.strip().rpartition("@")[2].removesuffix(".").lower()
    try:
        ascii_form = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return ascii_form if DOMAIN.fullmatch(ascii_form) else None
