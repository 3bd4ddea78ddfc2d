"""Rules between `authentication:` of virtual proxies and of the identity providers that they offer.

What a virtual proxy demands in the words of one protocol only would let users of the other in without it; and two lists
that have nothing in common let nobody in.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config.diagnostics import Code
from gateway.config.document import Document
from gateway.config.tree import Scalar, Section

_LISTS = {"oidc": ("require_acr", "require_amr"), "saml": ("authn_context",)}
_COMPARED = ("require_acr", "authn_context")


def check_strengths(gateway: Document, providers: Mapping[str, Document]) -> None:
    """All virtual proxies against all of their providers."""
    for _, virtual_proxy in gateway.root.sections("virtual_proxies"):
        demanded = virtual_proxy.get("authentication")
        if not isinstance(demanded, Section):
            continue
        for item in virtual_proxy.items("identity_providers"):
            provider = providers.get(str(item.value)) if isinstance(item, Scalar) else None
            if provider is not None:
                _check_said_for(gateway, demanded, provider)
                _check_in_common(gateway, demanded, provider)


def _check_said_for(gateway: Document, demanded: Section, provider: Document) -> None:
    protocol = provider.root.text("protocol") or ""
    own = _LISTS.get(protocol, ())
    foreign = [key for names in _LISTS.values() for key in names if key not in own and demanded.get(key) is not None]
    if own and foreign and not any(demanded.get(key) is not None for key in own):
        message = f"{foreign[0]} demands nothing of the identity provider '{provider.id}', which speaks {protocol}"
        gateway.report(Code.WRONG_VALUE, demanded.key(foreign[0]), message, f"say for it, too: {' or '.join(own)}")


def _check_in_common(gateway: Document, demanded: Section, provider: Document) -> None:
    for key in _COMPARED:
        ours = {item.value for item in demanded.items(key) if isinstance(item, Scalar)}
        theirs = {item.value for item in provider.root.section("authentication").items(key) if isinstance(item, Scalar)}
        if ours and theirs and not ours & theirs:
            message = f"{key} has nothing in common with that of the identity provider '{provider.id}': nobody could sign in"
            gateway.report(Code.WRONG_VALUE, demanded.key(key), message)
