"""Makes metadata of identity providers, good and bad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lxml import etree

from tests.peers.saml_forge import DS, IDP, P, Party, party, sign, tree

M = "urn:oasis:names:tc:SAML:2.0:metadata"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
SSO = "https://idp.example.com/sso"
ADDRESSES = ((REDIRECT, SSO), (POST, SSO + "/post"))


def key(content: str, use: str | None = "signing") -> str:
    named = "" if use is None else f' use="{use}"'
    return (
        f'<md:KeyDescriptor{named}><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>\n{content}\n'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )


def entity(
    *,
    entity_id: str = IDP,
    identifier: str = "_entity",
    attributes: str = "",
    role_attributes: str = "",
    protocols: str = P,
    keys: str | None = None,
    addresses: Sequence[tuple[str, str]] = ADDRESSES,
    before: str = "",
) -> str:
    """One EntityDescriptor as text."""
    inside = key(party("idp").trusted.base64) if keys is None else keys
    services = "".join(f'<md:SingleSignOnService Binding="{binding}" Location="{where}"/>' for binding, where in addresses)
    return (
        f'<md:EntityDescriptor xmlns:md="{M}" entityID="{entity_id}" ID="{identifier}"{attributes}>{before}'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{protocols}"{role_attributes}>{inside}{services}</md:IDPSSODescriptor>'
        "</md:EntityDescriptor>"
    )


def feed(*entities: str, attributes: str = "") -> str:
    """An EntitiesDescriptor as text."""
    return f'<md:EntitiesDescriptor xmlns:md="{M}" ID="_feed"{attributes}>{"".join(entities)}</md:EntitiesDescriptor>'


def signed_metadata(text: str, by: Party | None = None, **how: Any) -> Any:
    """The document with a signature of its root."""
    root = tree(text)
    sign(root, by or party("federation"), position=0, **how)
    return root


def raw(document: Any) -> bytes:
    if isinstance(document, bytes):
        return document
    return document.encode() if isinstance(document, str) else etree.tostring(document)
