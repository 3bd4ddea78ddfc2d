"""What the demo OpenID provider is asked, read strictly: authorization requests, token requests, client authentication.

OpenID Connect Core 1.0 §3.1 (authorization code flow only), RFC 6749, RFC 7636 (S256 only), RFC 9207. Shares no code with
`gateway.protocol.oidc`, so that a misreading there cannot agree with itself here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from gateway.model import Secret

CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
RESPONSE_MODES = ("query", "form_post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client. Addresses are compared as strings (OIDC Core §3.1.2.1); `backchannel_logout_uri` None: it is not told."""

    client_id: str
    secret: Secret
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A good authorization request."""

    client: Client
    redirect_uri: str
    state: str
    nonce: str
    scopes: tuple[str, ...]
    challenge: str
    response_mode: str
    acr_values: tuple[str, ...] = ()
    max_age: str | None = None
    prompt: tuple[str, ...] = ()


class Unanswerable(Exception):
    """A request whose client or redirect URI is not known: the user is told, nothing is sent anywhere (RFC 6749 §4.1.2.1)."""


class OAuthError(Exception):
    """An error that the client is told: its code, and a sentence for developers."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAddress:
    """Where the answer to an authorization request goes, be it a good one or an error."""

    client: Client
    redirect_uri: str
    state: str
    response_mode: str


Pairs = Sequence[tuple[str, str]]


def read_pairs(text: str) -> Pairs:
    """The parameters of a query or form, in order."""
    return parse_qsl(text, keep_blank_values=True, max_num_fields=64)


def read_return_address(pairs: Pairs, clients: Mapping[str, Client]) -> ReturnAddress:
    """To whom, first of all. Raises `Unanswerable`."""
    fields = dict(pairs)
    client = clients.get(fields.get("client_id", ""))
    if client is None:
        raise Unanswerable("The client is not registered here.")
    if fields.get("redirect_uri") not in client.redirect_uris or len(fields) != len(pairs):
        raise Unanswerable("The redirect URI is not registered for this client, or a parameter came twice.")
    mode = fields.get("response_mode", "query")
    return ReturnAddress(
        client=client,
        redirect_uri=fields["redirect_uri"],
        state=fields.get("state", ""),
        response_mode=mode if mode in RESPONSE_MODES else "query",
    )


def read_authorization_request(pairs: Pairs, address: ReturnAddress) -> AuthorizationRequest:
    """OIDC Core §3.1.2.2 and RFC 7636 §4.4.1. Raises `OAuthError`."""
    fields = dict(pairs)
    scopes = tuple(fields.get("scope", "").split())
    for name in ("request", "request_uri"):
        if name in fields:
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported")
    if fields.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "only the code flow is offered")
    if fields.get("response_mode", "query") not in RESPONSE_MODES:
        raise OAuthError("invalid_request", "unknown response_mode")
    if "openid" not in scopes:
        raise OAuthError("invalid_scope", "the scope openid is missing")
    if fields.get("code_challenge_method") != "S256" or not CODE_CHALLENGE.fullmatch(fields.get("code_challenge", "")):
        raise OAuthError("invalid_request", "PKCE with S256 is required")
    if fields.get("prompt") == "none":
        raise OAuthError("login_required", "there are no sessions here")
    return AuthorizationRequest(
        client=address.client,
        redirect_uri=address.redirect_uri,
        state=address.state,
        nonce=fields.get("nonce", ""),
        scopes=scopes,
        challenge=fields["code_challenge"],
        response_mode=address.response_mode,
        acr_values=tuple(fields.get("acr_values", "").split()),
        max_age=fields.get("max_age"),
        prompt=tuple(fields.get("prompt", "").split()),
    )


def authenticate_client(header: str, clients: Mapping[str, Client]) -> Client:
    """`client_secret_basic`: both halves form-encoded, then Basic (RFC 6749 §2.3.1). Raises `OAuthError`."""
    scheme, _, credentials = header.partition(" ")
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, secret = "", ""
    client = clients.get(unquote_plus(name))
    expected = client.secret.reveal() if client else ""
    same = hmac.compare_digest(unquote_plus(secret).encode(), expected.encode())
    if scheme.lower() != "basic" or client is None or not same:
        raise OAuthError("invalid_client", "the client could not prove itself by client_secret_basic")
    return client


def check_token_request(fields: Mapping[str, str], granted: AuthorizationRequest, client: Client) -> None:
    """The code belongs to this client, address and verifier (RFC 6749 §4.1.3, RFC 7636 §4.6). Raises `OAuthError`."""
    verifier = fields.get("code_verifier", "")
    if granted.client is not client or fields.get("redirect_uri") != granted.redirect_uri:
        raise OAuthError("invalid_grant", "the code was given to another client or for another redirect_uri")
    if not CODE_VERIFIER.fullmatch(verifier) or not hmac.compare_digest(s256(verifier), granted.challenge):
        raise OAuthError("invalid_grant", "the code_verifier does not fit")


def s256(text: str) -> str:
    """BASE64URL(SHA256(ASCII(text))) without padding (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode("ascii")).digest()).rstrip(b"=").decode()


def left_half_hash(text: str) -> str:
    """`at_hash` of RS256 (OIDC Core §3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode("ascii")).digest()[:16]).rstrip(b"=").decode()
