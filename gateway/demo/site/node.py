"""One proxy node and the virtual proxies that it is linked to, as both of its faces see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.demo.site.faults import Faults
from gateway.demo.site.memory import Memory
from gateway.demo.watching import Watch


@dataclass(slots=True, kw_only=True)
class VirtualProxy:
    """One virtual proxy. Every node of the site is linked to it.

    `prefix`: '' for the default one. `module_uri`: its "authentication module redirect URI"; '' for the internal Windows
    module. `allow_list`: its "host allow list", names without scheme and port.
    """

    prefix: str
    module_uri: str = ""
    allow_list: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """What stands before its resources at the browser's face: '/sales', or nothing."""
        return f"/{self.prefix}" if self.prefix else ""

    @property
    def logout_uri(self) -> str | None:
        """Where the link leads by which users sign out: an administrator has placed it, Qlik Sense has no setting for it [I].

        It stands beside the module's address for logins; None for a module of another shape.
        """
        start = self.module_uri.removesuffix("/login")
        return f"{start}/logout" if start != self.module_uri else None

    def cookie(self, *, secure: bool) -> str:
        """The session cookie's name.

        Qlik: "Virtual proxies", session cookie header name: must differ between virtual proxies, `X-Qlik-Session` for the
        default one, by convention followed by the prefix for others; for plain http it ends in `-HTTP` [D].
        """
        name = f"X-Qlik-Session-{self.prefix}" if self.prefix else "X-Qlik-Session"
        return name if secure else f"{name}-HTTP"


@dataclass(slots=True, kw_only=True)
class Node:
    """One proxy node. `name`: the host name that it goes by and that its certificate is for; the ports are known once it runs."""

    name: str
    virtual_proxies: Mapping[str, VirtualProxy]
    memory: Memory
    watch: Watch
    late_certificate: bool
    browser_origin: str = ""
    rest_port: int = 0
    faults: Faults = field(default_factory=Faults)
    counters: Counter[str] = field(default_factory=Counter)

    def proxy_rest_uri(self, prefix: str) -> str:
        """How the node names its REST face in `proxyRestUri`.

        Qlik: a redirect's sample has the prefix and a trailing slash [C ChristofSchwarz/qs-OEM-tricks]; without a prefix
        for the default virtual proxy [I]; the host is the node's own name, not its public alias [I from user reports].
        """
        return f"https://{self.name}:{self.rest_port}/qps/{prefix + '/' if prefix else ''}"
