"""`virtual_proxy_defaults`: what many virtual proxies share, given to each that does not say it itself.

A key is taken or replaced as a whole; nothing is merged below it, so that a reader of one virtual proxy finds all that holds
for a key in one place. It is the same piece of the file that each gets: what is wrong with it is told there, once.
"""

from __future__ import annotations

from gateway.config.document import Document
from gateway.config.wire_gateway import VirtualProxyDefaultsWire


def apply_defaults(document: Document) -> None:
    """Complete the virtual proxies of gateway.yaml, before any of them is looked at."""
    defaults = document.root.section("virtual_proxy_defaults")
    shared = {name: entry for name, entry in defaults.entries.items() if name in VirtualProxyDefaultsWire.model_fields}
    for _, virtual_proxy in document.root.sections("virtual_proxies"):
        virtual_proxy.entries = virtual_proxy.entries | {name: shared[name] for name in shared if name not in virtual_proxy.entries}
