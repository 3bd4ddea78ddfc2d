"""The code for the tokens: token request and token response (OIDC Core §3.1.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote_plus, urlencode

from gateway.errors import TokenRequestRefused, TokenResponseRefused
from gateway.model import HttpRequest, HttpResponse, JsonValue, Secret
from gateway.noun import noun
from gateway.protocol.oidc.answers import check_status, read_body
from gateway.protocol.oidc.client_authentication import Credentials
from gateway.protocol.oidc.discovery import Metadata
from gateway.protocol.oidc.registration import RelyingParty

_LIMIT: Final = 128_000
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_ACCESS_TOKEN: Final = re.compile(r"[!-~]+")  # RFC 6749 A.12 without the blank: it goes into a header
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]+")  # what `quote_plus` leaves as it is
_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


@noun
class Tokens:
    """A token response. Nothing in it is proven yet."""

    id_token: Secret
    access_token: Secret


def token_request(rp: RelyingParty, metadata: Metadata, *, code: Secret, code_verifier: str, credentials: Credentials) -> HttpRequest:
    """Redeem the code (OIDC Core §3.1.3.1, RFC 7636 §4.5). The verifier needs no escaping: base64url."""
    value = code.reveal()
    escaped = value if _UNRESERVED.fullmatch(value) else quote_plus(value)
    body = f"{_constant_part(rp.redirect_uri)}&code={escaped}&code_verifier={code_verifier}"
    if credentials.fields:
        body += f"&{urlencode(credentials.fields)}"
    return HttpRequest(
        method="POST",
        url=metadata.token_endpoint,
        headers={**_FORM, **credentials.headers},
        body=body.encode("ascii"),
        limit=_LIMIT,
    )


@lru_cache
def _constant_part(redirect_uri: str) -> str:
    return urlencode({"grant_type": "authorization_code", "redirect_uri": redirect_uri})


def read_token_response(response: HttpResponse) -> Tokens:
    """The tokens (OIDC Core §3.1.3.3). Raises `TokenRequestRefused`, `TokenResponseRefused`, `ProviderAnswer`."""
    answer = read_body(response)
    check_granted(answer)
    check_status(response)
    check_token_type(answer)
    return Tokens(id_token=_id_token(answer), access_token=_access_token(answer))


def check_granted(answer: Mapping[str, JsonValue]) -> None:
    """RFC 6749 §5.2: no error, whatever the status. Only names from the standard are repeated; the text is never."""
    error = answer.get("error")
    if error is not None:
        raise TokenRequestRefused(error if isinstance(error, str) and error in _ERRORS else "an error of the provider's own")


def check_token_type(answer: Mapping[str, JsonValue]) -> None:
    """OIDC Core §3.1.3.3: Bearer, in any case of letters (RFC 6749 §5.1)."""
    token_type = answer.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise TokenResponseRefused("token_type is not Bearer")


def _id_token(answer: Mapping[str, JsonValue]) -> Secret:
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise TokenResponseRefused("id_token is missing")
    return Secret(token)


def _access_token(answer: Mapping[str, JsonValue]) -> Secret:
    token = answer.get("access_token")
    if not isinstance(token, str) or not _ACCESS_TOKEN.fullmatch(token):
        raise TokenResponseRefused("access_token is missing or has characters that no header can carry")
    return Secret(token)
