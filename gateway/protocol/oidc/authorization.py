"""The way to the provider and back through the browser: authorization request and response (OIDC Core §3.1.2)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri

from gateway.errors import MalformedResponse, MixUp, NoLoginInFlight, SignInDenied
from gateway.model import Binding, IdpResponse, Redirect, Secret, TransactionId
from gateway.protocol.oidc.discovery import Metadata
from gateway.protocol.oidc.memo import LoginSecrets
from gateway.protocol.oidc.registration import RelyingParty
from gateway.protocol.oidc.strength import STRENGTH_PARAMS, strength_params
from gateway.strength import Strength

_CODE: Final = re.compile(r"[ -~]{1,8192}")  # RFC 6749 A.11: visible ASCII and blanks

_ERRORS: Final = frozenset(
    {
        # RFC 6749 §4.1.2.1
        "invalid_request",
        "unauthorized_client",
        "access_denied",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        # OIDC Core §3.1.2.6
        "interaction_required",
        "login_required",
        "account_selection_required",
        "consent_required",
        "invalid_request_uri",
        "invalid_request_object",
        "request_not_supported",
        "request_uri_not_supported",
        "registration_not_supported",
        # OpenID Connect Core Unmet Authentication Requirements 1.0
        "unmet_authentication_requirements",
    }
)


def authorization_base(rp: RelyingParty, metadata: Metadata) -> str:
    """The part of the authorization URL that is the same for every login: endpoint and constant parameters.

    `response_mode` is sent only for form_post: query is what the code flow does anyway (OAuth 2.0 Multiple Response
    Types §2.1), and some providers refuse the parameter.
    """
    constant = [(name, value) for name, value in rp.authorization_params.items() if name not in STRENGTH_PARAMS]
    endpoint = add_params_to_uri(metadata.authorization_endpoint, constant)
    url: str = prepare_grant_uri(
        endpoint,
        rp.client_id,
        "code",
        redirect_uri=rp.redirect_uri,
        scope=rp.scopes,
        response_mode="form_post" if rp.response_mode is Binding.FORM_POST else None,
        code_challenge_method="S256",
    )
    return url


def authorization_request(base: str, *, state: TransactionId, secrets: LoginSecrets, rp: RelyingParty, strength: Strength) -> Redirect:
    """Send the browser to the provider (OIDC Core §3.1.2.1, RFC 7636 §4.3). The first three values need no escaping: base64url."""
    asked = "".join(f"&{name}={quote(value, safe='')}" for name, value in strength_params(rp, strength).items())
    return Redirect(url=f"{base}&state={state}&nonce={secrets.nonce}&code_challenge={secrets.code_challenge}{asked}")


def verify_authorization_response(response: IdpResponse, *, state: TransactionId, rp: RelyingParty, metadata: Metadata) -> Secret:
    """The code, after everything that can be said against it without using it. The issuer comes before code and error."""
    check_state(response.fields, state)
    check_issuer(response.fields, rp, metadata)
    check_success(response.fields)
    return read_code(response.fields)


def check_state(fields: Mapping[str, str], state: TransactionId) -> None:
    """RFC 6749 §10.12: the answer is to this login's request."""
    answered = fields.get("state")
    if answered is None:
        raise MalformedResponse("state is missing")
    if not hmac.compare_digest(answered.encode("utf-8", "replace"), state.encode()):
        raise NoLoginInFlight("state is of another login")


def check_issuer(fields: Mapping[str, str], rp: RelyingParty, metadata: Metadata) -> None:
    """RFC 9207 §2.4: `iss` is the provider that the login was sent to; a provider that announces it must send it."""
    issuer = fields.get("iss")
    if issuer is None and metadata.names_itself:
        raise MixUp("iss is missing, though the provider announces it")
    if issuer is not None and issuer != rp.issuer:
        raise MixUp(f"the answer is of issuer {issuer[:200]!r}")


def check_success(fields: Mapping[str, str]) -> None:
    """OIDC Core §3.1.2.6: the provider did not refuse. Only names from the standards are repeated; the text is never."""
    if "error" in fields:
        error = fields["error"]
        raise SignInDenied(error if error in _ERRORS else "an error of the provider's own")


def read_code(fields: Mapping[str, str]) -> Secret:
    """The authorization code (RFC 6749 §4.1.2)."""
    code = fields.get("code", "")
    if not _CODE.fullmatch(code):
        raise MalformedResponse("code is missing, too long or of wrong characters")
    return Secret(code)
