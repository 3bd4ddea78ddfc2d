"""The provider's description of itself (OIDC Discovery 1.0, RFC 8414, RFC 9207 §3).

Only what a login needs is read and checked; an odd value elsewhere in the document stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import DiscoveryRefused
from gateway.model import HttpRequest, HttpResponse, JsonValue
from gateway.protocol.oidc.addresses import is_https, is_loopback_http
from gateway.protocol.oidc.answers import document_request, read_document
from gateway.protocol.oidc.registration import RelyingParty

_WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What this relying party uses of a provider's description: checked.

    `names_itself`: authorization responses carry `iss` (RFC 9207 §3). `userinfo_endpoint` is read only when it is used.
    `end_session_endpoint`: None where the provider has none that can be used (RP-Initiated Logout 1.0 §2.1).
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    names_itself: bool
    end_session_endpoint: str | None = None


def discovery_request(rp: RelyingParty) -> HttpRequest:
    """Fetch the description: a slash at the issuer's end is dropped first (Discovery §4.1)."""
    return document_request(rp.issuer.removesuffix("/") + _WELL_KNOWN)


def read_metadata(response: HttpResponse, rp: RelyingParty) -> Metadata:
    """The checked description. Raises `ProviderAnswer` or `DiscoveryRefused`."""
    document = read_document(response)
    check_issuer(document, rp)
    return Metadata(
        authorization_endpoint=_endpoint(document, "authorization_endpoint", rp),
        token_endpoint=_endpoint(document, "token_endpoint", rp),
        jwks_uri=_endpoint(document, "jwks_uri", rp),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint", rp) if rp.userinfo else None,
        names_itself=_flag(document, "authorization_response_iss_parameter_supported"),
        end_session_endpoint=_end_session(document, rp),
    )


def check_issuer(document: Mapping[str, JsonValue], rp: RelyingParty) -> None:
    """Discovery §4.3: the description is the configured issuer's, to the byte."""
    if document.get("issuer") != rp.issuer:
        raise DiscoveryRefused(f"the document is of issuer {str(document.get('issuer'))[:200]!r}, configured is {rp.issuer!r}")


def check_endpoint(name: str, url: str, rp: RelyingParty) -> None:
    """Discovery §3: an https URL, without user information or fragment (RFC 6749 §3.1).

    Plain http is let through for one case only, a provider whose configured issuer is itself http on loopback, and then
    to loopback only. Raises `DiscoveryRefused`.
    """
    if not (is_https(url) or (is_loopback_http(url) and is_loopback_http(rp.issuer))):
        raise DiscoveryRefused(f"{name} {url[:200]!r} is not an https URL that can be used")


def _endpoint(document: Mapping[str, JsonValue], name: str, rp: RelyingParty) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not url:
        raise DiscoveryRefused(f"{name} is missing or no string")
    check_endpoint(name, url, rp)
    return url


def _end_session(document: Mapping[str, JsonValue], rp: RelyingParty) -> str | None:
    """No login fails because a logout could not go there: an address that may not be used is as good as none."""
    try:
        return _endpoint(document, "end_session_endpoint", rp)
    except DiscoveryRefused:
        return None


def _flag(document: Mapping[str, JsonValue], name: str) -> bool:
    """A boolean that defaults to false. Another type is refused: reading `"true"` as false would switch a check off."""
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise DiscoveryRefused(f"{name} is no boolean")
    return value
